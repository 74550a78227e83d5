//! Asks what the stages of running ramps are judged by, round after round, and reports what was answered.
//!
//! Prometheus is asked in every round. An API, a log or a program is asked by itself, as often as its criterion
//! says: a round takes the latest of its answers, so that a slow one holds up no other.

mod asking;
mod occasion;
mod questions;
mod rounds;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::worker::{LONGEST_NAP, changed};
use super::{States, Worker};
use crate::incident::{Ramp, RolloutState};
use crate::metrics::Loop;
use asking::Asking;
pub use rounds::Rounds;

/// Asks for every ramp whose stage has begun.
#[derive(Debug, Clone)]
pub struct Gates {
    /// What it shares with the worker.
    pub worker: Worker,
}

impl Gates {
    /// Asks until `stop`. What is under way then is dropped, programs with it: the next process asks again.
    pub async fn run(self, stop: CancellationToken) {
        let mut states = self.worker.journal.subscribe();
        let mut asking = Asking::default();
        loop {
            self.worker.metrics.loop_turned(Loop::Gates);
            let nap = {
                let now_states: States = states.borrow_and_update().clone();
                self.begin_due(&now_states, &mut asking)
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = changed(&mut states) => {}
                () = tokio::time::sleep(nap) => {}
                Some(ended) = asking.next_ended() => asking.ended(ended, &self.worker.metrics),
            }
        }
    }

    /// Begins what is due, and says for how long nothing else is.
    fn begin_due(&self, states: &States, asking: &mut Asking) -> Duration {
        let now = self.worker.clock.now();
        let mut nap = LONGEST_NAP;
        // Few rollouts are ramped, and every change of any wakes this: one that is not costs a look at its state.
        for (name, state) in states {
            let Some(ramp) = watched(state) else { continue };
            let Some(rollout) = self.worker.rollouts.get(name) else { continue };
            nap = nap.min(asking.begin(&self.worker, rollout, ramp, now));
        }
        asking.forget_all_but(|name| states.get(name).is_some_and(|state| watched(state).is_some()));
        self.worker.rounds.keep_what_is_needed(states);
        nap
    }
}

/// The ramp whose stage is judged now.
fn watched(state: &RolloutState) -> Option<&Ramp> {
    let is_judged = |ramp: &&Ramp| !ramp.is_finishing() && ramp.stage_began_at().is_some();
    state.running_ramp().filter(is_judged)
}
