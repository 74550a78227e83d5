//! What follows from the lists of an Alertmanager cluster, in stepped time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstop::clock::{Clock, SteppedClock};
use backstop::decision::{
    AlertmanagerReading, Input, ListedAlert, Mode, OnUnverified, PlanPolicy, Policy, Watchdog,
};
use backstop::evidence::{EvidenceFolders, KnownFile, WrittenEarlier};
use backstop::execution::{ActError, Lane, Reach, ReadError, StepLimits, Target};
use backstop::incident::{
    Alert, AlertStatus, Answer, Fingerprint, Labels, Observation, Revision, RolloutName, SeverityMap, Share,
    Step,
};
use backstop::metrics::Metrics;
use backstop::outbound::Outbound;
use backstop::pipeline::{
    Journal, JournalParts, Observed, Rollout, Rollouts, Rounds, Severities, ShareReader, Sources, Watcher,
    Worker,
};
use backstop::ramp::{NobodyAnswers, NothingOffered};
use backstop::randomness::Randomness;
use backstop::signals::{AlertSource, Listing, SignalError};
use backstop::store::{IncidentStore, MemoryStore};
use backstop::verification::{Application, TrafficShare, Verifier};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::prepare;

/// No evidence was written by an earlier process.
#[derive(Debug)]
struct NothingYet;

#[async_trait]
impl WrittenEarlier for NothingYet {
    async fn files(&self) -> Result<Vec<KnownFile>, String> {
        Ok(Vec::new())
    }
}

const EVERY: Duration = Duration::from_secs(20);

/// One member, and what it says of itself.
#[derive(Debug, Clone)]
struct Member {
    lists: Vec<&'static str>,
    up_for: TimeDelta,
    watchdog: Option<&'static str>,
    answers_after: Option<Duration>,
}

impl Member {
    fn trusted() -> Self {
        Self {
            lists: Vec::new(),
            up_for: TimeDelta::hours(1),
            watchdog: Some("eu"),
            answers_after: Some(Duration::ZERO),
        }
    }
}

#[derive(Debug)]
struct Fake(Mutex<Member>);

#[async_trait]
impl AlertSource for Fake {
    fn address(&self) -> String {
        "member".to_owned()
    }

    async fn list(
        &self,
        _: &BTreeMap<String, String>,
        watchdog: &Watchdog,
        _: DateTime<Utc>,
    ) -> Result<Listing, SignalError> {
        let member = self.0.lock().expect("no panic").clone();
        let Some(after) = member.answers_after else {
            tokio::time::sleep(Duration::from_secs(5)).await;
            return Err(SignalError::NoAnswer("timed out".to_owned()));
        };
        tokio::time::sleep(after).await;
        let watchdogs = member.watchdog.map(|cluster| {
            let pairs = [("alertname", watchdog.alertname.as_str()), ("cluster", cluster)];
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        });
        let listed = member
            .lists
            .iter()
            .map(|name| ListedAlert { fingerprint: Fingerprint::new(*name), silenced: true });
        let reading = AlertmanagerReading {
            up_for: member.up_for,
            watchdogs: watchdogs.into_iter().collect(),
            listed: listed.collect(),
        };
        Ok(Listing { alerts: Vec::new(), reading, clock: None })
    }
}

/// A canary without traffic.
#[derive(Debug)]
struct Off;

#[async_trait]
impl Target for Off {
    fn describe(&self, _: Step) -> String {
        String::new()
    }
    async fn apply(&self, _: Step) -> Result<Answer, ActError> {
        Ok(Answer { status: Some(200), text: String::new() })
    }
    fn can_observe(&self) -> bool {
        true
    }
    async fn observe(&self) -> Result<Observation, ReadError> {
        Ok(Observation::of_share(Share::ZERO))
    }
}

fn rollout() -> Rollout {
    let lane = Lane::new(Arc::new(Off), Reach { call: EVERY, unanswered: EVERY });
    Rollout {
        name: RolloutName::new("spark"),
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
        lane,
        offers: Arc::new(NothingOffered { why: "no ramp is configured".to_owned() }),
        judge: Arc::new(NobodyAnswers { why: "nobody can be asked".to_owned() }),
        judge_interval: EVERY,
        step_limits: StepLimits::default(),
        freeze: backstop::ramp::freeze::FreezeWindows::default(),
        verify_interval: Duration::from_secs(5),
    }
}

/// A Backstop that watches these members.
struct Watching {
    worker: Worker,
    clock: Arc<SteppedClock>,
    members: Vec<Arc<Fake>>,
    _tasks: JoinSet<()>,
}

impl Watching {
    async fn new(members: &[Member]) -> Self {
        prepare();
        let clock = Arc::new(SteppedClock::starting_at("2026-11-24T03:00:00Z".parse().expect("a time")));
        let store = Arc::new(MemoryStore::default());
        let rollouts = Rollouts::new([rollout()]);
        let metrics = Metrics::new(&[RolloutName::new("spark")], &["member".to_owned()]);
        let watchdog = Watchdog::named("Watchdog");
        let observed = Arc::new(Observed::new(clock.clone(), watchdog.clone()));
        let members: Vec<_> = members.iter().map(|one| Arc::new(Fake(Mutex::new(one.clone())))).collect();
        let alertmanagers = members.iter().map(|member| Arc::clone(member) as Arc<dyn AlertSource>).collect();
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
        let watcher = Watcher {
            worker: worker.clone(),
            every: EVERY,
            wake: Arc::default(),
            retention: TimeDelta::days(1),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(task.run(CancellationToken::new()));
        tasks.spawn(watcher.run(CancellationToken::new()));
        Self { worker, clock, members, _tasks: tasks }
    }

    fn alert(&self, name: &str) -> Alert {
        let labels = [("alertname", name), ("severity", "critical"), ("rollout", "spark"), ("cluster", "eu")];
        Alert {
            fingerprint: Fingerprint::new(name),
            status: AlertStatus::Firing,
            labels: labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            annotations: Labels::default(),
            starts_at: self.clock.now() - TimeDelta::days(30),
            ends_at: None,
            generator_url: String::new(),
            mapped_severity: None,
        }
    }

    async fn fires(&self, name: &str) {
        let input = Input::Alert { alert: self.alert(name), body: None };
        self.worker.journal.submit_one(&RolloutName::new("spark"), input).await.expect("stored");
    }

    /// What is known of an alert.
    fn status(&self, name: &str) -> Option<AlertStatus> {
        let states = self.worker.journal.states();
        let state = states.get(&RolloutName::new("spark"))?;
        state.alerts.get(&Fingerprint::new(name)).map(|known| known.alert.status)
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_whose_resolve_was_lost_is_resolved_once_every_member_misses_it_for_two_minutes() {
    let listing = Member { lists: vec!["Listed"], ..Member::trusted() };
    let watching = Watching::new(&[Member::trusted(), listing]).await;
    watching.fires("Lost").await;
    watching.fires("Listed").await;
    tokio::time::sleep(Duration::from_secs(110)).await;
    assert_eq!(watching.status("Lost"), Some(AlertStatus::Firing), "it may be on its way");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(watching.status("Lost"), Some(AlertStatus::Resolved));
    assert_eq!(
        watching.status("Listed"),
        Some(AlertStatus::Firing),
        "one member lists it, silenced as it is"
    );
}

#[tokio::test(start_paused = true)]
async fn without_trust_nothing_is_resolved_however_long_it_is_missing() {
    let trusted = Member::trusted();
    for (case, members) in [
        ("one is down", vec![trusted.clone(), Member { answers_after: None, ..trusted.clone() }]),
        ("one is young", vec![trusted.clone(), Member { up_for: TimeDelta::minutes(1), ..trusted.clone() }]),
        ("no Watchdog", vec![Member { watchdog: None, ..trusted.clone() }]),
        ("another cluster's Watchdog", vec![Member { watchdog: Some("us"), ..trusted.clone() }]),
    ] {
        let watching = Watching::new(&members).await;
        watching.fires("Lost").await;
        tokio::time::sleep(Duration::from_secs(900)).await;
        assert_eq!(watching.status("Lost"), Some(AlertStatus::Firing), "{case}");
        // The control: with trust it is.
        for member in &watching.members {
            *member.0.lock().expect("no panic") = trusted.clone();
        }
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert_eq!(watching.status("Lost"), Some(AlertStatus::Resolved), "{case}, then trusted");
    }
}

#[tokio::test(start_paused = true)]
async fn members_that_hang_are_waited_for_together() {
    let hangs = Member { answers_after: None, ..Member::trusted() };
    let watching = Watching::new(&[hangs.clone(), hangs.clone(), hangs.clone(), hangs]).await;
    let began = tokio::time::Instant::now();
    let alert = watching.alert("Slow");
    let sources = &watching.worker.sources;
    let (answer, answers) = sources.confirm(&BTreeMap::new(), &[alert], watching.clock.as_ref()).await;
    assert_eq!((answer, answers.len()), (backstop::decision::Confirmation::NoAnswer, 4));
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(20), "three tries of five seconds and two pauses, not {waited:?}");
}
