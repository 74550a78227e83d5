//! Labels that Prometheus rewrites on the way to Alertmanager, rules that share a name, guards: with
//! the real Prometheus and Alertmanager.

use std::time::Duration;

use backstop::demo::trading_api::TradingApi;
use backstop::incident::{CheckName, CheckOutcome};
use backstop::outbound::Outbound;
use backstop::signals::{Prometheus, RuleSource, SignalError};

use crate::support::alerting::{configure, configure_urls};
use crate::support::measured::Measured;
use crate::support::{Site, prepare, rollout_toml, wait_for};

const NOTIFY_IS_WARNING: &str =
    "{ source_labels: [severity], regex: notify, target_label: severity, replacement: warning }";
const PAGE_IS_CRITICAL: &str =
    "{ source_labels: [severity], regex: page, target_label: severity, replacement: critical }";

fn rule(name: &str, expression: &str, severity: &str, rollout: &str) -> String {
    format!(
        "  - {{ alert: {name}, expr: '{expression}', labels: {{ severity: {severity}, rollout: {rollout}, canary_rollback: \"true\" }} }}"
    )
}

async fn rollouts(names: &[&str], grace: &str, window: &str) -> (Site, Vec<TradingApi>) {
    let (mut apis, mut text) = (Vec::new(), String::new());
    for name in names {
        let api = TradingApi::start(25, 10).await.expect("started");
        let toml = rollout_toml(name, &format!("{{ rollout = \"{name}\" }}"), grace, &api);
        text.push_str(&toml.replace("window = \"3s\"", &format!("window = \"{window}\"")));
        apis.push(api);
    }
    (Site::new("#monitoring", &text), apis)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_whose_severity_is_rewritten_is_not_taken_for_resolved_when_alertmanager_is_gone() {
    let (site, apis) = rollouts(&["rewritten"], "8s", "3s").await;
    let rules = rule("Slow", "slow > 1", "notify", "rewritten");
    let mut measured = Measured::new(&site, &rules, &[NOTIFY_IS_WARNING]).await;
    configure(&site, &[&measured.alertmanager], Some(&measured.prometheus));
    let app = site.start().await;
    site.share_read(25).await;
    measured.set("slow", 2.0);
    site.incident("the grace", |incident| incident.state == "grace").await;
    measured.alertmanager.kill().await;

    let ended = site.incident("the end of the grace", |incident| incident.state != "grace").await;
    assert_ne!(ended.state, "cancelled", "it fires all the time: {ended:#?}");
    let done = site.incident("the step", |i| i.steps.iter().any(|step| step.outcome.is_done())).await;
    let started = done.decisions.iter().find(|decision| decision.event == "rollback_started");
    let reason = started.and_then(|decision| decision.reason).map(|reason| reason.as_str());
    assert_eq!((reason, apis[0].share()), (Some("still_firing"), 0));
    let told = serde_json::to_string(&done.decisions).expect("JSON");
    let differs =
        "Prometheus says that Slow is firing or pending (severity is notify there and warning here)";
    assert!(told.contains(differs), "{told}");
    app.shutdown().await.expect("drained");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_whose_severity_is_rewritten_is_found_after_a_time_when_nobody_was_there() {
    let (site, apis) = rollouts(&["missed"], "8s", "3s").await;
    let rules = rule("Slow", "slow > 1", "page", "missed");
    let mut measured = Measured::new(&site, &rules, &[PAGE_IS_CRITICAL]).await;
    configure(&site, &[&measured.alertmanager], Some(&measured.prometheus));
    let app = site.start().await;
    site.share_read(25).await;
    // Alertmanager sends it once: from then on its name and series are known.
    measured.set("slow", 2.0);
    site.incident("the first rollback", |i| i.steps.iter().any(|step| step.outcome.is_done())).await;
    measured.set("slow", 0.0);
    site.incident("its end", |incident| incident.closed_at.is_some()).await;
    let late = "backstop_decisions_total{rollout=\"missed\",reason=\"resolved_elsewhere\"}";
    wait_for("its resolve", || async {
        let in_time = site
            .incidents()
            .await
            .iter()
            .all(|incident| incident.alerts.iter().all(|attached| attached.alert.ends_at.is_some()));
        (in_time || site.metric(late).await > 0.0).then_some(())
    })
    .await;
    measured.until("ALERTS{alertname=\"Slow\"}", false).await;
    site.share_read(0).await;
    app.shutdown().await.expect("drained");

    measured.alertmanager.kill().await;
    apis[0].set_share(25);
    measured.set("slow", 2.0);
    measured.until("ALERTS{alertname=\"Slow\",alertstate=\"firing\"}", true).await;
    measured.set("slow", 0.0);
    measured.until("slow == 0", true).await;
    assert_eq!(apis[0].share(), 25, "nobody was there to act");
    // The first one's store lets go of its lock a moment after it has ended.
    let again = || async { backstop::app::App::start(&site.parsed()).await.ok() };
    let app = wait_for("the lock of the first to go", again).await;
    let found = |incident: &backstop::web::IncidentView| {
        let why = incident.decisions.iter().find_map(|decision| decision.reason);
        why.is_some_and(|why| why.as_str() == "missed_while_down")
            && incident.steps.iter().any(|step| step.outcome.is_done())
    };
    site.incident("the second rollback", found).await;
    assert_eq!(apis[0].share(), 0);
    app.shutdown().await.expect("drained");
}

/// Waits for a finished verification whose expressions came out so, and returns what it said.
async fn expressions(site: &Site, rollout: &str, wanted: CheckOutcome) -> String {
    let check = |incident: &backstop::web::IncidentView| {
        let checks = &incident.verification.as_ref()?.checks;
        checks.iter().find(|check| check.name == CheckName::AlertExpression).cloned()
    };
    let seen = |incident: &backstop::web::IncidentView| {
        incident.rollout == rollout && check(incident).is_some_and(|check| check.outcome == wanted)
    };
    let incident = site.incident(&format!("{rollout}: {wanted:?}"), seen).await;
    check(&incident).expect("just seen").detail
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_went_away_is_unknown_and_no_recovery() {
    let (site, apis) = rollouts(&["guarded"], "8s", "8s").await;
    let rules = rule("Errors", "errs > 0.03 and reqs >= 20", "critical", "guarded");
    let measured = Measured::new(&site, &rules, &[]).await;
    configure(&site, &[&measured.alertmanager], Some(&measured.prometheus));
    let app = site.start().await;
    site.share_read(25).await;
    measured.set("errs", 0.9);
    measured.set("reqs", 100.0);
    site.incident("the verification", |incident| incident.state == "verifying").await;
    // The canary has no traffic any more: what is left is too little to judge by, and as bad as before.
    measured.set("reqs", 3.0);
    let said = expressions(&site, "guarded", CheckOutcome::Unknown).await;
    assert!(said.contains("0.9, but `reqs` is 3, >= 20 is needed to judge"), "{said}");
    assert_eq!(apis[0].share(), 0);
    app.shutdown().await.expect("drained");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_applications_that_share_an_alerts_name_are_verified_each_by_its_own_rule() {
    let (site, _apis) = rollouts(&["one", "other"], "8s", "8s").await;
    let rules = [
        rule("Slow", "slow{app=\"one\"} > 1", "critical", "one"),
        rule("Slow", "slow{app=\"other\"} > 1", "critical", "other"),
    ];
    let measured = Measured::new(&site, &rules.join("\n"), &[]).await;
    configure(&site, &[&measured.alertmanager], Some(&measured.prometheus));
    let app = site.start().await;
    site.share_read(25).await;
    measured.set("slow{app=\"one\"}", 2.0);
    measured.set("slow{app=\"other\"}", 5.0);
    let rolls_back = |name: &'static str| {
        move |incident: &backstop::web::IncidentView| {
            incident.rollout == name && incident.state == "verifying"
        }
    };
    tokio::join!(
        site.incident("the one", rolls_back("one")),
        site.incident("the other", rolls_back("other")),
    );
    measured.set("slow{app=\"one\"}", 0.5);
    let (one, other) = tokio::join!(
        expressions(&site, "one", CheckOutcome::Pass),
        expressions(&site, "other", CheckOutcome::Fail),
    );
    assert_eq!((one.as_str(), other.as_str()), ("Slow: 0.5 is not > 1", "Slow: still 5 > 1"));
    app.shutdown().await.expect("drained");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clusters_watchdog_vouches_for_nobody_else() {
    use crate::support::aged::Aged;
    use crate::support::alerting::alertmanager;
    use backstop::clock::{Clock, SystemClock};
    use chrono::TimeDelta;

    let (site, apis) = rollouts(&["orphaned", "watched"], "6s", "3s").await;
    let real = alertmanager(&site).await;
    let aged = Aged::new(&real).await;
    configure_urls(&site, std::slice::from_ref(&aged.url), None);
    let app = site.start().await;
    site.share_read(25).await;
    let tell = |labels: serde_json::Value, seconds: i64| {
        let url = format!("{}/api/v2/alerts", real.url());
        let (since, until) = (SystemClock.now(), SystemClock.now() + TimeDelta::seconds(seconds));
        let alert = serde_json::json!([{ "labels": labels, "annotations": {}, "generatorURL": "",
            "startsAt": since.to_rfc3339(), "endsAt": until.to_rfc3339() }]);
        async move {
            let reply = reqwest::Client::new().post(url).json(&alert).send().await.expect("an answer");
            assert!(reply.status().is_success());
        }
    };
    // One cluster's Prometheus lives, and its Watchdog says so; the other's died right after its alert.
    tell(serde_json::json!({ "alertname": "Watchdog", "severity": "none", "cluster": "us" }), 300).await;
    for (rollout, cluster) in [("orphaned", "eu"), ("watched", "us")] {
        let labels = serde_json::json!({ "alertname": "Slow", "severity": "warning", "rollout": rollout,
            "canary_rollback": "true", "cluster": cluster });
        tell(labels, 3).await;
    }
    let end = |name: &'static str| {
        move |incident: &backstop::web::IncidentView| incident.rollout == name && incident.closed_at.is_some()
    };
    let orphaned = site.incident("the end of the one", end("orphaned")).await;
    let why = (orphaned.state.as_str(), orphaned.reason.as_str(), apis[0].share());
    assert_eq!(why, ("rolled_back", "unverified", 0));
    let watched = site.incident("the end of the other", end("watched")).await;
    assert_eq!((watched.state.as_str(), watched.reason.as_str()), ("cancelled", "resolved_confirmed"));
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_server_from_before_utf8_names_refuses_them_by_name_and_takes_the_rest() {
    let (site, _apis) = rollouts(&["names"], "6s", "3s").await;
    prepare();
    let measured = Measured::new(&site, &rule("Slow", "slow > 1", "page", "names"), &[]).await;
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    let url = reqwest::Url::parse(&measured.prometheus.url()).expect("a URL");
    let prometheus = Prometheus::new(outbound, url);
    match prometheus.query("ALERTS{\"deploy.rollout\"=\"x\"}").await {
        Ok(found) => assert!(found.is_empty(), "a newer server takes it"),
        Err(error) => assert!(matches!(error, SignalError::Refused(_)), "{error}"),
    }
    assert_eq!(prometheus.query("ALERTS{alertname=\"Slow\"}").await, Ok(Vec::new()));
}
