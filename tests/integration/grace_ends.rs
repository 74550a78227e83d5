//! The end of a grace with the real Alertmanager and Prometheus silenced, killed, or out of date.

use backstop::clock::{Clock, SystemClock};
use backstop::demo::monitoring::Server;
use backstop::demo::trading_api::{Regression, TradingApi};
use backstop::web::IncidentView;
use chrono::TimeDelta;
use serde_json::json;

use crate::support::aged::Aged;
use crate::support::alerting::{
    Fires, alertmanager, configure, configure_urls, expire, listed, matching, silence, tell,
};
use crate::support::chain::Chain;
use crate::support::{Site, rollout_toml, wait_for};

const WARNING: &str = "CanaryErrorRateWarning";

/// One rollout for each namespace, behind one Alertmanager, no Prometheus.
async fn behind_alertmanager(rollouts: &[(&str, &str, &str)]) -> (Site, Vec<TradingApi>, Server) {
    let (mut apis, mut text) = (Vec::new(), String::new());
    for (namespace, grace, more) in rollouts {
        let api = TradingApi::start(25, 10).await.expect("started");
        let toml = rollout_toml(namespace, &matching(namespace), grace, &api);
        text.push_str(&toml.replace("\nverify.window", &format!("\n{more}\nverify.window")));
        apis.push(api);
    }
    let site = Site::new("#monitoring", &text);
    let alertmanager = alertmanager(&site).await;
    configure(&site, &[&alertmanager], None);
    (site, apis, alertmanager)
}

fn of(rollout: &'static str, state: &'static str) -> impl Fn(&IncidentView) -> bool {
    move |incident| incident.rollout == rollout && incident.state == state
}

/// Whether the traffic was taken off the canary for this reason.
fn rolled_back_for(reason: &'static str) -> impl Fn(&IncidentView) -> bool {
    move |incident| {
        let for_it = incident.decisions.iter().any(|decision| {
            decision.event == "rollback_started" && decision.reason.is_some_and(|r| r.as_str() == reason)
        });
        for_it && incident.steps.iter().any(|step| step.outcome.is_done())
    }
}

#[tokio::test]
async fn a_silenced_warning_is_held_and_rolled_back_once_the_silence_and_the_hold_are_ended() {
    let (site, apis, alertmanager) = behind_alertmanager(&[("silenced", "4s", "")]).await;
    let app = site.start().await;
    tell(&alertmanager, &[Fires::now(WARNING, "warning", "silenced")]).await;
    site.incident("the grace", of("silenced", "grace")).await;
    let known = silence(&alertmanager, WARNING).await;

    let held = site.incident("the hold", of("silenced", "held")).await;
    assert_eq!((held.reason.as_str(), apis[0].share()), ("held_by_silence", 25));
    assert!(apis[0].sets().is_empty(), "a person muted it: nothing was touched");

    expire(&alertmanager, &known).await;
    let path = format!("/api/v1/incidents/{}/resume", held.id);
    assert_eq!(site.ask(&path, json!({ "actor": "ada" })).await.0, 200);
    let done = site.incident("the rollback", of("silenced", "rolled_back")).await;
    assert_eq!((done.id, done.reason.as_str(), apis[0].share()), (held.id, "still_firing", 0));
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn an_alertmanager_that_is_gone_at_the_end_leads_to_what_the_setting_says() {
    let rollouts = [("acts", "6s", ""), ("holds", "6s", "on_unverified = \"hold\"")];
    let (site, apis, mut alertmanager) = behind_alertmanager(&rollouts).await;
    let app = site.start().await;
    let alerts = ["acts", "holds"].map(|namespace| Fires::now(WARNING, "warning", namespace));
    tell(&alertmanager, &alerts).await;
    site.incident("a grace", of("acts", "grace")).await;
    site.incident("a grace", of("holds", "grace")).await;
    alertmanager.kill().await;

    let done = site.incident("the rollback", of("acts", "rolled_back")).await;
    assert_eq!((done.reason.as_str(), apis[0].share()), ("unverified", 0));
    let held = site.incident("the hold", of("holds", "held")).await;
    assert_eq!((held.reason.as_str(), apis[1].share()), ("held_unverified", 25));
    app.shutdown().await.expect("drained");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_alertmanager_gone_prometheus_says_whether_the_rule_still_fires() {
    let (mut chain, app) = Chain::start(&[("still", "10s")]).await;
    chain.serve_well().await;
    chain.apis[0].inject(Regression { slow_ratio: 1.0, slow_seconds: 0.28, ..Regression::default() });
    chain.site.incident("the grace", of("still", "grace")).await;
    chain.alertmanager.kill().await;
    let done = chain.site.incident("the rollback", rolled_back_for("still_firing")).await;
    assert_eq!((done.cause.as_str(), chain.apis[0].share()), ("CanaryLatencyP95Warning", 0));
    app.shutdown().await.expect("drained");
}

/// The control first: the same Alertmanager, as trusted, does cancel while Prometheus lives.
#[tokio::test(flavor = "multi_thread")]
async fn prometheus_killed_in_a_grace_makes_a_false_resolve_that_cancels_nothing() {
    let chain = Chain::new(&[("recovers", "60s"), ("orphaned", "28s")]).await;
    let aged = Aged::new(&chain.alertmanager).await;
    configure_urls(&chain.site, std::slice::from_ref(&aged.url), None);
    let app = chain.site.start().await;
    let Chain { site, apis, alertmanager: _running, mut prometheus } = chain;
    let count = "count(increase(http_request_duration_seconds_count[1m]) > 500)";
    let query = format!("{}/api/v1/query", prometheus.url());
    let query = reqwest::Url::parse_with_params(&query, [("query", count)]).expect("a URL");
    wait_for("traffic in Prometheus", || async {
        let answer: serde_json::Value = reqwest::get(query.clone()).await.ok()?.json().await.ok()?;
        (answer["data"]["result"][0]["value"][1] == "2").then_some(())
    })
    .await;
    let slower = Regression { slow_ratio: 1.0, slow_seconds: 0.28, ..Regression::default() };
    apis[0].inject(slower);
    site.incident("a grace", of("recovers", "grace")).await;
    apis[0].inject(Regression::default());
    apis[0].set_requests_per_second(10_000);
    let cancelled = site.incident("the end of the first", of("recovers", "cancelled")).await;
    assert_eq!((cancelled.reason.as_str(), apis[0].share()), ("resolved_confirmed", 25));

    apis[1].inject(slower);
    let grace = site.incident("a grace", of("orphaned", "grace")).await;
    prometheus.kill().await;
    let resolved = site
        .incident("the false resolve", |incident| {
            incident.id == grace.id && incident.alerts.iter().all(|attached| attached.alert.ends_at.is_some())
        })
        .await;
    assert_ne!(resolved.state, "cancelled", "nobody is there to say that it recovered");
    let done = site.incident("the end of the second", |i| i.id == grace.id && i.closed_at.is_some()).await;
    let started = done.steps.first().map(|step| step.started_at);
    assert_eq!(
        (done.state.as_str(), done.reason.as_str(), apis[1].share()),
        ("rolled_back", "unverified", 0)
    );
    assert!(started >= done.grace_ends_at, "not before the end of the grace");
    app.shutdown().await.expect("drained");
}

/// Prometheus sends each alert again on a beat of its own, so a dead one's Watchdog may outlive the
/// alert by up to one beat. In that gap "gone, Watchdog listed" is no recovery.
#[tokio::test]
async fn a_watchdog_that_outlives_its_prometheus_by_a_beat_is_not_believed() {
    let (site, apis, alertmanager) = behind_alertmanager(&[("gap", "16s", ""), ("alive", "60s", "")]).await;
    let aged = Aged::new(&alertmanager).await;
    site.edit(&alertmanager.url(), &aged.url);
    let app = site.start().await;
    // What a Prometheus with a beat of 3 s leaves behind when it dies: nothing is sent again.
    let last = [
        Fires::now(WARNING, "warning", "gap").for_seconds(9),
        Fires::now("Watchdog", "none", "").for_seconds(12),
    ];
    tell(&alertmanager, &last).await;
    let grace = site.incident("the grace", of("gap", "grace")).await;
    wait_for("the alert to expire", || async {
        let names = listed(&alertmanager).await;
        (!names.iter().any(|(name, _)| name == WARNING)).then_some(())
    })
    .await;
    let done = site.incident("the end", |i| i.id == grace.id && i.closed_at.is_some()).await;
    assert_eq!(
        (done.state.as_str(), done.reason.as_str(), apis[0].share()),
        ("rolled_back", "unverified", 0)
    );

    // The control: with a Watchdog that is sent again, the same is a recovery.
    let fires = Fires::now(WARNING, "warning", "alive");
    let since = fires.since;
    tell(&alertmanager, &[fires]).await;
    let grace = site.incident("the grace", of("alive", "grace")).await;
    let over = Fires { since, ..Fires::now(WARNING, "warning", "alive").resolved() };
    let beat = Fires {
        since,
        until: SystemClock.now() + TimeDelta::seconds(60),
        ..Fires::now("Watchdog", "none", "")
    };
    tell(&alertmanager, &[beat, over]).await;
    let done = site.incident("the end", |i| i.id == grace.id && i.closed_at.is_some()).await;
    assert_eq!((done.state.as_str(), done.reason.as_str()), ("cancelled", "resolved_confirmed"));
    app.shutdown().await.expect("drained");
}
