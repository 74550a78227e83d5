//! A database with many closed incidents: start, webhook, listing, retention.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backstop::clock::{Clock, SystemClock};
use backstop::incident::{
    Alert, AlertStatus, AttachedAlert, Event, GraceCause, IncidentId, OpenedIncident, Reason, Revision,
    RolloutName, Severity, StoredAs, Trigger,
};
use backstop::pipeline::blob_ref;
use backstop::store::{Batch, IncidentStore, SqliteStore};
use chrono::{DateTime, TimeDelta, Utc};

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::report::{Report, Times, shown};
use crate::site::{Served, Site, WEBHOOK, single};

/// Incidents that are stored in one commit while the database is filled.
const A_COMMIT: usize = 1_000;

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    let head = ["closed incidents", "what", "p50", "p99", "longest"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for count in [0, plan.closed_incidents] {
        let api = FlagApi::start(1).await;
        let site = Site::new(&api, 1);
        let began = Instant::now();
        fill(&site.database(), count).await;
        eprintln!("  filled with {count} in {}", shown(began.elapsed()));
        let mut row = |what: &str, times: &Times| {
            rows.push(vec![
                count.to_string(),
                what.to_owned(),
                shown(times.p50()),
                shown(times.p99()),
                shown(times.most()),
            ]);
        };
        served(plan, &api, &site, &mut row).await;
        pruned(&site.database(), &mut row).await;
    }
    report.table("Growth with the closed incidents in the database", rows);
}

async fn served(plan: &Plan, api: &FlagApi, site: &Site, row: &mut impl FnMut(&str, &Times)) {
    let mut ready = Times::new();
    for _ in 0..plan.samples(5, 1) {
        let served = site.serve().await;
        ready.add(served.ready_after);
        served.kill().await;
    }
    row("start -> ready", &ready);
    let served = site.serve().await;
    api.all_polled().await;
    let mut wire = served.connect().await;
    let mut times = Times::new();
    for number in 0..plan.samples(200, 10) {
        let body = single("r0", "warning", number);
        let began = Instant::now();
        assert_eq!(wire.post(WEBHOOK, &body).await.0, 200);
        times.add(began.elapsed());
    }
    row("webhook -> 200", &times);
    for query in
        ["", "?limit=1", "?rollout=r0", "?state=failed", "?state=cancelled", "?rollout=r0&state=failed"]
    {
        row(&format!("GET /api/v1/incidents{query}"), &listed(plan, &served, query).await);
    }
}

async fn listed(plan: &Plan, served: &Served, query: &str) -> Times {
    let mut wire = served.connect().await;
    let mut times = Times::new();
    for _ in 0..plan.samples(20, 2) {
        let began = Instant::now();
        assert_eq!(wire.get(&format!("/api/v1/incidents{query}")).await.0, 200);
        times.add(began.elapsed());
    }
    times
}

/// Forgets all of it while events keep coming.
async fn pruned(database: &Path, row: &mut impl FnMut(&str, &Times)) {
    let store = opened(database).await;
    let loaded = store.load().await.expect("loaded");
    let states = loaded.rollouts.into_iter().map(|(name, state)| (name, Arc::new(state))).collect();
    store.checkpoint(loaded.seq, states).await.expect("saved");
    let (mut whole, mut appends) = (Times::new(), Times::new());
    let began = Instant::now();
    let prune = store.prune(SystemClock.now() + TimeDelta::days(1));
    tokio::pin!(prune);
    let mut seq = loaded.seq;
    let mut pruned = None;
    while pruned.is_none() {
        let events = vec![stored(None, SystemClock.now(), Event::WatchdogBack)];
        let (store, expected_seq) = (&store, seq);
        let append = async move {
            let began = Instant::now();
            let end = store.append(Batch { expected_seq, events, blobs: Vec::new() }).await;
            (end.expect("appended"), began.elapsed())
        };
        tokio::pin!(append);
        let (end, took) = loop {
            tokio::select! {
                done = &mut append => break done,
                count = &mut prune, if pruned.is_none() => pruned = Some(count.expect("pruned")),
            }
        };
        seq = end;
        appends.add(took);
    }
    whole.add(began.elapsed());
    eprintln!("  pruned {pruned:?}");
    row("retention forgets them all", &whole);
    row("an append meanwhile", &appends);
}

/// Fills a database as the journal would: one canary warning after the other, each cancelled.
async fn fill(database: &Path, count: usize) {
    let store = opened(database).await;
    let first = SystemClock.now() - TimeDelta::days(60);
    let mut seq = 0;
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in numbers.chunks(A_COMMIT) {
        let mut batch = Batch { expected_seq: seq, ..Batch::default() };
        for number in numbers {
            let at = first + TimeDelta::seconds(i64::try_from(number * 40).expect("few"));
            let body = single("r0", "warning", *number);
            let blob = blob_ref(&body);
            batch.events.extend(story(*number, at, &body, &blob));
            batch.blobs.push((blob, Arc::from(body)));
        }
        seq = store.append(batch).await.expect("appended");
    }
    let loaded = store.load().await.expect("loaded");
    let states = loaded.rollouts.into_iter().map(|(name, state)| (name, Arc::new(state))).collect();
    store.checkpoint(loaded.seq, states).await.expect("saved");
    drop(store);
    released(database).await;
}

/// Waits until the store's thread has let go of its lock, a moment after the store was dropped.
async fn released(database: &Path) {
    let lock = std::fs::File::open(database.with_extension("db.lock")).expect("the lock's file");
    crate::flag_api::until("the store has let go", || lock.try_lock().is_ok()).await;
}

fn story(number: usize, at: DateTime<Utc>, body: &[u8], blob: &backstop::incident::BlobRef) -> Vec<StoredAs> {
    let id = IncidentId::new(format!("r0-{number:08}"));
    let alert =
        backstop::webhook::parse(body, SystemClock.now(), &backstop::incident::SeverityMap::default())
            .expect("a body")
            .alerts
            .remove(0);
    let resolved = Alert { status: AlertStatus::Resolved, ends_at: Some(at), ..alert.clone() };
    let seen = Event::AlertSeen { alert: alert.clone(), not_before: None };
    let attached =
        AttachedAlert { alert, received_at: at, reason: Reason::WarningAlert, body: Some(blob.clone()) };
    let opened = OpenedIncident {
        revision: Revision::new("v1.4.0"),
        stage: None,
        share: None,
        share_read_at: None,
        severity: Severity::Warning,
        reason: Reason::WarningAlert,
        cause: "CanaryErrorRate".into(),
        trigger: Trigger::Automatic,
        alert: Some(attached),
    };
    let grace = Event::GraceStarted { cause: GraceCause::Warning, ends_at: at };
    vec![
        stored(None, at, seen),
        stored(Some(&id), at, Event::IncidentOpened(opened)),
        stored(Some(&id), at, grace),
        stored(None, at, Event::AlertSeen { alert: resolved, not_before: None }),
        stored(Some(&id), at, Event::Cancelled { reason: Reason::ResolvedConfirmed }),
    ]
}

fn stored(incident: Option<&IncidentId>, at: DateTime<Utc>, event: Event) -> StoredAs {
    StoredAs { at, rollout: RolloutName::new("r0"), incident: incident.cloned(), event }
}

/// A process that was killed lets go of the file a moment later.
async fn opened(database: &Path) -> SqliteStore {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match SqliteStore::open(database) {
            Ok(store) => return store,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
