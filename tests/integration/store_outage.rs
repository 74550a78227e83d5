//! A store that can't be written: nothing is called accepted, nothing is lost, a critical is acted
//! upon all the same, and no restart is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backstop::app::App;
use backstop::clock::SystemClock;
use backstop::demo::trading_api::TradingApi;
use backstop::evidence::EvidenceDir;
use backstop::store::{Batch, IncidentStore, MemoryStore, StoreError};
use serde_json::json;

use crate::support::around::{Around, OnAppend};
use crate::support::{Site, body, now, wait_for};

#[tokio::test]
async fn a_store_that_can_not_be_written_answers_503_and_recovers_without_a_restart() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let store = MemoryStore::default();
    let app = App::start_with(&site.parsed(), Arc::new(store.clone()), Arc::new(SystemClock))
        .await
        .expect("started");
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);

    store.set_unavailable(true);
    for _ in 0..3 {
        assert_eq!(site.post(critical.clone()).await, 503);
    }
    assert_eq!(
        site.post(body("Other", "critical", &now(), None).replace("spark-trading", "other")).await,
        200
    );
    let metrics = reqwest::get(format!("http://{}/metrics", app.admin_listen)).await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    assert!(metrics.contains("backstop_store_healthy 0\n"), "{metrics}");

    store.set_unavailable(false);
    // Alertmanager sends again, until it is accepted.
    assert_eq!(site.post(critical).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((done.cause.as_str(), api.share()), ("CanaryErrorRateCritical", 0));
    assert_eq!(site.incidents().await.len(), 1);
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_critical_is_acted_upon_while_the_store_is_out_and_the_record_follows() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let store = MemoryStore::default();
    let config = site.parsed();
    let start = || App::start_with(&config, Arc::new(store.clone()), Arc::new(SystemClock));
    let app = start().await.expect("started");
    store.fail_writes(true);
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 503);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((api.share(), api.sets().len(), store.events().len()), (0, 1, 0));
    let evidence = EvidenceDir::new(site.evidence());
    wait_for("the complete evidence", || async {
        evidence.show(&done.id, false).ok().filter(|text| text.contains("This File: complete"))
    })
    .await;
    let rollouts: serde_json::Value = site.read("/api/v1/rollouts").await.expect("an answer");
    assert!(rollouts[0]["unrecorded_events"].as_u64() > Some(0), "{rollouts}");

    store.fail_writes(false);
    wait_for("the record", || async { (!store.events().is_empty()).then_some(()) }).await;
    app.shutdown().await.expect("drained");
    let app = start().await.expect("started again");
    let found = site.incident("the incident", |incident| incident.id == done.id).await;
    assert_eq!((found.state.as_str(), api.sets().len()), ("rolled_back", 1));
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_store_that_cant_be_written_is_known_before_an_alert_comes_and_a_person_learns_what_is_not_stored()
{
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let store = MemoryStore::default();
    store.fail_writes(true);
    let app = App::start_with(&site.parsed(), Arc::new(store.clone()), Arc::new(SystemClock)).await;
    let app = app.expect("started");
    let ready = || async {
        reqwest::get(format!("http://{}/readyz", app.admin_listen)).await.ok().map(|answer| answer.status())
    };
    wait_for("/readyz to say so", || async { ready().await.filter(|status| *status == 503) }).await;
    let rollouts: serde_json::Value = site.read("/api/v1/rollouts").await.expect("an answer");
    assert_eq!(rollouts[0]["store_healthy"], false, "{rollouts}");

    site.share_read(25).await;
    assert_eq!(site.post(body("CanarySlow", "warning", &now(), None)).await, 503);
    let grace = site.incident("the grace", |incident| incident.state == "grace").await;
    let path = format!("/api/v1/incidents/{}/hold", grace.id);
    let hold = || site.ask(&path, json!({ "actor": "ada" }));
    let (status, held) = hold().await;
    assert_eq!((status, &held["state"], &held["durable"]), (200, &"held".into(), &false.into()));
    store.fail_writes(false);
    wait_for("/readyz to recover", || async { ready().await.filter(|status| *status == 200) }).await;
    assert_eq!(hold().await.1["durable"], true);
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_commit_that_hangs_does_not_keep_the_traffic_on_the_canary() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let hangs = Arc::new(AtomicBool::new(false));
    let store = Around::new(MemoryStore::default(), Hanging(Arc::clone(&hangs)));
    let app = App::start_with(&site.parsed(), store, Arc::new(SystemClock)).await.expect("started");
    site.share_read(25).await;
    hangs.store(true, Ordering::SeqCst);
    let posted = site.post(body("CanaryErrorRateCritical", "critical", &now(), None));
    tokio::select! {
        status = posted => panic!("answered {status} although nothing is durable"),
        () = wait_for("the flag", || async { (api.share() == 0).then_some(()) }) => {}
    }
    hangs.store(false, Ordering::SeqCst);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_critical_that_comes_long_after_the_disk_began_to_hang_is_rolled_back_to_its_end() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let hangs = Arc::new(AtomicBool::new(false));
    let store = Around::new(MemoryStore::default(), Hanging(Arc::clone(&hangs)));
    let app = App::start_with(&site.parsed(), store, Arc::new(SystemClock)).await.expect("started");
    site.share_read(25).await;
    hangs.store(true, Ordering::SeqCst);
    let began = Instant::now();
    assert_eq!(site.post(body("CanarySlow", "warning", &now(), None)).await, 503, "it can't be stored");
    assert!((4..9).contains(&began.elapsed().as_secs()), "before Alertmanager gives it up, after 10 s");
    let began = Instant::now();
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    assert_eq!(site.post(critical.clone()).await, 503);
    wait_for("the flag", || async { (api.share() == 0).then_some(()) }).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    site.incident("the verdict, while the disk still hangs", |incident| incident.state == "rolled_back")
        .await;
    let admin = |path: &str| reqwest::get(format!("http://{}{path}", app.admin_listen));
    assert_eq!(admin("/readyz").await.expect("an answer").status(), 503);
    assert_eq!(admin("/livez").await.expect("an answer").status(), 200, "a restart would not help");
    assert!(site.metric("backstop_ready").await < 1.0);

    hangs.store(false, Ordering::SeqCst);
    wait_for("it to be taken", || async { (site.post(critical.clone()).await == 200).then_some(()) }).await;
    assert_eq!(admin("/readyz").await.expect("an answer").status(), 200);
    assert_eq!(api.changes(), [(25, 0)]);
    app.shutdown().await.expect("drained");
}

/// A disk that hangs once the test says so.
#[derive(Debug)]
struct Hanging(Arc<AtomicBool>);

#[async_trait]
impl OnAppend for Hanging {
    async fn append(&self, inner: &dyn IncidentStore, batch: Batch) -> Result<u64, StoreError> {
        while self.0.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        inner.append(batch).await
    }
}

#[tokio::test]
async fn a_hundred_webhooks_at_once_are_all_taken_and_act_once() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let bodies = (0..100).map(|number| body(&format!("Alert{number}"), "critical", &now(), None));
    let mut posts = tokio::task::JoinSet::new();
    let site = Arc::new(site);
    for body in bodies {
        let site = Arc::clone(&site);
        posts.spawn(async move { site.post(body).await });
    }
    let answers = posts.join_all().await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let incidents = site.incidents().await;
    assert_eq!((incidents.len(), incidents[0].alerts.len(), api.sets().len()), (1, 100, 1));
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn what_is_held_as_the_process_ends_is_recorded_once_the_store_can_be_written_within_the_drain() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let store = MemoryStore::default();
    let app = App::start_with(&site.parsed(), Arc::new(store.clone()), Arc::new(SystemClock))
        .await
        .expect("started");
    store.fail_writes(true);
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 503);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let (ended, ()) = tokio::join!(app.shutdown(), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        store.fail_writes(false);
    });
    ended.expect("drained");
    let names: Vec<_> = store.events().iter().map(|stored| stored.event.name()).collect();
    assert!(names.contains(&"rollback_started"), "{names:?}");
}
