//! A store that can't be written: nothing is accepted, nothing is lost, no restart is needed.

use std::sync::Arc;

use backstop::app::App;
use backstop::clock::SystemClock;
use backstop::demo::trading_api::TradingApi;
use backstop::store::MemoryStore;

use crate::support::{Site, body, now};

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
    let figures = reqwest::get(format!("http://{}/metrics", app.admin_listen)).await.expect("an answer");
    let figures = figures.text().await.expect("text");
    assert!(figures.contains("backstop_store_healthy 0\n"), "{figures}");

    store.set_unavailable(false);
    // Alertmanager sends again; what was refused has left no trace that would make it a duplicate.
    assert_eq!(site.post(critical).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((done.cause.as_str(), api.share()), ("CanaryErrorRateCritical", 0));
    app.shutdown().await.expect("drained");
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
