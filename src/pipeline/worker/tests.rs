//! In which order a rollback's commands are carried out.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::decision::{Input, Watchdog};
use crate::evidence::{EvidenceBlobs, EvidenceError, Recorded};
use crate::execution::{ActError, Lane, Reach, ReadError, Target};
use crate::incident::fixtures::firing;
use crate::incident::{Answer, Incident, Observation, RampId, SeverityMap, Share, Step};
use crate::pipeline::fixtures::{Flag, journal_parts, name, rollout};
use crate::pipeline::{Rollout, Severities};
use crate::ramp::KeptFile;
use crate::store::{IncidentStore, MemoryStore};

/// A target that takes its time to say how the traffic is.
#[derive(Debug)]
struct Slow {
    reads_for: Duration,
    share: Mutex<Share>,
    store: Arc<MemoryStore>,
    /// What had become of the incident as the traffic was taken off.
    stored_before: watch::Sender<Vec<&'static str>>,
}

#[async_trait]
impl Target for Slow {
    fn describe(&self, _: Step) -> String {
        "POST".to_owned()
    }

    async fn apply(&self, _: Step) -> Result<Answer, ActError> {
        *self.share.lock().expect("whole") = Share::ZERO;
        self.stored_before
            .send_replace(self.store.events().iter().map(|stored| stored.event.name()).collect());
        Ok(Answer { status: Some(200), text: String::new() })
    }

    fn can_observe(&self) -> bool {
        true
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        tokio::time::sleep(self.reads_for).await;
        Ok(Observation::of_share(*self.share.lock().expect("whole")))
    }
}

#[derive(Debug)]
struct Nowhere;

#[async_trait]
impl EvidenceWriter for Nowhere {
    async fn record(
        &self,
        _: Arc<Incident>,
        _: EvidenceBlobs,
        _: bool,
        _: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError> {
        Err(EvidenceError::Busy { path: "evidence".into() })
    }

    async fn record_ramp(
        &self,
        _: RampId,
        _: Arc<[KeptFile]>,
        _: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError> {
        Err(EvidenceError::Busy { path: "evidence".into() })
    }
}

/// Whether the metrics of before a rollback were stored before the traffic is taken off, by a target that is
/// read for so long.
async fn records_before_it_acts(reads_for: Duration) -> bool {
    let store = Arc::new(MemoryStore::default());
    let (stored_before, mut acted) = watch::channel(Vec::new());
    let target = Slow { reads_for, share: Mutex::new(Share(25)), store: Arc::clone(&store), stored_before };
    let second = Duration::from_secs(1);
    let lane = Lane::new(Arc::new(target), Reach { call: second, unanswered: second });
    let rollouts = Rollouts::new([Rollout { lane, ..rollout(Flag::new(None)) }]);
    let at = "2026-11-24T03:00:00Z".parse().expect("a time");
    let (parts, clock) = journal_parts(store.clone(), rollouts.clone(), at);
    let (metrics, observed) = (parts.metrics.clone(), Arc::clone(&parts.observed));
    let randomness = parts.randomness.clone();
    observed.share(&name(), observed.moment(), Some(Share(25)));
    let (journal, task) = Journal::new(parts, store.load().await.expect("memory"));
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::from_iter([task.run(stop.clone())]);
    let worker = Worker {
        journal: journal.clone(),
        share_reader: ShareReader::new(&rollouts, Arc::clone(&observed), clock.clone()),
        rollouts,
        observed,
        sources: Sources {
            alertmanagers: Vec::new(),
            prometheus: None,
            watchdog: Watchdog::named("Watchdog"),
            severities: Severities::new(SeverityMap::default(), metrics.clone()),
        },
        rounds: Rounds::default(),
        evidence: Arc::new(Nowhere),
        grafana: None,
        channels: Arc::default(),
        store,
        clock: clock.clone(),
        randomness,
        metrics,
    };
    tasks.spawn(worker.run(stop.clone(), second));
    // A reading of a moment ago is relied upon, and not read again.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let alert = firing("a", &[("alertname", "CanaryErrorRate"), ("severity", "critical")], clock.now());
    journal.submit_one(&name(), Input::Alert { alert, body: None }).await.expect("decided");
    let seen = acted.wait_for(|stored| !stored.is_empty());
    let seen = tokio::time::timeout(second, seen).await.expect("it acts").expect("alive").clone();
    stop.cancel();
    assert!(seen.contains(&"rollback_started"), "{seen:?}");
    seen.contains(&"snapshot_taken")
}

#[tokio::test(start_paused = true)]
async fn what_is_only_recorded_leaves_a_step_the_time_to_read_and_to_send_its_request() {
    assert!(!records_before_it_acts(Duration::from_millis(15)).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_only_recorded_does_not_wait_for_a_target_that_is_slow() {
    assert!(records_before_it_acts(Duration::from_millis(60)).await);
}
