//! The one place where state changes: takes inputs in order, decides, stores, then publishes.
//!
//! It decides at once and never waits for the disk. One append is in flight; what is decided
//! meanwhile goes with the next, so a storm of webhooks costs a few commits and not thousands. States
//! are published once they are durable; only what is urgent is published after half a second, durable
//! or not, with everything that was decided before it.
//!
//! While the store can't be written, what was decided is held in memory and acted upon, because a bad
//! canary doesn't wait for a disk. None of it is reported as accepted: a webhook is answered 503 and
//! comes again, until all of it is on disk. If the process ends before that, the alert comes again
//! and the steps, being absolute, are harmless to repeat.

mod answer;
mod checkpoints;
mod commit;
mod decider;
mod held_blobs;
mod limits;
mod outage;
mod pending;
mod step_detector;
mod task;
mod teller;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot, watch};

use answer::{Caller, Publisher, Wants};
use held_blobs::HeldBlobs;
pub use task::JournalTask;
use task::Shown;

use crate::clock::Clock;
use crate::decision::{Input, Refusal};
use crate::incident::{IncidentId, Reason, RolloutName, RolloutState};
use crate::metrics::Metrics;
use crate::pipeline::{Observed, Rollouts};
use crate::randomness::Randomness;
pub use crate::store::States;
use crate::store::{Blobs, IncidentStore, Loaded};

/// Submissions that may wait. Beyond it a webhook is answered 503 and comes again: Alertmanager
/// opens hundreds of sockets at once (reference notes, section 2), never thousands.
const QUEUE: usize = 4_096;

/// How long a submission may wait for a place in the queue before it is refused: its sender comes again.
const ENQUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a journal works with.
#[derive(Debug, Clone)]
pub struct JournalParts {
    pub store: Arc<dyn IncidentStore>,
    pub rollouts: Rollouts,
    pub observed: Arc<Observed>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Randomness,
    pub metrics: Metrics,
}

/// Inputs that are decided together, in order.
#[derive(Debug, Default)]
pub struct Submission {
    /// What happened, and to which rollout.
    pub inputs: Vec<(RolloutName, Input)>,
    /// Bytes that the inputs refer to; stored only if something is decided.
    pub blobs: Blobs,
}

/// What came of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    pub reason: Option<Reason>,
    /// The incident that it was about.
    pub incident: Option<IncidentId>,
    /// Set when a person's request was refused.
    pub refusal: Option<Refusal>,
    /// Whether it led to events.
    pub news: bool,
}

/// What came of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Receipt {
    /// One for each input, in order.
    pub rulings: Vec<Ruling>,
    /// Whether all that has been decided so far is durable. If not, it is held in memory until it is,
    /// and must not be called accepted.
    pub durable: bool,
}

/// Why a submission was not accepted. Nothing of it has happened; send it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The store can't be written now, and no more can be held in memory.
    #[error("not stored: {0}")]
    Unavailable(String),
    /// The queue stayed full for as long as a submission may wait for a place.
    #[error("overloaded: {QUEUE} submissions wait already")]
    Overloaded,
    #[error("shutting down")]
    ShuttingDown,
}

/// Until when what fired is known, once the store was loaded.
type KnownUntil = Option<Option<DateTime<Utc>>>;

type Waiting = (Submission, Wants, Caller);

/// The journal's handle. Clones share one journal.
#[derive(Debug, Clone)]
pub struct Journal {
    queue: mpsc::Sender<Waiting>,
    states: watch::Receiver<States>,
    held: HeldBlobs,
    known_until: watch::Receiver<KnownUntil>,
}

impl Journal {
    /// A journal over the parts' store, beginning with what is `stored` there.
    #[must_use]
    pub fn new(parts: JournalParts, stored: Loaded) -> (Self, JournalTask) {
        Self::over(parts, Some(stored))
    }

    /// The same over a store that can't be read yet. Until it can, nothing is known of what it holds,
    /// and what is decided is held in memory; then that is recorded after what is stored.
    #[must_use]
    pub fn unloaded(parts: JournalParts) -> (Self, JournalTask) {
        Self::over(parts, None)
    }

    fn over(parts: JournalParts, stored: Option<Loaded>) -> (Self, JournalTask) {
        let (loaded, known_until) = watch::channel(stored.as_ref().map(Loaded::known_until));
        let Loaded { seq, checkpoint_seq, rollouts, last_alive, caught_up_until: _ } =
            stored.unwrap_or_default();
        let states = states_of(&parts, rollouts);
        let last_seen = states.values().filter_map(|state| state.last_stored_at()).chain(last_alive).max();
        let (sender, queue) = mpsc::channel(QUEUE);
        let (published, receiver) = watch::channel(states.clone());
        let held = HeldBlobs::default();
        let shown = Shown { publisher: Publisher::new(published), held: held.clone(), loaded };
        let stored = (seq, checkpoint_seq);
        let task = JournalTask::new(parts, queue, states, stored, last_seen, shown);
        (Self { queue: sender, states: receiver, held, known_until }, task)
    }

    /// Submits inputs and waits until they are durable, or until that has taken too long: then they
    /// are decided and held, and `durable` is false.
    ///
    /// # Errors
    /// See [`JournalError`]; nothing of the submission has happened.
    pub async fn submit(&self, submission: Submission) -> Result<Receipt, JournalError> {
        self.send(submission, Wants::Durability).await
    }

    /// Submits a result of work, and waits until it is acted upon: durable if the store acknowledges it
    /// in time, at once if nothing came of it.
    ///
    /// # Errors
    /// See [`Journal::submit`].
    pub async fn report(&self, submission: Submission) -> Result<Receipt, JournalError> {
        self.send(submission, Wants::Action).await
    }

    async fn send(&self, submission: Submission, wants: Wants) -> Result<Receipt, JournalError> {
        let (reply, answer) = oneshot::channel();
        match tokio::time::timeout(ENQUEUE_TIMEOUT, self.queue.send((submission, wants, reply))).await {
            Err(_) => return Err(JournalError::Overloaded),
            Ok(Err(_)) => return Err(JournalError::ShuttingDown),
            Ok(Ok(())) => {}
        }
        answer.await.unwrap_or(Err(JournalError::ShuttingDown))
    }

    /// Waits until everything that was decided so far is durable, or until that has taken too long; whether it is.
    pub async fn is_durable(&self) -> bool {
        self.submit(Submission::default()).await.is_ok_and(|receipt| receipt.durable)
    }

    /// Submits one input, such as a person's request: see [`Journal::report`].
    ///
    /// # Errors
    /// See [`Journal::submit`].
    pub async fn submit_one(&self, rollout: &RolloutName, input: Input) -> Result<Ruling, JournalError> {
        self.ask(rollout, input).await.map(|(ruling, _)| ruling)
    }

    /// The same, and whether it is durable: a person has to know what would be forgotten.
    ///
    /// # Errors
    /// See [`Journal::submit`].
    pub async fn ask(&self, rollout: &RolloutName, input: Input) -> Result<(Ruling, bool), JournalError> {
        let inputs = vec![(rollout.clone(), input)];
        let Receipt { rulings, durable } = self.report(Submission { inputs, blobs: Vec::new() }).await?;
        let ruling = rulings.into_iter().next().ok_or(JournalError::ShuttingDown)?;
        Ok((ruling, durable))
    }

    /// The states as last published: durable, or urgent and acted upon before that.
    #[must_use]
    pub fn states(&self) -> States {
        self.states.borrow().clone()
    }

    /// Until when earlier processes knew what fired: see [`Loaded::known_until`]. Waits until the store
    /// could be loaded.
    pub async fn known_until(&self) -> Option<DateTime<Utc>> {
        let mut known_until = self.known_until.clone();
        let known_until = known_until.wait_for(Option::is_some).await.map(|known_until| *known_until);
        match known_until {
            Ok(known_until) => known_until.flatten(),
            // The journal has ended, and nobody has anything to do any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// A receiver that wakes when the states change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<States> {
        self.states.clone()
    }

    /// Bytes of events that are not durable yet, which the store therefore does not have.
    #[must_use]
    pub fn held_blob(&self, sha256: &str) -> Option<Arc<[u8]>> {
        self.held.get(sha256)
    }
}

/// Every configured rollout's state, and those that rest because they are no longer configured.
fn states_of(parts: &JournalParts, stored: BTreeMap<RolloutName, RolloutState>) -> States {
    let mut states: States = stored.into_iter().map(|(name, state)| (name, Arc::new(state))).collect();
    for rollout in parts.rollouts.iter() {
        states.entry(rollout.name.clone()).or_default();
    }
    states
}
