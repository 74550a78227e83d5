//! A Backstop whose world is the test's: over a store in memory, in stepped time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstop::clock::SteppedClock;
use backstop::decision::{Mode, OnUnverified, PlanPolicy, Policy, Watchdog};
use backstop::evidence::{EvidenceFolders, KnownFile, WrittenEarlier};
use backstop::execution::{Lane, Reach, StepLimits, Target};
use backstop::incident::{Revision, RolloutName, RolloutState, SeverityMap};
use backstop::metrics::Metrics;
use backstop::outbound::Outbound;
use backstop::pipeline::{
    Gates, Journal, JournalParts, Observed, Rollout, Rollouts, Rounds, Severities, ShareReader, Sources,
    Watcher, Worker,
};
use backstop::ramp::{NobodyAnswers, NothingOffered};
use backstop::randomness::Randomness;
use backstop::signals::AlertSource;
use backstop::store::{IncidentStore, MemoryStore};
use backstop::verification::{Application, TrafficShare, Verifier};
use chrono::TimeDelta;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::prepare;

/// The pause between two polls, and the longest that anything is waited for.
pub(crate) const EVERY: Duration = Duration::from_secs(20);

/// The only rollout.
pub(crate) fn name() -> RolloutName {
    RolloutName::new("spark")
}

/// No evidence was written by an earlier process.
#[derive(Debug)]
struct NothingYet;

#[async_trait]
impl WrittenEarlier for NothingYet {
    async fn files(&self) -> Result<Vec<KnownFile>, String> {
        Ok(Vec::new())
    }
}

/// The rollout `spark`, which acts on this target and has no ramp configured.
pub(crate) fn rollout(target: Arc<dyn Target>) -> Rollout {
    prepare();
    Rollout {
        name: name(),
        policy: Policy {
            mode: Mode::Armed,
            matching: BTreeMap::from([("rollout".to_owned(), "spark".to_owned())]),
            revision: Revision::new("v1.4.0"),
            grace: TimeDelta::minutes(5),
            hold: TimeDelta::minutes(30),
            on_unverified: OnUnverified::RollBack,
            plan: PlanPolicy::TrafficOnly,
            verify_window: TimeDelta::minutes(10),
            guard: TimeDelta::zero(),
            rollback_deadline: TimeDelta::minutes(12),
            reading_valid: TimeDelta::seconds(40),
            watchdog_timeout: TimeDelta::minutes(3),
            recipients: Vec::new(),
        },
        application: Application::new(Outbound::new(EVERY, None).expect("a client"), None),
        verifier: Verifier { probes: vec![Arc::new(TrafficShare)] },
        lane: Lane::new(target, Reach { call: EVERY, unanswered: EVERY }),
        offers: Arc::new(NothingOffered { why: "no ramp is configured".to_owned() }),
        judge: Arc::new(NobodyAnswers { why: "nobody can be asked".to_owned() }),
        tagger: None,
        judge_interval: EVERY,
        step_limits: StepLimits::default(),
        freeze: backstop::ramp::freeze::FreezeWindows::default(),
        verify_interval: Duration::from_secs(5),
    }
}

/// A Backstop in this process.
pub(crate) struct InMemory {
    pub(crate) worker: Worker,
    pub(crate) clock: Arc<SteppedClock>,
    tasks: JoinSet<()>,
    _folder: TempDir,
}

impl InMemory {
    /// Nothing of it runs yet but the journal.
    pub(crate) async fn new(
        rollout: Rollout,
        alertmanagers: Vec<Arc<dyn AlertSource>>,
        store: Arc<MemoryStore>,
        clock: Arc<SteppedClock>,
    ) -> Self {
        let rollouts = Rollouts::new([rollout]);
        let metrics = Metrics::new(&[name()], &["member".to_owned()]);
        let watchdog = Watchdog::named("Watchdog");
        let observed = Arc::new(Observed::new(clock.clone(), watchdog.clone()));
        let parts = JournalParts {
            store: store.clone(),
            rollouts: rollouts.clone(),
            observed: Arc::clone(&observed),
            clock: clock.clone(),
            randomness: Randomness::seeded(0),
            metrics: metrics.clone(),
        };
        let (journal, task) = Journal::new(parts, store.load().await.expect("memory"));
        let folder = tempfile::tempdir().expect("a folder");
        let worker = Worker {
            journal,
            share_reader: ShareReader::new(&rollouts, Arc::clone(&observed), clock.clone()),
            rollouts,
            observed,
            sources: Sources {
                alertmanagers,
                prometheus: None,
                watchdog,
                severities: Severities::new(SeverityMap::default(), metrics.clone()),
            },
            rounds: Rounds::default(),
            grafana: None,
            channels: Default::default(),
            evidence: Arc::new(EvidenceFolders::new(
                folder.path().join("evidence"),
                folder.path().join("fallback"),
                Arc::new(NothingYet),
            )),
            store,
            clock: clock.clone(),
            randomness: Randomness::seeded(0),
            metrics,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(task.run(CancellationToken::new()));
        Self { worker, clock, tasks, _folder: folder }
    }

    /// Begins to look at the world.
    pub(crate) fn watch(&mut self) {
        let watcher = Watcher {
            worker: self.worker.clone(),
            every: EVERY,
            wake: Arc::default(),
            retention: TimeDelta::days(1),
        };
        self.tasks.spawn(watcher.run(CancellationToken::new()));
    }

    /// Begins to do what is decided, and to ask what ramps are judged by.
    pub(crate) fn work(&mut self) {
        self.tasks.spawn(self.worker.clone().run(CancellationToken::new(), EVERY));
        self.tasks.spawn(Gates { worker: self.worker.clone() }.run(CancellationToken::new()));
    }

    /// The state that is published.
    pub(crate) fn state(&self) -> Arc<RolloutState> {
        Arc::clone(&self.worker.journal.states()[&name()])
    }
}
