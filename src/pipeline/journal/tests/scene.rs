//! A journal over a store that a test makes hang, fail or refuse.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::{Journal, JournalError, JournalParts, JournalTask, Receipt, States, Submission};
use crate::clock::SteppedClock;
use crate::decision::{Input, Request};
use crate::incident::fixtures;
use crate::incident::{AttachedAlert, Event, Incident, IncidentId, Reason, Share, StoredAs};
use crate::metrics::Metrics;
pub(super) use crate::pipeline::fixtures::name;
use crate::pipeline::fixtures::{Flag, journal_parts, rollout};
use crate::pipeline::{Observed, Rollouts};
use crate::store::{Batch, IncidentFilter, IncidentStore, Loaded, MemoryStore, StoreError};

pub(super) fn start() -> DateTime<Utc> {
    "2026-11-24T03:00:00Z".parse().expect("a time")
}

pub(super) async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// How long the process may take to end.
pub(super) const DRAIN: Duration = Duration::from_secs(20);

/// A store whose appends wait while it hangs, and that refuses what a test says.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) inner: MemoryStore,
    hangs: watch::Sender<bool>,
    checkpoints_hang: watch::Sender<bool>,
    pub(super) refused: Mutex<Option<&'static str>>,
    /// So many appends go through before the disk is full.
    pub(super) left: Mutex<Option<usize>>,
    pub(super) appends: Mutex<Vec<usize>>,
    pub(super) checkpoints: Mutex<Vec<(u64, States)>>,
}

impl Gate {
    pub(super) fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    pub(super) fn hang_checkpoints(&self, hang: bool) {
        self.checkpoints_hang.send_replace(hang);
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.inner.events().iter().map(|stored| stored.event.name()).collect()
    }
}

#[async_trait]
impl IncidentStore for Gate {
    async fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        self.appends.lock().expect("locked").push(batch.events.len());
        drop(self.hangs.subscribe().wait_for(|hangs| !hangs).await);
        let refused = self
            .refused
            .lock()
            .expect("locked")
            .is_some_and(|part| serde_json::to_string(&batch.events).expect("JSON").contains(part));
        if refused {
            return Err(StoreError::Rejected { source: "UNIQUE constraint failed".into() });
        }
        if let Some(left) = self.left.lock().expect("locked").as_mut() {
            let Some(fewer) = left.checked_sub(1) else {
                return Err(StoreError::Unavailable { doing: "append", source: "the disk is full".into() });
            };
            *left = fewer;
        }
        self.inner.append(batch).await
    }

    async fn set_aside(&self, events: Vec<StoredAs>, why: String) -> Result<(), StoreError> {
        self.inner.set_aside(events, why).await
    }

    async fn caught_up(&self, until: DateTime<Utc>) -> Result<(), StoreError> {
        self.inner.caught_up(until).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        drop(self.hangs.subscribe().wait_for(|hangs| !hangs).await);
        self.inner.load().await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        self.inner.incident(id).await
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        self.inner.incidents(filter).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.blob(sha256).await
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.inner.alive(now).await
    }

    async fn checkpoint(&self, seq: u64, states: States) -> Result<(), StoreError> {
        self.checkpoints.lock().expect("locked").push((seq, states));
        drop(self.checkpoints_hang.subscribe().wait_for(|hang| !hang).await);
        Ok(())
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.inner.prune(before).await
    }
}

pub(super) struct Scene {
    pub(super) journal: Journal,
    pub(super) store: Arc<Gate>,
    pub(super) metrics: Metrics,
    pub(super) observed: Arc<Observed>,
    pub(super) clock: Arc<SteppedClock>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self::over(MemoryStore::default(), false).await
    }

    /// In a process that may take so long to end.
    pub(super) fn ending_within(drain: Duration) -> Self {
        Self::begin(MemoryStore::default(), false, drain, |parts| Journal::new(parts, Loaded::default()))
    }

    pub(super) async fn over(inner: MemoryStore, readable: bool) -> Self {
        let stored = inner.load().await.expect("loaded");
        Self::begin(inner, readable, DRAIN, |parts| Journal::new(parts, stored))
    }

    /// Over a store that nothing was read of.
    pub(super) fn unloaded(inner: MemoryStore) -> Self {
        Self::begin(inner, false, DRAIN, Journal::unloaded)
    }

    fn begin(
        inner: MemoryStore,
        readable: bool,
        drain: Duration,
        journal: impl FnOnce(JournalParts) -> (Journal, JournalTask),
    ) -> Self {
        let store = Arc::new(Gate {
            inner,
            hangs: watch::channel(false).0,
            checkpoints_hang: watch::channel(false).0,
            refused: Mutex::default(),
            left: Mutex::default(),
            appends: Mutex::default(),
            checkpoints: Mutex::default(),
        });
        let rollouts = Rollouts::new([rollout(Flag::new(readable.then_some(Share(25))))]);
        let (parts, clock) = journal_parts(store.clone(), rollouts, start());
        let (metrics, observed) = (parts.metrics.clone(), Arc::clone(&parts.observed));
        let (journal, task) = journal(parts);
        let stop = CancellationToken::new();
        let task = tokio::spawn(task.draining(stop.clone(), drain).run(stop.clone()));
        Self { journal, store, metrics, observed, clock, stop, task }
    }

    /// Submits an alert as a webhook does.
    pub(super) fn webhook(&self, alert: &str, severity: &str) -> JoinHandle<Result<Receipt, JournalError>> {
        let submission = Submission { inputs: vec![(name(), firing(alert, severity))], blobs: Vec::new() };
        let journal = self.journal.clone();
        tokio::spawn(async move { journal.submit(submission).await })
    }

    /// Appends an event of another process, as if this one's lock were worth nothing.
    pub(super) async fn somebody_else_writes(&self) {
        let expected_seq = self.store.inner.events().len() as u64;
        let batch = Batch { expected_seq, events: vec![waiting("Theirs")], blobs: Vec::new() };
        self.store.inner.append(batch).await.expect("appended");
    }

    /// The state that is published.
    pub(super) fn phase(&self) -> &'static str {
        let states = self.journal.states();
        states[&name()].open_incident().map_or("none", |incident| incident.phase.name())
    }

    /// The causes that are known of the published incident.
    pub(super) fn alerts(&self) -> Vec<String> {
        let states = self.journal.states();
        let incident = states[&name()].incident.clone().expect("an incident");
        incident.alerts.iter().map(|attached| attached.alert.name().to_owned()).collect()
    }

    pub(super) async fn stop(self) -> Arc<Gate> {
        self.stop.cancel();
        self.task.await.expect("it ends");
        self.store
    }
}

pub(super) fn firing(alert: &str, severity: &str) -> Input {
    let alert = fixtures::firing(alert, &[("alertname", alert), ("severity", severity)], start());
    Input::Alert { alert, body: None }
}

pub(super) fn person() -> Input {
    let request = Request::RollBack { reason: "it smells".to_owned(), stage: None };
    Input::Person { actor: "ada".to_owned(), request }
}

/// An alert that waits for a reading of the share.
pub(super) fn waiting(alert: &str) -> StoredAs {
    let alert = fixtures::firing(alert, &[], start());
    let alert = AttachedAlert { alert, received_at: start(), reason: Reason::NoCanary, body: None };
    StoredAs { at: start(), rollout: name(), incident: None, event: Event::TriageStarted { alert } }
}
