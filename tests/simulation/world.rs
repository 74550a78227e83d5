//! The truth of one schedule, and the log of what was seen of it. Whatever Backstop can only read or
//! ask for is simulated here and in the files beside it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use backstop::evidence::{EvidenceBlobs, EvidenceError, EvidenceWriter};
use backstop::incident::{EvidenceFile, Incident, IncidentId, RolloutState, StoredAs};
use backstop::pipeline::States;
use backstop::store::{Batch, IncidentFilter, IncidentStore, Loaded, MemoryStore, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::ledger::Ledger;
use crate::monitoring::Monitoring;
use crate::traffic::Traffic;

/// How a system behind a trait behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Health {
    #[default]
    Good,
    Down,
    /// Works, but takes this long.
    Hangs(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) traffic: Traffic,
    pub(crate) monitoring: Monitoring,
    pub(crate) store_health: Health,
    pub(crate) evidence_health: Health,
    /// Evidence that was written: the incident, and whether it was the last.
    pub(crate) evidence: Vec<(IncidentId, bool)>,
    pub(crate) ledger: Ledger,
    crash_in: Option<u32>,
    pub(crate) crashed: bool,
}

/// The world. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    inner: Arc<Mutex<Inner>>,
    pub(crate) store: MemoryStore,
    pub(crate) crash: Arc<Notify>,
    base: DateTime<Utc>,
    started: Instant,
}

impl World {
    pub(crate) fn new(base: DateTime<Utc>) -> Self {
        Self {
            inner: Arc::default(),
            store: MemoryStore::default(),
            crash: Arc::default(),
            base,
            started: Instant::now(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of all the others, which is never set.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.base + TimeDelta::from_std(self.started.elapsed()).expect("a short time")
    }

    pub(crate) fn crash_in(&self, steps: u32) {
        self.lock().crash_in.get_or_insert(steps);
    }

    /// A new process has no crash ahead of it.
    pub(crate) fn reborn(&self) {
        let mut inner = self.lock();
        (inner.crash_in, inner.crashed) = (None, false);
    }

    /// A step of the process: it may be the last one. Nothing happens after a crash.
    pub(crate) async fn step(&self) {
        let dead = {
            let mut inner = self.lock();
            match inner.crash_in {
                Some(0) => {
                    inner.crashed = true;
                    self.crash.notify_one();
                }
                Some(left) => inner.crash_in = Some(left - 1),
                None => {}
            }
            inner.crashed
        };
        if dead {
            std::future::pending::<()>().await;
        }
    }

    /// A broken promise ends the schedule: nothing happens any more.
    pub(crate) fn keep(&self, mut inner: MutexGuard<'_, Inner>, promise: crate::promises::Promise) {
        if !inner.ledger.keep(promise) {
            inner.crashed = true;
            self.crash.notify_one();
        }
    }

    pub(crate) fn say(&self, text: String) {
        let at = self.started.elapsed();
        self.lock().ledger.say(at, text);
    }

    /// The state as the disk has it.
    pub(crate) async fn stored_states(
        &self,
    ) -> std::collections::BTreeMap<backstop::incident::RolloutName, RolloutState> {
        self.store.load().await.expect("memory").rollouts
    }
}

#[async_trait]
impl IncidentStore for World {
    async fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        self.step().await;
        let health = self.lock().store_health;
        match health {
            Health::Good => {}
            Health::Down => {
                let source = "the disk is full".into();
                return Err(StoreError::Unavailable { doing: "append", source });
            }
            Health::Hangs(span) => tokio::time::sleep(span).await,
        }
        let events: Vec<StoredAs> = batch.events.clone();
        let appended = self.store.append(batch).await?;
        let now = self.now();
        for stored in &events {
            self.say(format!("stored {}", crate::ledger::brief(stored)));
            let mut inner = self.lock();
            let Inner { traffic, monitoring, ledger, .. } = &mut *inner;
            let promise = ledger.stored(stored, now, traffic, monitoring);
            self.keep(inner, promise);
        }
        self.step().await;
        Ok(appended)
    }

    async fn set_aside(&self, events: Vec<StoredAs>, why: String) -> Result<(), StoreError> {
        self.store.set_aside(events, why).await
    }

    async fn caught_up(&self, until: DateTime<Utc>) -> Result<(), StoreError> {
        self.store.caught_up(until).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        self.store.load().await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        self.store.incident(id).await
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        self.store.incidents(filter).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.step().await;
        self.store.blob(sha256).await
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.store.alive(now).await
    }

    async fn checkpoint(&self, seq: u64, states: States) -> Result<(), StoreError> {
        self.store.checkpoint(seq, states).await
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.store.prune(before).await
    }
}

#[async_trait]
impl EvidenceWriter for World {
    async fn record(
        &self,
        incident: Arc<Incident>,
        _: EvidenceBlobs,
        complete: bool,
        _: DateTime<Utc>,
    ) -> Result<Vec<EvidenceFile>, EvidenceError> {
        self.step().await;
        let health = self.lock().evidence_health;
        match health {
            Health::Good => {}
            Health::Down => return Err(EvidenceError::Busy { path: "evidence".into() }),
            Health::Hangs(span) => tokio::time::sleep(span).await,
        }
        let name = format!("{}-{complete}", incident.id);
        self.lock().evidence.push((incident.id.clone(), complete));
        self.step().await;
        Ok(vec![EvidenceFile { name, sha256: String::new() }])
    }
}
