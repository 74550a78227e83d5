//! SIGKILL on either side of every commit of a rollback and of a grace: the end is the same.

use std::sync::Arc;
use std::time::Duration;

use backstop::clock::{Clock, SystemClock};
use backstop::demo::trading_api::TradingApi;
use backstop::evidence::EvidenceDir;
use backstop::web::IncidentView;
use chrono::TimeDelta;
use tokio::process::Child;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::crashing::{Moment, serve, spawn};
use crate::support::{PATIENCE, Site, body, now};

/// What complete evidence says of itself.
const COMPLETE: &str = "This File: complete";

/// More commits than any story has; reaching it means that the child never survives.
const TOO_MANY: u64 = 60;

/// Stories that are played at the same time.
const AT_ONCE: usize = 4;

/// Run by the tests below in a process of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is the child of the tests in this file"]
async fn backstop_that_kills_itself() {
    serve().await.expect("run by a test");
}

/// What is sent to Backstop, and how it has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// A critical: rolled back.
    Critical,
    /// A warning that goes on: rolled back at the end of its grace.
    Warning,
    /// A warning that resolves: cancelled.
    Recovers,
}

/// One play of a story: Backstop with a mishap, and a sender that sends until it gets a 200, as
/// Alertmanager does, and never again after that.
struct Telling {
    site: Site,
    api: TradingApi,
    unsent: Vec<String>,
    first_unsent: bool,
    child: Child,
    moment: Moment,
    deaths: u64,
}

impl Telling {
    async fn of(story: Story, moment: Moment, kill_at: u64) -> Self {
        let api = TradingApi::start(25, 10).await.expect("started");
        let grace = if story == Story::Recovers { "1h" } else { "2500ms" };
        let site = Site::simple(grace, &api);
        let starts_at = (SystemClock.now() - TimeDelta::seconds(1)).to_rfc3339();
        let severity = if story == Story::Critical { "critical" } else { "warning" };
        let mut unsent = vec![body("CanaryErrorRate", severity, &starts_at, None)];
        if story == Story::Recovers {
            unsent.push(body("CanaryErrorRate", severity, &starts_at, Some(&now())));
        }
        let child = spawn(&site.config, kill_at, moment);
        Self { site, api, unsent, first_unsent: true, child, moment, deaths: 0 }
    }

    /// Restarts it whenever it has died, to die at its `again`-th commit the next time.
    async fn tell(&mut self, again: u64, ended: impl Fn(&IncidentView) -> bool) -> IncidentView {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(
                Instant::now() < deadline,
                "no end after {} deaths, {} unsent: {:#?}",
                self.deaths,
                self.unsent.len(),
                self.site.incidents_if_up().await
            );
            if self.child.try_wait().expect("asked").is_some() {
                self.deaths += 1;
                assert!(self.deaths < TOO_MANY, "it dies for ever");
                self.child = spawn(&self.site.config, again, self.moment);
            }
            let incidents = self.site.incidents_if_up().await.unwrap_or_default();
            // It resolves in its grace: before, there would be nothing to cancel.
            if self.first_unsent || !incidents.is_empty() {
                self.send().await;
            }
            if let Some(incident) = incidents.iter().find(|incident| ended(incident)) {
                // It may have died between the commit and the answer: then what it acted on is sent
                // again until it is accepted.
                if self.unsent.is_empty() {
                    return incident.clone();
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    async fn send(&mut self) {
        let Some(body) = self.unsent.first() else { return };
        let client = reqwest::Client::new();
        let request = client.post(self.site.url("/api/v1/alertmanager")).bearer_auth("hook-token");
        let sent = request.body(body.clone()).timeout(Duration::from_secs(5)).send().await;
        if sent.is_ok_and(|reply| reply.status() == 200) {
            self.unsent.remove(0);
            self.first_unsent = false;
        }
    }
}

fn story_ended(story: Story, evidence: &EvidenceDir, incident: &IncidentView) -> bool {
    match story {
        Story::Recovers => incident.state == "cancelled",
        // The last commit of all is that the evidence is complete, with the files as they are.
        Story::Critical | Story::Warning => {
            let complete = || evidence.show(&incident.id, false).is_ok_and(|text| text.contains(COMPLETE));
            incident.state == "rolled_back" && complete() && {
                let files = evidence.files_of(&incident.id).unwrap_or_default();
                files.iter().all(|file| incident.evidence.contains(file))
            }
        }
    }
}

/// Plays one story with a death at the `kill_at`-th commit, and at each `again`-th after that.
/// Returns how often it died.
async fn tell(story: Story, moment: Moment, kill_at: u64, again: u64) -> u64 {
    let mut telling = Telling::of(story, moment, kill_at).await;
    let evidence = EvidenceDir::new(telling.site.evidence());
    let done = telling.tell(again, |incident| story_ended(story, &evidence, incident)).await;
    telling.child.kill().await.expect("killed");
    let context = format!("{story:?}, {moment:?} commit {kill_at}, then {again}: {done:#?}");
    let reason = match story {
        Story::Critical => "critical_alert",
        Story::Warning => "nobody_to_ask",
        Story::Recovers => "resolved_unconfirmed",
    };
    assert_eq!(done.reason, reason, "{context}");
    let store = backstop::store::SqliteStore::open(&telling.site.parsed().store.path).expect("opened");
    let all = backstop::store::IncidentFilter { limit: 10, ..Default::default() };
    let kept = backstop::store::IncidentStore::incidents(&store, &all).await.expect("read");
    assert_eq!(kept.len(), 1, "one incident; {context}");
    assert_eq!(kept[0].alerts.len(), 1, "with one alert; {context}");
    if story == Story::Recovers {
        assert!(telling.api.sets().is_empty() && evidence.list().expect("listed").is_empty(), "{context}");
        return telling.deaths;
    }
    assert_eq!(telling.api.changes(), [(25, 0)], "one effective rollback; {context}");
    assert!(telling.api.sets().iter().all(|share| *share == 0), "{context}");
    assert_eq!(evidence.list().expect("listed").len(), 1, "{context}");
    let report = evidence.verify(&[]).expect("verified");
    assert!(report.is_clean(), "{:?}; {context}", report.findings);
    telling.deaths
}

/// Deaths at every single commit of the story, each in a play of its own, and one play that is
/// killed at every first commit of each process.
async fn at_every_commit(story: Story, moment: Moment) {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut tellings = JoinSet::new();
    let mut commits = 0;
    let mut survived = false;
    let mut next = 1;
    while !survived {
        let permit = Arc::clone(&permits).acquire_owned().await.expect("open");
        while let Some(told) = tellings.try_join_next() {
            let (kill_at, deaths): (u64, u64) = told.expect("told");
            survived |= deaths == 0;
            commits = commits.max(if deaths == 0 { 0 } else { kill_at });
        }
        assert!(next < TOO_MANY, "{story:?} has no end");
        let kill_at = next;
        tellings.spawn(async move {
            let deaths = tell(story, moment, kill_at, u64::MAX).await;
            drop(permit);
            (kill_at, deaths)
        });
        next += 1;
    }
    for (kill_at, deaths) in tellings.join_all().await {
        commits = commits.max(if deaths == 0 { 0 } else { kill_at });
    }
    let least = if story == Story::Recovers { 2 } else { 4 };
    assert!(commits >= least, "{story:?} has at least {least} commits, {commits} were met");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_ends_the_same_wherever_the_process_is_killed() {
    tokio::join!(
        at_every_commit(Story::Critical, Moment::After),
        at_every_commit(Story::Critical, Moment::Before)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_that_goes_on_ends_the_same_wherever_the_process_is_killed() {
    tokio::join!(
        at_every_commit(Story::Warning, Moment::After),
        at_every_commit(Story::Warning, Moment::Before)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_that_is_cancelled_ends_the_same_wherever_the_process_is_killed() {
    tokio::join!(
        at_every_commit(Story::Recovers, Moment::After),
        at_every_commit(Story::Recovers, Moment::Before)
    );
}

/// A machine that loses its power again and again: each process gets one commit further.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_live_for_one_commit_each_get_to_the_same_end() {
    let (critical, warning, recovers) = tokio::join!(
        tell(Story::Critical, Moment::After, 1, 1),
        tell(Story::Warning, Moment::After, 1, 1),
        tell(Story::Recovers, Moment::After, 1, 1),
    );
    assert!(critical >= 4 && warning >= 5 && recovers >= 2, "{critical} {warning} {recovers}");
}
