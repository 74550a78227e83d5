//! The truth of one schedule, and the log of what was seen of it. Whatever Backstop can only read or
//! ask for is simulated here and in the files beside it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use backstop::evidence::{EvidenceBlobs, EvidenceError, EvidenceWriter, Recorded};
use backstop::incident::{EvidenceFile, Incident, IncidentId, RampId, RolloutState, StoredAs};
use backstop::pipeline::States;
use backstop::ramp::KeptFile;
use backstop::store::{Batch, IncidentFilter, IncidentStore, Loaded, MemoryStore, SqliteStore, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::ledger::Ledger;
use crate::monitoring::Monitoring;
use crate::people::People;
use crate::plan::Plan;
use crate::process::SITES;
use crate::ramp_ledger::Ramps;
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
    pub(crate) traffic: [Traffic; 2],
    /// That of the first rollout, where it is in one.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) monitoring: Monitoring,
    pub(crate) store_health: Health,
    pub(crate) evidence_health: Health,
    /// Evidence that was written: the incident, and whether it was the last.
    pub(crate) evidence: Vec<(IncidentId, bool)>,
    pub(crate) ledger: Ledger,
    pub(crate) ramps: Ramps,
    pub(crate) people: [People; 2],
    crash_in: Option<u32>,
    pub(crate) crashed: bool,
}

/// The world. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    inner: Arc<Mutex<Inner>>,
    store: Kept,
    pub(crate) crash: Arc<Notify>,
    base: DateTime<Utc>,
    started: Instant,
}

/// What outlives a process: in memory or, for some schedules, by the real SQLite on a real disk.
#[derive(Debug, Clone)]
struct Kept {
    store: Arc<dyn IncidentStore>,
    folder: Option<Arc<tempfile::TempDir>>,
}

impl Kept {
    fn new(on_disk: bool) -> Self {
        if !on_disk {
            return Self { store: Arc::new(MemoryStore::default()), folder: None };
        }
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("backstop.db")).expect("a database");
        Self { store: Arc::new(store), folder: Some(Arc::new(folder)) }
    }

    /// Waits for the store. The real one works on threads of its own, which the stepped clock must
    /// wait for: only what tokio itself runs holds it.
    async fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        if self.folder.is_none() {
            return work.await;
        }
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(work)).await.expect("a store that works")
    }

    /// Appends and notes it in one go: a process that is killed between the two has appended all the same.
    async fn append(&self, batch: Batch, note: impl FnOnce() + Send + 'static) -> Result<u64, StoreError> {
        let store = Arc::clone(&self.store);
        self.wait(async move { store.append(batch).await.inspect(|_| note()) }).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        let store = Arc::clone(&self.store);
        self.wait(async move { store.load().await }).await
    }
}

impl World {
    pub(crate) fn new(base: DateTime<Utc>, plan: &Plan) -> Self {
        Self {
            inner: Arc::default(),
            store: Kept::new(plan.on_disk),
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

    /// Events became durable.
    fn note(&self, events: &[StoredAs]) {
        let now = self.now();
        for stored in events {
            self.say(format!("stored {}", crate::ledger::brief(stored)));
            let mut inner = self.lock();
            let Inner { traffic, monitoring, ledger, people, .. } = &mut *inner;
            People::stored(people, stored);
            let site = SITES.iter().position(|site| *site == stored.rollout.as_str()).unwrap_or_default();
            let promise = ledger.stored(stored, now, &traffic[site], monitoring);
            let promise = promise.and(inner.decided_in_cluster(stored)).and(inner.ramps.stored(stored));
            self.keep(inner, promise);
        }
    }

    /// The state as the disk has it.
    pub(crate) async fn stored_states(
        &self,
    ) -> std::collections::BTreeMap<backstop::incident::RolloutName, RolloutState> {
        self.store.load().await.expect("memory").rollouts
    }
}

/// An append that hangs goes on doing so when others no longer would, until it ends or its process does.
struct Hanging(World);

impl Hanging {
    fn begin(world: &World) -> Self {
        world.lock().ledger.hanging_appends += 1;
        Self(world.clone())
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        let now = self.0.now();
        let mut inner = self.0.lock();
        inner.ledger.hanging_appends -= 1;
        inner.ledger.store_trouble_at = Some(now);
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
            Health::Hangs(span) => {
                let _hanging = Hanging::begin(self);
                tokio::time::sleep(span).await;
            }
        }
        let (world, events) = (self.clone(), batch.events.clone());
        let appended = self.store.append(batch, move || world.note(&events)).await?;
        self.step().await;
        Ok(appended)
    }

    async fn set_aside(&self, events: Vec<StoredAs>, why: String) -> Result<(), StoreError> {
        let store = Arc::clone(&self.store.store);
        self.store.wait(async move { store.set_aside(events, why).await }).await
    }

    async fn caught_up(&self, until: DateTime<Utc>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.store.store);
        self.store.wait(async move { store.caught_up(until).await }).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        let loaded = self.store.load().await?;
        Ok(self.lock().ramps.read_back(loaded))
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        let (store, id) = (Arc::clone(&self.store.store), id.clone());
        self.store.wait(async move { store.incident(&id).await }).await
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        let (store, filter) = (Arc::clone(&self.store.store), filter.clone());
        self.store.wait(async move { store.incidents(&filter).await }).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.step().await;
        let (store, sha256) = (Arc::clone(&self.store.store), sha256.to_owned());
        self.store.wait(async move { store.blob(&sha256).await }).await
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.store.store);
        self.store.wait(async move { store.alive(now).await }).await
    }

    async fn checkpoint(&self, seq: u64, states: States) -> Result<(), StoreError> {
        let store = Arc::clone(&self.store.store);
        self.store.wait(async move { store.checkpoint(seq, states).await }).await
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let store = Arc::clone(&self.store.store);
        self.store.wait(async move { store.prune(before).await }).await
    }
}

impl World {
    /// The folder of evidence, as it is now.
    async fn evidence_answers(&self) -> Result<(), EvidenceError> {
        self.step().await;
        let health = self.lock().evidence_health;
        match health {
            Health::Good => {}
            Health::Down => return Err(EvidenceError::Busy { path: "evidence".into() }),
            Health::Hangs(span) => tokio::time::sleep(span).await,
        }
        Ok(())
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
    ) -> Result<Recorded, EvidenceError> {
        self.evidence_answers().await?;
        let name = format!("{}-{complete}", incident.id);
        {
            let inner = self.lock();
            let promise = inner.ledger.four_lines(&incident, complete);
            self.keep(inner, promise);
        }
        self.lock().evidence.push((incident.id.clone(), complete));
        self.step().await;
        Ok(vec![EvidenceFile::new(name, String::new())].into())
    }

    async fn record_ramp(
        &self,
        ramp: RampId,
        files: Arc<[KeptFile]>,
        _: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError> {
        self.evidence_answers().await?;
        let name = |file: &KeptFile| EvidenceFile::new(format!("{ramp}/{}", file.name), String::new());
        Ok(files.iter().map(name).collect::<Vec<_>>().into())
    }
}
