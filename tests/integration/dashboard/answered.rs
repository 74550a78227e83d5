//! The real Prometheus answers every expression.

use std::time::Duration;

use backstop::demo::monitoring::{PrometheusSettings, ScrapeTarget, Server};
use backstop::demo::trading_api::{Regression, TradingApi};
use serde_json::Value;

use super::{asked, dashboard};
use crate::support::alerting::programs;
use crate::support::{Site, body, now, project, wait_for};

/// Canary and stable as pods of their own would be scraped, and Backstop, with the shipped rules.
async fn prometheus(site: &Site, canary: &TradingApi, stable: &TradingApi) -> Server {
    let application = |api: &TradingApi, track: &str| ScrapeTarget {
        job: "spark-trading".to_owned(),
        address: api.address(),
        path: "/api/public/metrics.prom".to_owned(),
        labels: vec![("track".to_owned(), track.to_owned())],
    };
    let backstop = ScrapeTarget {
        job: "backstop".to_owned(),
        address: site.parsed().server.admin_listen,
        path: "/metrics".to_owned(),
        labels: Vec::new(),
    };
    let rule = |name: &str| project().join("alert-rules").join(name);
    let settings = PrometheusSettings {
        targets: vec![application(canary, "canary"), application(stable, "stable"), backstop],
        rule_files: ["critical.yml", "warning.yml", "backstop.yml"].map(rule).to_vec(),
        alertmanagers: Vec::new(),
        interval: Duration::from_secs(1),
        resend_delay: Duration::from_secs(2),
        alert_relabel_configs: Vec::new(),
    };
    programs().prometheus(site.folder.path(), &settings).await.expect("Prometheus")
}

/// Times, which are asked for where they are not 0.
const ONLY_WITH_A_RAMP: [&str; 2] =
    ["backstop_ramp_stage_ends_timestamp_seconds", "backstop_ramp_stage_started_timestamp_seconds"];

/// The values that an expression has now. One that Prometheus refuses fails the test.
async fn values(prometheus: &Server, expression: &str) -> Vec<f64> {
    let url = format!("{}/api/v1/query", prometheus.url());
    let url = reqwest::Url::parse_with_params(&url, [("query", expression)]).expect("a URL");
    let answer: Value = reqwest::get(url).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["status"], "success", "{expression}: {answer}");
    let result = answer["data"]["result"].as_array().expect("a vector");
    let value = |sample: &Value| sample["value"][1].as_str()?.parse().ok();
    result.iter().map(|sample| value(sample).expect("a number")).collect()
}

/// Waits until an expression has values that are numbers.
async fn answered(prometheus: &Server, by: &str, expression: &str) -> Vec<f64> {
    wait_for(&format!("{by}: {expression}"), || async {
        let values = values(prometheus, expression).await;
        (!values.is_empty() && values.iter().all(|value| value.is_finite())).then_some(values)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_is_answered_by_prometheus_once_there_was_a_warning_and_a_rollback() {
    let canary = TradingApi::start(25, 200).await.expect("started");
    let stable = TradingApi::start(0, 200).await.expect("started");
    let site = Site::simple("1h", &canary);
    let app = site.start().await;
    site.share_read(25).await;
    let prometheus = prometheus(&site, &canary, &stable).await;
    // What rises before the first scrape rises for nobody.
    answered(&prometheus, "Backstop's series", "backstop_rollbacks_total == 0").await;
    answered(&prometheus, "the canary's", "http_requests_total{track=\"canary\",status=\"500\"} == 0").await;
    canary.inject(Regression { error_ratio: 1.0, ..Regression::default() });
    assert_eq!(site.post(body("CanaryLatencyP95Warning", "warning", &now(), None)).await, 200);
    site.incident("the grace", |incident| incident.state == "grace").await;
    answered(&prometheus, "the errors", "http_requests_total{track=\"canary\",status=\"500\"} > 0").await;
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    site.incident("the rollback", |incident| incident.steps.iter().any(|step| step.outcome.is_done())).await;

    let mut ratios = Vec::new();
    for asked in asked(&dashboard()) {
        if ONLY_WITH_A_RAMP.iter().any(|name| asked.expression.contains(name)) {
            // There is none here; that Prometheus takes the question is all that can be seen.
            values(&prometheus, &asked.expression).await;
            continue;
        }
        let values = answered(&prometheus, &asked.by, &asked.expression).await;
        if asked.is_protocols {
            assert_eq!(values.len(), 1, "{}: one line a version: {values:?}", asked.by);
        }
        if asked.by == "Error Rate" {
            ratios.push(values[0]);
        }
    }
    assert!(matches!(ratios[..], [canary, stable] if canary > 0.0 && stable == 0.0), "{ratios:?}");
    app.shutdown().await.expect("drained");
}
