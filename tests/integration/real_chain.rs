//! The real Prometheus evaluates the shipped rules over real scrapes, the real Alertmanager posts,
//! Backstop acts. One application, one namespace and one rollout a case, all at the same time.

use backstop::app::App;
use backstop::demo::trading_api::Regression;
use backstop::web::IncidentView;

use crate::support::chain::Chain;
use crate::support::wait_for;

/// What a case has to end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Rolled back at once for this alert.
    AtOnce(&'static str),
    /// Rolled back at the end of the grace for this alert.
    AfterGrace(&'static str),
    /// Cancelled, because the alert resolved in its grace.
    Cancelled,
    /// No incident at all.
    Nothing,
}

struct Case {
    name: &'static str,
    regression: Regression,
    grace: &'static str,
    end: End,
}

fn cases() -> Vec<Case> {
    let healthy = Regression::default();
    let case = |name, regression, end| Case { name, regression, grace: "8s", end };
    vec![
        case(
            "latency",
            Regression { slow_ratio: 1.0, slow_seconds: 0.45, ..healthy },
            End::AtOnce("CanaryLatencyP95Critical"),
        ),
        case("errors", Regression { error_ratio: 1.0, ..healthy }, End::AtOnce("CanaryErrorRateCritical")),
        case(
            "bist",
            Regression { bist_staleness_seconds: 121.0, ..healthy },
            End::AtOnce("BistStalenessCritical"),
        ),
        case(
            "csp",
            Regression { csp_violations_per_request: 10.0, ..healthy },
            End::AtOnce("CspViolationStorm"),
        ),
        case(
            "conflicts",
            Regression { conflict_ratio: 1.0, ..healthy },
            End::AtOnce("IdempotencyConflictStorm"),
        ),
        case("pool", Regression { pool_active: 19.0, ..healthy }, End::AtOnce("PgBouncerSaturation")),
        case(
            "slower",
            Regression { slow_ratio: 1.0, slow_seconds: 0.28, ..healthy },
            End::AfterGrace("CanaryLatencyP95Warning"),
        ),
        case(
            "some-errors",
            Regression { error_ratio: 0.09, ..healthy },
            End::AfterGrace("CanaryErrorRateWarning"),
        ),
        case(
            "queries",
            Regression { slow_query_ratio: 1.0, ..healthy },
            End::AfterGrace("DatabaseSlowQueries"),
        ),
        Case {
            grace: "60s",
            ..case("recovers", Regression { slow_ratio: 1.0, slow_seconds: 0.28, ..healthy }, End::Cancelled)
        },
        case("healthy", healthy, End::Nothing),
        case(
            "nearly",
            Regression { error_ratio: 0.04, pool_active: 18.0, bist_staleness_seconds: 120.0, ..healthy },
            End::Nothing,
        ),
    ]
}

async fn chain(cases: &[Case]) -> (Chain, App) {
    let rollouts: Vec<_> = cases.iter().map(|case| (case.name, case.grace)).collect();
    Chain::start(&rollouts).await
}

/// How an incident ended as far as its case asks; `None` while it goes on.
fn end_of(incident: &IncidentView, wanted: End) -> Option<bool> {
    let names = |alert: &str| incident.alerts.iter().any(|attached| attached.alert.name() == alert);
    let took_off = incident.steps.iter().any(|step| step.outcome.is_done());
    match wanted {
        End::AtOnce(alert) => took_off.then(|| names(alert) && incident.severity == "critical"),
        End::AfterGrace(alert) => {
            let after = incident
                .grace_ends_at
                .is_some_and(|ends_at| incident.steps.iter().all(|step| step.started_at >= ends_at));
            took_off.then(|| names(alert) && incident.severity == "warning" && after)
        }
        End::Cancelled => (incident.state != "grace").then(|| incident.state == "cancelled" && !took_off),
        End::Nothing => Some(false),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alert_of_the_protocol_ends_in_the_right_action_or_none() {
    let cases = cases();
    let (chain, app) = chain(&cases).await;
    chain.serve_well().await;
    for (case, api) in cases.iter().zip(&chain.apis) {
        api.inject(case.regression);
        // Ratios look back for minutes: with as few requests as before, the longer a loaded machine
        // took to get here, the longer the healthy ones would hide what now fails.
        api.set_requests_per_second(2_000);
    }
    let recovering = cases.iter().position(|case| case.end == End::Cancelled).expect("a case that recovers");
    chain
        .site
        .incident("the grace that recovers", |incident| {
            incident.rollout == cases[recovering].name && incident.state == "grace"
        })
        .await;
    chain.apis[recovering].inject(Regression::default());
    chain.apis[recovering].set_requests_per_second(50_000);

    for (case, api) in cases.iter().zip(&chain.apis).filter(|(case, _)| case.end != End::Nothing) {
        let right = wait_for(&format!("{}: {:?}", case.name, case.end), || async {
            let incidents = chain.site.incidents().await;
            incidents
                .iter()
                .find(|incident| incident.rollout == case.name)
                .and_then(|incident| end_of(incident, case.end))
        })
        .await;
        let incidents = chain.site.incidents().await;
        let of_case: Vec<_> = incidents.iter().filter(|incident| incident.rollout == case.name).collect();
        assert!(right, "{}: wanted {:?}, got {of_case:#?}", case.name, case.end);
        assert_eq!(api.share(), if case.end == End::Cancelled { 25 } else { 0 }, "{}", case.name);
        assert_eq!(of_case.len(), 1, "{}: one incident", case.name);
    }
    for (case, api) in cases.iter().zip(&chain.apis).filter(|(case, _)| case.end == End::Nothing) {
        assert!(api.sets().is_empty() && api.share() == 25, "{} was touched", case.name);
        assert!(
            chain.site.incidents().await.iter().all(|incident| incident.rollout != case.name),
            "{}",
            case.name
        );
    }
    app.shutdown().await.expect("drained");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_that_fired_and_resolved_while_backstop_was_down_is_found_in_prometheus() {
    let regression = Regression { bist_staleness_seconds: 300.0, ..Regression::default() };
    let end = End::AtOnce("BistStalenessCritical");
    let cases = [Case { name: "missed", regression, grace: "8s", end }];
    let (chain, app) = chain(&cases).await;
    let alerts = reqwest::Url::parse(&format!("{}/api/v1/alerts", chain.prometheus.url())).expect("a URL");
    let fires = |wanted: bool| {
        let alerts = alerts.clone();
        wait_for("the alert in Prometheus", move || {
            let alerts = alerts.clone();
            async move {
                let text = reqwest::get(alerts).await.ok()?.text().await.ok()?;
                (text.contains("Watchdog") && firing_bist(&text) == wanted).then_some(())
            }
        })
    };
    // It has been at work, and has left the sign of life from which the next one looks back.
    chain.shares_are_read().await;
    let Chain { site, apis, mut alertmanager, prometheus: _running } = chain;
    app.shutdown().await.expect("drained");
    // Its retries could still bring the alert: here only Prometheus remembers.
    alertmanager.kill().await;
    apis[0].inject(regression);
    fires(true).await;
    apis[0].inject(Regression::default());
    fires(false).await;

    assert_eq!(apis[0].share(), 25, "nobody was there to act");
    let app = site.start().await;
    let done = site
        .incident("the rollback", |incident| incident.steps.iter().any(|step| step.outcome.is_done()))
        .await;
    assert_eq!(
        (done.decisions[0].reason.map(|reason| reason.as_str()), apis[0].share()),
        (Some("missed_while_down"), 0)
    );
    app.shutdown().await.expect("drained");
}

/// Whether Prometheus' list of alerts has the BIST alert as firing.
fn firing_bist(text: &str) -> bool {
    let list: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let alerts = list["data"]["alerts"].as_array().cloned().unwrap_or_default();
    alerts
        .iter()
        .any(|alert| alert["labels"]["alertname"] == "BistStalenessCritical" && alert["state"] == "firing")
}
