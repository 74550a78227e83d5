//! The journal's task: batches, decides, stores, publishes, answers.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::step_detector::StepDetector;
use super::unrecorded::{HeldBlobs, Unrecorded};
use super::{Caller, JournalError, Ruling, States, Taken, Waiting};
use crate::clock::Clock;
use crate::decision::{Context, Decided, Input, Reading, decide};
use crate::incident::{Event, RolloutName, Severity, StoredAs};
use crate::metrics::Metrics;
use crate::pipeline::{Observed, Rollouts};
use crate::randomness::Randomness;
use crate::store::{Batch, Blobs, IncidentStore, StoreError};

/// Submissions decided and stored in one commit. Bounds how long the first of them waits.
const MAX_BATCH: usize = 512;

/// After this many events the fold is saved, so that a start needn't read them all.
const CHECKPOINT_EVERY: u64 = 5_000;

/// How often the store is tried while it can't be written and nothing else comes.
const RETRY: Duration = Duration::from_secs(1);

/// How long a commit may hold up a rollback that it begins. A commit takes milliseconds; a disk that
/// hangs must not keep the traffic on a bad canary.
const ACT_AFTER: Duration = Duration::from_millis(500);

/// How often an operator is reminded in the log that the store can't be written.
const REMIND_EVERY: Duration = Duration::from_secs(30);

/// What a journal works with.
#[derive(Debug, Clone)]
pub struct JournalParts {
    /// Where events go.
    pub store: Arc<dyn IncidentStore>,
    /// The rollouts.
    pub rollouts: Rollouts,
    /// Readings that decisions look at.
    pub observed: Arc<Observed>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Nonces.
    pub randomness: Randomness,
    /// The figures.
    pub metrics: Metrics,
}

/// The journal's task: run it until it ends.
#[derive(Debug)]
pub struct JournalTask {
    parts: JournalParts,
    queue: mpsc::Receiver<Waiting>,
    published: watch::Sender<States>,
    states: States,
    seq: u64,
    checkpointed: u64,
    unrecorded: Unrecorded,
    steps: StepDetector,
    reminded: Option<Instant>,
}

/// What was decided in one batch.
#[derive(Default)]
struct Drafted {
    events: Vec<StoredAs>,
    blobs: Blobs,
    callers: Vec<(Vec<Ruling>, Caller)>,
}

/// What became of a batch's events.
enum Recorded {
    /// On disk, and so is all that was held.
    Durable,
    /// Held in memory and acted upon.
    Held,
    /// Nothing of it has happened.
    Nothing(String),
}

impl JournalTask {
    pub(super) fn new(
        parts: JournalParts,
        queue: mpsc::Receiver<Waiting>,
        published: watch::Sender<States>,
        states: States,
        seq: u64,
        last_seen: Option<DateTime<Utc>>,
        held: HeldBlobs,
    ) -> Self {
        let steps = StepDetector::starting(parts.clock.as_ref(), last_seen);
        let unrecorded = Unrecorded::new(held);
        Self { parts, queue, published, states, seq, checkpointed: seq, unrecorded, steps, reminded: None }
    }

    /// Takes submissions until `stop` or until every handle is gone; then takes what still waits,
    /// and saves the fold.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                taken = self.queue.recv_many(&mut waiting, MAX_BATCH) => if taken == 0 { break },
                () = tokio::time::sleep(RETRY), if !self.unrecorded.is_empty() => {}
            }
            self.batch(&mut waiting).await;
            if self.seq >= self.checkpointed + CHECKPOINT_EVERY {
                self.checkpoint().await;
            }
        }
        if !self.unrecorded.is_empty() {
            // The disk may be free by now.
            self.batch(&mut waiting).await;
        }
        if !self.unrecorded.is_empty() {
            let events = self.unrecorded.len();
            tracing::error!(
                events,
                "the store could not be written until the end: these events are lost, and nobody was told that they are kept"
            );
        }
        self.checkpoint().await;
    }

    async fn batch(&mut self, waiting: &mut Vec<Waiting>) {
        let before = self.states.clone();
        let mut drafted = Drafted::default();
        self.notice_a_step(&mut drafted.events);
        for (submission, reply) in waiting.drain(..) {
            let inputs = submission.inputs.iter().map(|(_, input)| input);
            if !self.unrecorded.has_room_for(drafted.events.len(), inputs) {
                let why = "the store can't be written, and as much as may be is held in memory".to_owned();
                let _gone = reply.send(Err(JournalError::Unavailable(why)));
                continue;
            }
            let events_before = drafted.events.len();
            let decide =
                |(rollout, input): &(RolloutName, Input)| self.decide(rollout, input, &mut drafted.events);
            let rulings: Vec<_> = submission.inputs.iter().map(decide).collect();
            if drafted.events.len() > events_before {
                drafted.blobs.extend(submission.blobs);
            }
            drafted.callers.push((rulings, reply));
        }
        let Drafted { events, blobs, callers } = drafted;
        let recorded = self.record(&events, blobs, before).await;
        match &recorded {
            Recorded::Durable | Recorded::Held if !events.is_empty() => self.publish(),
            Recorded::Durable | Recorded::Held | Recorded::Nothing(_) => {}
        }
        let durable = matches!(recorded, Recorded::Durable);
        for (rulings, reply) in callers {
            let answer = match &recorded {
                Recorded::Durable | Recorded::Held => Ok(Taken { rulings, durable }),
                Recorded::Nothing(why) => Err(JournalError::Unavailable(why.clone())),
            };
            // A caller that went away (a closed connection) loses nothing: its alert is stored.
            let _gone = reply.send(answer);
        }
        if !matches!(recorded, Recorded::Nothing(_)) {
            // After everybody has been told and has begun to act: a log on a slow terminal holds up nobody.
            tokio::task::yield_now().await;
            for stored in &events {
                crate::logging::stored(stored);
                self.parts.metrics.stored(stored);
            }
        }
    }

    fn publish(&self) {
        self.published.send_replace(self.states.clone());
    }

    /// Before anything else is decided: no deadline may be compared with a clock it was not made for.
    fn notice_a_step(&mut self, events: &mut Vec<StoredAs>) {
        let Some(by) = self.steps.stepped(self.parts.clock.as_ref()) else { return };
        self.parts.observed.clock_set(by);
        let names: Vec<_> = self.states.keys().cloned().collect();
        for name in names {
            let _nobody_asked = self.decide(&name, &Input::ClockStepped { by }, events);
        }
    }

    fn decide(&mut self, name: &RolloutName, input: &Input, events: &mut Vec<StoredAs>) -> Ruling {
        let nothing = Ruling { reason: None, incident: None, refusal: None, news: false };
        // An input for a rollout that is no longer configured has nobody to act for.
        let Some(rollout) = self.parts.rollouts.get(name) else { return nothing };
        let now = self.parts.clock.now();
        let observed = &self.parts.observed;
        let (reading, last_zero_at) = observed.reading(name, now);
        let not_before = match input {
            Input::Alert { alert, .. } => observed.not_before(name, alert, now),
            _ => None,
        };
        let context = Context {
            rollout: name,
            policy: &rollout.policy,
            now,
            nonce: self.parts.randomness.nonce(),
            reading: if rollout.router.can_read() { reading } else { Reading::NotConfigured },
            last_zero_at,
            not_before,
            watchdog_silent_seconds: Some(observed.watchdog_silent_seconds(&rollout.policy.matching)),
        };
        // Taken out of the map so that the decision needn't copy it unless somebody still reads it.
        let state = self.states.remove(name).unwrap_or_default();
        let Decided { state, events: decided, reason, incident, refusal } =
            decide(Arc::unwrap_or_clone(state), input, &context);
        self.states.insert(name.clone(), Arc::new(state));
        if let Some(reason) = reason {
            self.parts.metrics.decided(name, reason);
            tracing::debug!(rollout = %name, %reason, incident = incident.as_ref().map(tracing::field::display), "decided");
        }
        let news = !decided.is_empty();
        events.extend(decided);
        Ruling { reason, incident, refusal, news }
    }

    async fn record(&mut self, events: &[StoredAs], blobs: Blobs, before: States) -> Recorded {
        if events.is_empty() && self.unrecorded.is_empty() {
            return Recorded::Durable;
        }
        let (all, all_blobs) = self.unrecorded.followed_by(events, &blobs);
        let batch = Batch { expected_seq: self.seq, events: all, blobs: all_blobs };
        let store = Arc::clone(&self.parts.store);
        let mut append = store.append(batch);
        let outcome = tokio::select! {
            biased;
            outcome = &mut append => outcome,
            () = tokio::time::sleep(ACT_AFTER), if events.iter().any(begins_to_act) => {
                tracing::error!("the store takes long; the rollback begins before it is recorded");
                self.publish();
                append.await
            }
        };
        match outcome {
            Ok(seq) => {
                self.seq = seq;
                self.recovered();
                Recorded::Durable
            }
            Err(error @ StoreError::Conflict { .. }) => {
                let chain = crate::logging::chain(&error);
                tracing::error!(error = chain, "somebody else wrote the store; it is loaded again");
                self.parts.metrics.store_failed(0);
                self.states = before;
                self.reload().await;
                Recorded::Nothing(chain)
            }
            Err(error) => {
                self.hold(error, events, blobs);
                Recorded::Held
            }
        }
    }

    fn recovered(&mut self) {
        if self.reminded.take().is_some() {
            tracing::info!(
                events = self.unrecorded.len(),
                "the store can be written again; what was held is recorded"
            );
        }
        self.unrecorded.clear();
        self.parts.metrics.store_healthy();
    }

    fn hold(&mut self, error: StoreError, events: &[StoredAs], blobs: Blobs) {
        self.unrecorded.hold(events.to_vec(), blobs);
        self.parts.metrics.store_failed(self.unrecorded.len());
        if self.reminded.is_none_or(|at| at.elapsed() >= REMIND_EVERY) {
            self.reminded = Some(Instant::now());
            tracing::error!(
                error = crate::logging::chain(&error),
                held_events = self.unrecorded.len(),
                "the store can't be written; alerts are acted upon, and answered 503 so that they come again until all is recorded"
            );
        }
    }

    /// Somebody else wrote: what is stored counts, not what is remembered here.
    async fn reload(&mut self) {
        match self.parts.store.load().await {
            Ok(stored) => {
                self.seq = stored.seq;
                self.unrecorded.clear();
                for (name, state) in stored.rollouts {
                    self.states.insert(name, Arc::new(state));
                }
                self.publish();
            }
            Err(error) => {
                tracing::error!(error = crate::logging::chain(&error), "the store can't be loaded again")
            }
        }
    }

    async fn checkpoint(&mut self) {
        // The fold of what is not stored must not be saved as the fold of what is.
        if self.seq == self.checkpointed || !self.unrecorded.is_empty() {
            return;
        }
        match self.parts.store.checkpoint(self.seq, self.states.clone()).await {
            Ok(()) => self.checkpointed = self.seq,
            Err(error) => tracing::warn!(
                error = crate::logging::chain(&error),
                "the fold could not be saved; starts take longer"
            ),
        }
    }
}

/// Whether somebody has to act on this at once.
fn begins_to_act(stored: &StoredAs) -> bool {
    match &stored.event {
        Event::RollbackStarted { .. } => true,
        Event::TriageStarted { alert } => alert.alert.severity() == Severity::Critical,
        _ => false,
    }
}
