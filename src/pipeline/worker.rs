//! Does what the state asks for, one task a command, and takes no other input: woken by a change
//! or by a deadline, it always reads the state again. First run, retry and restart are one path.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Journal, Observed, Rollouts, Rounds, ShareReader, States};
use crate::clock::Clock;
use crate::decision::{Command, Due, due};
use crate::evidence::EvidenceWriter;
use crate::incident::{ChannelName, RolloutName, RolloutState};
use crate::metrics::{Loop, Metrics};
use crate::notification::Channel;
use crate::pipeline::Sources;
use crate::randomness::Randomness;
use crate::signals::GrafanaRenderer;
use crate::store::IncidentStore;

/// The longest nap. Deadlines are wall-clock times; a clock that is stepped forward must not leave
/// a grace asleep until the timer of the old time.
pub(super) const LONGEST_NAP: Duration = Duration::from_secs(1);

/// The pause after a task that panicked, so that a bug that always strikes doesn't spin.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// The pause before a command that ended is carried out again over the same state. What came of it is
/// decided, but not published while the disk hangs: without a pause it would be done again at once,
/// and again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What is only written down or told leaves a step so much time to send its request: it would take the processor
/// and the disk from it, and from an API server on the same machine.
pub(super) const HEAD_START: Duration = Duration::from_millis(20);

/// The configured channels to people, by name.
pub type Channels = Arc<BTreeMap<ChannelName, Arc<dyn Channel>>>;

/// Everything a command may need.
#[derive(Debug, Clone)]
pub struct Worker {
    pub journal: Journal,
    pub rollouts: Rollouts,
    pub observed: Arc<Observed>,
    pub share_reader: ShareReader,
    pub sources: Sources,
    /// What the criteria of running ramps were answered last.
    pub rounds: Rounds,
    pub evidence: Arc<dyn EvidenceWriter>,
    /// Pictures of the dashboard for a stage's evidence; `None`: none is wanted.
    pub grafana: Option<GrafanaRenderer>,
    pub channels: Channels,
    /// The raw bodies for the evidence are read from it.
    pub store: Arc<dyn IncidentStore>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Randomness,
    pub metrics: Metrics,
}

type Key = (RolloutName, Command);

/// The commands that are being carried out.
#[derive(Debug, Default)]
struct Running {
    by_task: HashMap<Id, (Key, Arc<RolloutState>)>,
    /// The same keys, to be asked for: each wake asks for every command of every rollout.
    keys: BTreeSet<Key>,
    /// Those that ended a moment ago, with the state that asked for them.
    ended: BTreeMap<Key, (Arc<RolloutState>, Instant)>,
    /// States that ask for nothing, each until its next deadline: with a thousand rollouts only those
    /// that changed are looked at when a critical comes.
    resting: HashMap<RolloutName, (Arc<RolloutState>, Option<DateTime<Utc>>)>,
}

impl Running {
    /// Whether this very state asks for nothing yet, and its next deadline.
    fn rests(
        &self,
        name: &RolloutName,
        state: &Arc<RolloutState>,
        now: DateTime<Utc>,
    ) -> Option<Option<DateTime<Utc>>> {
        let (seen, until) = self.resting.get(name)?;
        (Arc::ptr_eq(seen, state) && until.is_none_or(|until| now < until)).then_some(*until)
    }

    fn begin(&mut self, task: Id, key: Key, state: &Arc<RolloutState>) {
        self.keys.insert(key.clone());
        self.by_task.insert(task, (key, Arc::clone(state)));
    }

    fn end(&mut self, task: Id) -> Option<(Key, Arc<RolloutState>)> {
        let (key, state) = self.by_task.remove(&task)?;
        self.keys.remove(&key);
        self.ended.insert(key.clone(), (Arc::clone(&state), Instant::now()));
        Some((key, state))
    }

    /// How long to wait before this is done again for this very state.
    fn pause(&mut self, key: &Key, state: &Arc<RolloutState>) -> Option<Duration> {
        self.ended.retain(|_, (_, at)| at.elapsed() < AGAIN_AFTER);
        let (seen, at) = self.ended.get(key)?;
        Arc::ptr_eq(seen, state).then(|| AGAIN_AFTER.saturating_sub(at.elapsed()))
    }
}

impl Worker {
    /// Works until `stop`; then lets what runs finish for at most `drain`. What doesn't is resumed
    /// by the next process, since the state still asks for it.
    pub async fn run(self, stop: CancellationToken, drain: Duration) {
        let worker = Arc::new(self);
        let mut states = worker.journal.subscribe();
        let mut tasks = JoinSet::new();
        let mut running = Running::default();
        loop {
            worker.metrics.loop_turned(Loop::Worker);
            let now_states = states.borrow_and_update().clone();
            let nap = worker.start_due(&now_states, &mut tasks, &mut running);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = changed(&mut states) => {}
                () = tokio::time::sleep(nap) => {}
                Some(ended) = tasks.join_next_with_id() => worker.ended(ended, &mut running, &mut tasks),
            }
        }
        let rest = async {
            // A rollback under way goes on to its next stored event; nothing new is begun.
            while tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(drain, rest).await.is_err() {
            tracing::warn!("work under way was left; the next start resumes it");
        }
    }

    fn start_due(
        self: &Arc<Self>,
        states: &States,
        tasks: &mut JoinSet<()>,
        running: &mut Running,
    ) -> Duration {
        let now = self.clock.now();
        let mut nap = LONGEST_NAP;
        let left = |next: Option<DateTime<Utc>>| {
            next.map_or(LONGEST_NAP, |next| (next - now).to_std().unwrap_or(Duration::ZERO))
        };
        for (name, state) in states {
            if let Some(until) = running.rests(name, state, now) {
                nap = nap.min(left(until));
                continue;
            }
            let Some(rollout) = self.rollouts.get(name) else { continue };
            let Due { commands, next } = due(state, &rollout.policy, now);
            if commands.is_empty() {
                running.resting.insert(name.clone(), (Arc::clone(state), next));
            }
            let a_step_is_due = commands.iter().any(Command::acts);
            for command in commands {
                let key = (name.clone(), command);
                if running.keys.contains(&key) {
                    continue;
                }
                if let Some(pause) = running.pause(&key, state) {
                    nap = nap.min(pause);
                    continue;
                }
                let worker = Arc::clone(self);
                let rollout = Arc::clone(rollout);
                let command = key.1.clone();
                let leaves_a_head_start = a_step_is_due && command.tells();
                let handle = tasks.spawn(async move {
                    if leaves_a_head_start {
                        tokio::time::sleep(HEAD_START).await;
                    } else if !command.acts() {
                        // The runtime begins with what was spawned last: whatever else is due lets the step go first.
                        tokio::task::yield_now().await;
                    }
                    // Every line that is logged on the way says of what it is.
                    let span = tracing::info_span!("incident", rollout = %rollout.name, incident = command.incident().map(tracing::field::display));
                    worker.perform(&rollout, command).instrument(span).await;
                });
                running.begin(handle.id(), key, state);
            }
            nap = nap.min(left(next));
        }
        nap
    }

    fn ended(
        self: &Arc<Self>,
        ended: Result<(Id, ()), tokio::task::JoinError>,
        running: &mut Running,
        tasks: &mut JoinSet<()>,
    ) {
        match ended {
            Ok((id, ())) => {
                running.end(id);
            }
            Err(error) => {
                self.metrics.task_panicked();
                tracing::error!(%error, "a task broke off; it is tried again");
                if let Some((key, state)) = running.end(error.id()) {
                    let handle = tasks.spawn(tokio::time::sleep(AFTER_PANIC));
                    running.begin(handle.id(), key, &state);
                }
            }
        }
    }
}

/// Resolves when the states change; never, once nobody can change them any more.
pub(super) async fn changed(states: &mut watch::Receiver<States>) {
    if states.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
