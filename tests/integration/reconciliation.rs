//! What follows from the lists of an Alertmanager cluster, in stepped time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstop::clock::{Clock, SteppedClock};
use backstop::decision::{AlertmanagerReading, Input, ListedAlert, Watchdog};
use backstop::execution::{ActError, ReadError, Target};
use backstop::incident::{
    Alert, AlertStatus, Answer, Fingerprint, Labels, Observation, RolloutName, Share, Step,
};
use backstop::pipeline::Worker;
use backstop::signals::{AlertSource, Listing, SignalError};
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::in_memory::{InMemory, rollout};

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

/// A Backstop that watches these members.
struct Watching {
    worker: Worker,
    clock: Arc<SteppedClock>,
    members: Vec<Arc<Fake>>,
    _parts: InMemory,
}

impl Watching {
    async fn new(members: &[Member]) -> Self {
        let clock = Arc::new(SteppedClock::starting_at("2026-11-24T03:00:00Z".parse().expect("a time")));
        let members: Vec<_> = members.iter().map(|one| Arc::new(Fake(Mutex::new(one.clone())))).collect();
        let alertmanagers = members.iter().map(|member| Arc::clone(member) as Arc<dyn AlertSource>).collect();
        let mut parts =
            InMemory::new(rollout(Arc::new(Off)), alertmanagers, Arc::default(), clock.clone()).await;
        parts.watch();
        Self { worker: parts.worker.clone(), clock, members, _parts: parts }
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
