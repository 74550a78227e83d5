//! The one place where state changes: takes inputs in order, decides, stores, then publishes.
//!
//! Everything that waits is decided together and stored in one commit, so a storm of webhooks costs
//! a few commits and not thousands. If the commit fails, nothing of it has happened: the state is
//! put back, and every caller is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{Observed, Rollouts};
use crate::clock::Clock;
use crate::decision::{Context, Input, Reading, Refusal, decide};
use crate::incident::{BlobRef, IncidentId, Reason, RolloutName, RolloutState, StoredAs};
use crate::metrics::Metrics;
use crate::store::{Batch, IncidentStore, StoreError};

/// Submissions that may wait. Beyond it a webhook is answered 503 and comes again: Alertmanager
/// opens hundreds of sockets at once (reference notes, section 2), never thousands.
const QUEUE: usize = 4_096;

/// Submissions decided and stored in one commit. Bounds how long the first of them waits.
const MAX_BATCH: usize = 512;

/// How long a submission may wait for a place in the queue before its sender is told to come again.
const ENQUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// After this many events the fold is saved, so that a start needn't read them all.
const CHECKPOINT_EVERY: u64 = 5_000;

/// Every rollout's state. Cheap to clone.
pub type States = BTreeMap<RolloutName, Arc<RolloutState>>;

/// Inputs that are decided together, in order.
#[derive(Debug, Default)]
pub struct Submission {
    /// What happened, and to which rollout.
    pub inputs: Vec<(RolloutName, Input)>,
    /// Bytes that the inputs refer to; stored only if something is decided.
    pub blobs: Vec<(BlobRef, Arc<[u8]>)>,
}

/// What came of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Why, by name.
    pub reason: Option<Reason>,
    /// The incident that it was about.
    pub incident: Option<IncidentId>,
    /// Set when a person's request was refused.
    pub refusal: Option<Refusal>,
    /// Whether anything new was stored.
    pub stored: bool,
}

/// Why a submission was not taken. Nothing of it has happened; send it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The store can't be written now.
    #[error("not stored: {0}")]
    Unavailable(String),
    /// More waits than may wait.
    #[error("overloaded: {QUEUE} submissions wait already")]
    Overloaded,
    /// The process is ending.
    #[error("shutting down")]
    ShuttingDown,
}

type Waiting = (Submission, oneshot::Sender<Result<Vec<Ruling>, JournalError>>);

/// The journal's handle. Clones share one journal.
#[derive(Debug, Clone)]
pub struct Journal {
    queue: mpsc::Sender<Waiting>,
    states: watch::Receiver<States>,
}

/// The journal's task: run it until it ends.
#[derive(Debug)]
pub struct JournalTask {
    queue: mpsc::Receiver<Waiting>,
    published: watch::Sender<States>,
    states: States,
    seq: u64,
    checkpointed: u64,
    store: Arc<dyn IncidentStore>,
    rollouts: Rollouts,
    observed: Arc<Observed>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl Journal {
    /// A journal over `store`, beginning with what is `stored` there.
    #[must_use]
    pub fn new(
        store: Arc<dyn IncidentStore>,
        stored: crate::store::Loaded,
        rollouts: Rollouts,
        observed: Arc<Observed>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> (Self, JournalTask) {
        let mut states: States =
            stored.rollouts.into_iter().map(|(name, state)| (name, Arc::new(state))).collect();
        for rollout in rollouts.iter() {
            states.entry(rollout.name.clone()).or_default();
        }
        let (sender, queue) = mpsc::channel(QUEUE);
        let (published, receiver) = watch::channel(states.clone());
        let seq = stored.seq;
        let task = JournalTask {
            queue,
            published,
            states,
            seq,
            checkpointed: seq,
            store,
            rollouts,
            observed,
            clock,
            metrics,
        };
        (Self { queue: sender, states: receiver }, task)
    }

    /// Submits inputs and waits until they are decided and durable.
    ///
    /// # Errors
    /// See [`JournalError`]; nothing of the submission has happened.
    pub async fn submit(&self, submission: Submission) -> Result<Vec<Ruling>, JournalError> {
        let (reply, answer) = oneshot::channel();
        match tokio::time::timeout(ENQUEUE_TIMEOUT, self.queue.send((submission, reply))).await {
            Err(_) => return Err(JournalError::Overloaded),
            Ok(Err(_)) => return Err(JournalError::ShuttingDown),
            Ok(Ok(())) => {}
        }
        answer.await.unwrap_or(Err(JournalError::ShuttingDown))
    }

    /// Submits one input.
    ///
    /// # Errors
    /// See [`Journal::submit`].
    pub async fn submit_one(&self, rollout: &RolloutName, input: Input) -> Result<Ruling, JournalError> {
        let inputs = vec![(rollout.clone(), input)];
        let rulings = self.submit(Submission { inputs, blobs: Vec::new() }).await?;
        rulings.into_iter().next().ok_or(JournalError::ShuttingDown)
    }

    /// The states as last published.
    #[must_use]
    pub fn states(&self) -> States {
        self.states.borrow().clone()
    }

    /// A receiver that wakes when the states change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<States> {
        self.states.clone()
    }
}

impl JournalTask {
    /// Takes submissions until `stop` or until every handle is gone; then takes what still waits,
    /// and saves the fold.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        loop {
            tokio::select! {
                taken = self.queue.recv_many(&mut waiting, MAX_BATCH) => if taken == 0 { break },
                () = stop.cancelled(), if !self.queue.is_closed() => self.queue.close(),
            }
            self.batch(&mut waiting).await;
            if self.seq >= self.checkpointed + CHECKPOINT_EVERY {
                self.checkpoint().await;
            }
        }
        self.checkpoint().await;
    }

    async fn batch(&mut self, waiting: &mut Vec<Waiting>) {
        let before = self.states.clone();
        let mut batch = Batch { expected_seq: self.seq, ..Batch::default() };
        let mut decided = Vec::with_capacity(waiting.len());
        for (submission, reply) in waiting.drain(..) {
            let events_before = batch.events.len();
            let rulings: Vec<_> = submission
                .inputs
                .iter()
                .map(|(rollout, input)| self.decide(rollout, input, &mut batch.events))
                .collect();
            if batch.events.len() > events_before {
                batch.blobs.extend(submission.blobs);
            }
            decided.push((rulings, reply));
        }
        let outcome = self.store(batch).await;
        if outcome.is_err() {
            self.states = before;
        }
        for (rulings, reply) in decided {
            // A caller that went away (a closed connection) loses nothing: its alert is stored.
            let _gone = reply.send(outcome.clone().map(|()| rulings));
        }
    }

    fn decide(&mut self, name: &RolloutName, input: &Input, events: &mut Vec<StoredAs>) -> Ruling {
        let nothing = Ruling { reason: None, incident: None, refusal: None, stored: false };
        // An input for a rollout that is no longer configured has nobody to act for.
        let Some(rollout) = self.rollouts.get(name) else { return nothing };
        let now = self.clock.now();
        let (reading, last_zero_at) = self.observed.reading(name);
        let context = Context {
            rollout: name,
            policy: &rollout.policy,
            now,
            nonce: rand::random(),
            reading: if rollout.router.can_read() { reading } else { Reading::NotConfigured },
            last_zero_at,
            watchdog_silent_seconds: Some(self.observed.watchdog_silent_seconds(now)),
        };
        // Taken out of the map so that the decision needn't copy it unless somebody still reads it.
        let state = self.states.remove(name).unwrap_or_default();
        let decided = decide(Arc::unwrap_or_clone(state), input, &context);
        self.states.insert(name.clone(), Arc::new(decided.state));
        if let Some(reason) = decided.reason {
            self.metrics.decided(name, reason);
            tracing::debug!(rollout = %name, %reason, incident = decided.incident.as_ref().map(tracing::field::display), "decided");
        }
        let stored = !decided.events.is_empty();
        events.extend(decided.events);
        Ruling { reason: decided.reason, incident: decided.incident, refusal: decided.refusal, stored }
    }

    async fn store(&mut self, batch: Batch) -> Result<(), JournalError> {
        if batch.events.is_empty() {
            return Ok(());
        }
        let told = batch.events.clone();
        match self.store.append(batch).await {
            Ok(seq) => {
                self.seq = seq;
                self.metrics.store_healthy(true);
                for stored in &told {
                    crate::logging::stored(stored);
                    self.metrics.stored(stored);
                }
                self.published.send_replace(self.states.clone());
                Ok(())
            }
            Err(error) => {
                self.metrics.store_failed();
                tracing::error!(
                    error = crate::logging::chain(&error),
                    "events not stored; senders are told to come again"
                );
                if matches!(error, StoreError::Conflict { .. }) {
                    self.reload().await;
                }
                Err(JournalError::Unavailable(error.to_string()))
            }
        }
    }

    /// Somebody else wrote: what is stored counts, not what is remembered here.
    async fn reload(&mut self) {
        match self.store.load().await {
            Ok(stored) => {
                self.seq = stored.seq;
                for (name, state) in stored.rollouts {
                    self.states.insert(name, Arc::new(state));
                }
                self.published.send_replace(self.states.clone());
            }
            Err(error) => {
                tracing::error!(error = crate::logging::chain(&error), "the store can't be loaded again")
            }
        }
    }

    async fn checkpoint(&mut self) {
        if self.seq == self.checkpointed {
            return;
        }
        match self.store.checkpoint(self.seq, self.states.clone()).await {
            Ok(()) => self.checkpointed = self.seq,
            Err(error) => tracing::warn!(
                error = crate::logging::chain(&error),
                "the fold could not be saved; starts take longer"
            ),
        }
    }
}
