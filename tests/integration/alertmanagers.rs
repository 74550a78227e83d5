//! Several Alertmanagers, one that restarts without its memory, one that is answered 503.

use std::sync::Arc;
use std::time::Duration;

use backstop::app::App;
use backstop::clock::SystemClock;
use backstop::demo::monitoring::{ALERTMANAGER_DATA, AlertmanagerSettings, Server};
use backstop::demo::trading_api::TradingApi;
use backstop::store::MemoryStore;
use chrono::TimeDelta;

use crate::support::alerting::{
    Fires, alertmanager, configure, listed, matching, pair, programs, settings, tell,
};
use crate::support::{Site, rollout_toml, wait_for};

const CRITICAL: &str = "CanaryErrorRateCritical";
const STORED: &str = "backstop_webhook_requests_total{outcome=\"stored\"}";
const DUPLICATE: &str = "backstop_webhook_requests_total{outcome=\"duplicate\"}";
const UNAVAILABLE: &str = "backstop_webhook_requests_total{outcome=\"unavailable\"}";

async fn site(namespaces: &[&str]) -> (Site, Vec<TradingApi>) {
    let (mut apis, mut text) = (Vec::new(), String::new());
    for namespace in namespaces {
        let api = TradingApi::start(25, 10).await.expect("started");
        text.push_str(&rollout_toml(namespace, &matching(namespace), "5m", &api));
        apis.push(api);
    }
    (Site::new("#monitoring", &text), apis)
}

/// Waits for the end, and asserts that it came once: one incident, one change of the share.
async fn rolled_back_once(site: &Site, namespace: &str, api: &TradingApi) {
    site.incident("the rollback", |i| i.rollout == namespace && i.state == "rolled_back").await;
    let incidents = site.incidents().await;
    assert_eq!(incidents.iter().filter(|incident| incident.rollout == namespace).count(), 1);
    assert_eq!((api.changes(), api.share()), (vec![(25, 0)], 0), "{namespace}: once, and to 0 %");
    assert_eq!(api.sets(), [0], "{namespace}: asked for once");
}

async fn tell_both(pair: &[Server; 2], alerts: &[Fires<'_>]) {
    tokio::join!(tell(&pair[0], alerts), tell(&pair[1], alerts));
}

#[tokio::test]
async fn a_cluster_of_which_both_post_and_one_is_killed_leads_to_one_rollback_each() {
    let (site, apis) = site(&["first", "second"]).await;
    // Waiting for nobody, every member posts: the worst that a slow receiver brings about.
    let mut pair = pair(&site, Duration::ZERO).await;
    configure(&site, &[&pair[0], &pair[1]], None);
    let app = site.start().await;
    tell_both(&pair, &[Fires::now(CRITICAL, "critical", "first")]).await;
    rolled_back_once(&site, "first", &apis[0]).await;
    wait_for("both members to have posted", || async {
        (site.metric(STORED).await + site.metric(DUPLICATE).await >= 2.0).then_some(())
    })
    .await;

    pair[0].kill().await;
    tell(&pair[1], &[Fires::now(CRITICAL, "critical", "second")]).await;
    rolled_back_once(&site, "second", &apis[1]).await;
    rolled_back_once(&site, "first", &apis[0]).await;
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_healthy_cluster_posts_through_the_member_that_is_left() {
    let (site, apis) = site(&["healthy"]).await;
    let mut pair = pair(&site, Duration::from_secs(1)).await;
    configure(&site, &[&pair[0], &pair[1]], None);
    // Where it was the first in turn, the other one waits for it in vain, then posts.
    let app = site.start().await;
    pair[0].kill().await;
    tell(&pair[1], &[Fires::now(CRITICAL, "critical", "healthy")]).await;
    rolled_back_once(&site, "healthy", &apis[0]).await;
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_receiver_that_answers_503_for_a_while_loses_nothing() {
    let (site, apis) = site(&["refused"]).await;
    let alertmanager = alertmanager(&site).await;
    // No URL to reconcile with: only Alertmanager's own retries can bring it.
    site.edit("#monitoring", "[alertmanager]\npoll_interval = \"1s\"");
    let store = MemoryStore::default();
    let app = App::start_with(&site.parsed(), Arc::new(store.clone()), Arc::new(SystemClock)).await;
    let app = app.expect("started");
    store.set_unavailable(true);
    tell(&alertmanager, &[Fires::now(CRITICAL, "critical", "refused")]).await;
    wait_for("several refusals", || async { (site.metric(UNAVAILABLE).await >= 3.0).then_some(()) }).await;
    assert!(store.events().iter().all(|stored| stored.event.name() != "incident_opened"));

    store.set_unavailable(false);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((site.incidents().await.len(), apis[0].share()), (1, 0));
    assert_eq!(apis[0].changes(), [(25, 0)]);
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn an_alertmanager_that_restarts_without_its_memory_sends_again_and_nothing_is_done_again() {
    let (site, apis) = site(&["forgotten"]).await;
    let mut alertmanager = alertmanager(&site).await;
    configure(&site, &[&alertmanager], None);
    let app = site.start().await;
    let since = backstop::clock::Clock::now(&SystemClock);
    let fires = || Fires {
        since,
        until: since + TimeDelta::minutes(5),
        ..Fires::now(CRITICAL, "critical", "forgotten")
    };
    tell(&alertmanager, &[fires()]).await;
    rolled_back_once(&site, "forgotten", &apis[0]).await;

    alertmanager.kill().await;
    std::fs::remove_dir_all(site.folder.path().join(ALERTMANAGER_DATA)).expect("wiped");
    let before = site.metric(DUPLICATE).await;
    alertmanager.resume().await.expect("Alertmanager");
    assert!(listed(&alertmanager).await.is_empty(), "it knows nothing any more");
    tell(&alertmanager, &[fires()]).await;
    wait_for("the same webhook again", || async { (site.metric(DUPLICATE).await > before).then_some(()) })
        .await;
    rolled_back_once(&site, "forgotten", &apis[0]).await;
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_cut_list_makes_backstop_ask_for_the_rest_at_once() {
    let (site, apis) = site(&["cut"]).await;
    // It posts to nobody: only its list knows of the critical. The next poll is minutes away.
    let deaf =
        AlertmanagerSettings { webhook_url: "http://127.0.0.1:9/".to_owned(), ..settings(&site, None) };
    let alertmanager = programs().alertmanager(site.folder.path(), &deaf).await.expect("Alertmanager");
    configure(&site, &[&alertmanager], None);
    site.edit("poll_interval = \"1s\"", "poll_interval = \"5m\"");
    let app = site.start().await;
    let source = alertmanager.url();
    let asked = format!("backstop_reconciliation_last_success_timestamp_seconds{{source=\"{source}/\"}}");
    wait_for("the first poll", || async { (site.metric(&asked).await > 0.0).then_some(()) }).await;
    tell(&alertmanager, &[Fires::now(CRITICAL, "critical", "cut")]).await;
    assert_eq!(site.post(r#"{"version":"4","alerts":[],"truncatedAlerts":1}"#).await, 200);
    rolled_back_once(&site, "cut", &apis[0]).await;
    app.shutdown().await.expect("drained");
}
