//! Storms: many webhooks at once, many alerts in one, and noise among them.

use std::collections::BTreeSet;
use std::sync::Arc;

use backstop::demo::trading_api::TradingApi;
use backstop::incident::RolloutName;
use backstop::store::{IncidentStore, SqliteStore};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::connections::Connection;
use crate::support::{Site, body, now, wait_for};
use crate::webhook_contract::fixture;

const CONNECTIONS: usize = 500;
const EACH: usize = 4;
/// Connections that send what is no webhook meanwhile.
const NOISY: usize = 20;

/// Both ends of 500 connections don't fit into the usual 1,024 of a process; here only one has to.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit }).expect("set");
}

/// The identities of all alerts that the store knows of the rollout.
async fn stored_alerts(site: &Site) -> BTreeSet<String> {
    let store =
        wait_for("the store to be free", || async { SqliteStore::open(&site.parsed().store.path).ok() })
            .await;
    let loaded = store.load().await.expect("loaded");
    let state = &loaded.rollouts[&RolloutName::new("spark-trading")];
    state.alerts.values().map(|known| known.alert.name().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_webhooks_over_500_connections_are_all_taken_among_noise_and_act_once() {
    allow_open_files();
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("1h", &api);
    let mut server = site.spawn().await;
    let address = site.parsed().server.listen;
    let starts_at: Arc<str> = now().into();
    let together = Arc::new(Barrier::new(CONNECTIONS + NOISY));
    let mut storm = JoinSet::new();
    for number in 0..CONNECTIONS {
        let (together, starts_at) = (Arc::clone(&together), Arc::clone(&starts_at));
        storm.spawn(async move {
            let mut connection = Connection::open(address).await;
            together.wait().await;
            for turn in 0..EACH {
                let number = number * EACH + turn;
                // One critical somewhere in the middle of it all.
                let severity = if number == 1_234 { "critical" } else { "warning" };
                let body = body(&format!("Alert{number}"), severity, &starts_at, None);
                let status = connection.post("hook-token", body).await.expect("an answer");
                assert_eq!(status, 200, "webhook {number}");
            }
        });
    }
    for number in 0..NOISY {
        let (together, starts_at) = (Arc::clone(&together), Arc::clone(&starts_at));
        storm.spawn(async move {
            let mut connection = Connection::open(address).await;
            together.wait().await;
            let good = body("Forged", "critical", &starts_at, None);
            let half = good[..good.len() / 2].to_owned();
            let other = good.replace("\"version\":\"4\"", "\"version\":\"3\"");
            for (token, body, status) in
                [("hook-token", half, 400), ("hook-token", other, 400), ("guessed", good, 401)]
            {
                assert_eq!(connection.post(token, body).await.expect("an answer"), status);
            }
            if number < 2 {
                let body = format!("{{\"version\":\"4\",\"pad\":\"{}\"}}", "x".repeat(33 << 20));
                // It may hang up on a body that nobody will read; an answer has to be the right one.
                let answer = connection.post("hook-token", body).await;
                assert!(answer.as_ref().map_or(true, |status| *status == 413), "{answer:?}");
            }
        });
    }
    storm.join_all().await;

    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((site.incidents().await.len(), done.severity.as_str()), (1, "critical"));
    assert_eq!((api.changes(), api.sets()), (vec![(25, 0)], vec![0]), "one rollback");
    server.kill().await.expect("killed");
    let known = stored_alerts(&site).await;
    let wanted: BTreeSet<_> = (0..CONNECTIONS * EACH).map(|number| format!("Alert{number}")).collect();
    let lost: Vec<_> = wanted.difference(&known).collect();
    assert!(lost.is_empty(), "answered 200 and lost: {lost:?}");
    assert!(!known.contains("Forged"), "what was refused left no trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alerts_in_one_body_are_all_stored_and_the_one_critical_is_acted_upon() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("1h", &api);
    site.edit("rollout = \"spark-trading\", canary_rollback = \"true\"", "job = \"checkout\"");
    let app = site.start().await;
    let mut storm: serde_json::Value =
        serde_json::from_slice(&fixture("storm_10000.json.gz")).expect("a body");
    let alerts = storm["alerts"].as_array_mut().expect("alerts");
    for alert in alerts.iter_mut() {
        alert["labels"]["severity"] = "warning".into();
        alert["startsAt"] = now().into();
    }
    alerts[7_777]["labels"]["severity"] = "critical".into();
    let fingerprints: BTreeSet<_> =
        alerts.iter().map(|alert| alert["fingerprint"].as_str().expect("text").to_owned()).collect();
    assert_eq!(fingerprints.len(), 10_000);
    assert_eq!(site.post(storm.to_string()).await, 200);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((site.incidents().await.len(), api.changes(), api.sets()), (1, vec![(25, 0)], vec![0]));
    app.shutdown().await.expect("drained");
    let store =
        wait_for("the store to be free", || async { SqliteStore::open(&site.parsed().store.path).ok() })
            .await;
    let loaded = store.load().await.expect("loaded");
    let known = &loaded.rollouts[&RolloutName::new("spark-trading")].alerts;
    let known: BTreeSet<_> = known.keys().map(|fingerprint| fingerprint.as_str().to_owned()).collect();
    assert_eq!(fingerprints.difference(&known).count(), 0, "answered 200 and lost");
}
