//! What a stage's criterion makes of Prometheus' answers: the real one's, and those of whoever else answers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use backstop::clock::{Clock, SystemClock};
use backstop::config::Config;
use backstop::demo::trading_api::TradingApi;
use backstop::incident::{
    Bound, Criterion, CriterionName, GateReason, GateVerdict, Judgement, OnFail, Question, RangeQuery, Unit,
};
use backstop::outbound::Outbound;
use backstop::ramp::{Answer, Judge, Metric, StageSpan, judge_answer};
use backstop::signals::{Prometheus, QueryJudge, known_metrics};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::measured::Measured;
use crate::support::{Site, prepare, rollout_toml, wait_for};

/// An application that the real Prometheus watches, and the folder that it writes into.
async fn watched_application() -> (Site, Measured) {
    prepare();
    let api = TradingApi::start(0, 0).await.expect("started");
    let site = Site::new("#monitoring", &rollout_toml("judged", "{ rollout = \"judged\" }", "8s", &api));
    let measured = Measured::new(&site, "", &[]).await;
    (site, measured)
}

fn prometheus(url: &str) -> Prometheus {
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    Prometheus::new(outbound, Url::parse(url).expect("a URL"))
}

fn judge(url: &str) -> QueryJudge {
    QueryJudge { source: Arc::new(prometheus(url)) }
}

fn criterion(query: RangeQuery) -> Criterion {
    Criterion {
        name: CriterionName::new("c"),
        title: "C".to_owned(),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question: Question::Query(query),
    }
}

fn below(expression: &str, bound: f64) -> RangeQuery {
    RangeQuery {
        expression: expression.to_owned(),
        bound: Bound::Below(bound),
        unit: Unit::Count,
        window_seconds: 0,
        since_stage_began: false,
        samples: None,
        min_samples: 0,
    }
}

/// A stage of five seconds that began then, now, with a point each second.
fn stage(began_at: DateTime<Utc>) -> StageSpan {
    StageSpan::new(began_at, SystemClock.now(), 5)
}

/// Asks until there is such a verdict, and says what it was.
async fn until(
    judge: &QueryJudge,
    criterion: &Criterion,
    began: DateTime<Utc>,
    reason: GateReason,
) -> Judgement {
    wait_for(reason.as_str(), || async {
        let span = stage(began);
        let asked = judge.ask(criterion, &span).await;
        // As the evidence has it.
        let written = serde_json::to_string(&asked.answer).expect("JSON");
        let read: Answer = serde_json::from_str(&written).expect("as written");
        let judgement = judge_answer(&asked.answer, criterion, &span);
        assert_eq!(judge_answer(&read, criterion, &span), judgement);
        (judgement.reason == reason).then_some(judgement)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn criteria_are_judged_by_what_the_real_prometheus_has_of_the_stage() {
    let (_site, mut measured) = watched_application().await;
    let judge = judge(&measured.prometheus.url());
    measured.set("depth", 1.0);
    measured.until("depth", true).await;
    let began = SystemClock.now() + TimeDelta::seconds(1);
    let depth = criterion(below("max(depth)", 2.0));
    // Each target's errors, or 0 while it is up: what has no series yet is counted from nothing.
    let errors = "sum by (instance) (errors_total) or 0 * sum by (instance) (up)";
    let errors =
        criterion(RangeQuery { bound: Bound::AtMost(0.0), since_stage_began: true, ..below(errors, 0.0) });
    let counted = criterion(RangeQuery {
        samples: Some(
            "sum(max_over_time(served_total[$stage]) - min_over_time(served_total[$stage]))".to_owned(),
        ),
        min_samples: 10,
        ..below("max(depth)", 2.0)
    });
    measured.set("served_total", 100.0);

    let passed = until(&judge, &depth, began, GateReason::Within).await;
    assert_eq!((passed.verdict, passed.value), (GateVerdict::Pass, Some(1.0)), "{passed:?}");
    until(&judge, &errors, began, GateReason::Within).await;
    until(&judge, &counted, began, GateReason::TooFewSamples).await;

    measured.set("served_total", 110.0);
    measured.set("errors_total", 1.0);
    measured.set("depth", 3.0);
    until(&judge, &counted, began, GateReason::OutsideNow).await;
    let failed = until(&judge, &errors, began, GateReason::OutsideNow).await;
    assert_eq!((failed.verdict, failed.value), (GateVerdict::Fail, Some(1.0)), "{failed:?}");

    let absent = criterion(below("max(nobody_has_this)", 1.0));
    until(&judge, &absent, began, GateReason::NoData).await;
    let several = criterion(below("{__name__=~\"depth|errors_total\"}", 9.0));
    until(&judge, &several, began, GateReason::SeveralSeries).await;
    let no_number = criterion(below("max(depth) * 0 / 0", 9.0));
    until(&judge, &no_number, began, GateReason::NotANumber).await;
    let no_promql = criterion(below("max(depth", 9.0));
    let refused = until(&judge, &no_promql, began, GateReason::NoAnswer).await;
    assert!(refused.detail.contains("status 400"), "{refused:?}");

    measured.prometheus.kill().await;
    let gone = until(&judge, &depth, began, GateReason::NoAnswer).await;
    assert_eq!(gone.verdict, GateVerdict::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_that_only_another_application_has_is_not_there() {
    let (_site, mut measured) = watched_application().await;
    measured.set("depth", 1.0);
    measured.until("depth", true).await;
    let of = |whose: &str, name: &str| Metric { whose: whose.to_owned(), name: name.to_owned() };
    let ours = [of("job=\"app\"", "depth"), of("job=~\"app|\",env=\"test\"", "up"), of("", "depth")];
    let not_there =
        [of("job=\"other\"", "depth"), of("job=\"app\"", "deep"), of("job=\"app\",env=\"x\"", "up")];
    let wanted = ours.iter().chain(&not_there).collect();
    let found = known_metrics(&prometheus(&measured.prometheus.url()), &wanted).await;
    assert_eq!(found.expect("answered"), BTreeSet::from(ours.clone()));
    measured.prometheus.kill().await;
    assert!(known_metrics(&prometheus(&measured.prometheus.url()), &wanted).await.is_err());
}

/// The query of a shipped criterion, for this application, judged as soon as its stage begins.
fn shipped(name: &str) -> Criterion {
    let toml =
        format!("{ROLLOUT}[rollouts.metrics]\nselector = 'job=\"app\"'\ncanary = 'track=\"canary\"'\n");
    let rollout = Config::parse(&toml, Path::new("/etc/backstop.toml")).expect("valid").rollouts.remove(0);
    let all = rollout.ramp.criteria.load(&rollout).expect("valid").all;
    let found = all.into_iter().find(|one| one.criterion.name.as_str() == name).expect("shipped").criterion;
    let Question::Query(query) = found.question else { panic!("{name} is no query") };
    criterion(RangeQuery { window_seconds: 0, ..query })
}

const ROLLOUT: &str = "[[rollouts]]\nname = \"judged\"\ntraffic = { kind = \"feature-flag\", url = \"http://127.0.0.1:1/\", feature = \"f\", read_url = \"http://127.0.0.1:1/\" }\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_born_with_its_first_block_or_violation_is_seen_by_the_shipped_criteria() {
    let (_site, mut measured) = watched_application().await;
    let judge = judge(&measured.prometheus.url());
    measured.until("count_over_time(up[1m]) > 4", true).await;
    let began = SystemClock.now();
    let (blocks, violations) = (shipped("risk-blocks"), shipped("csp-violations"));
    for none in [&blocks, &violations] {
        let passed = until(&judge, none, began, GateReason::Within).await;
        assert_eq!(passed.value, Some(0.0), "{passed:?}");
    }
    // Each in one scrape, and no more of them ever: rate() and increase() say 0.
    measured.set("spark_risk_block_total{reason=\"limit\"}", 5.0);
    measured.set("csp_violations_total", 600.0);
    for (born, value) in [(&blocks, 1.0), (&violations, 2.0)] {
        let failed = until(&judge, born, began, GateReason::OutsideNow).await;
        assert_eq!((failed.verdict, failed.value), (GateVerdict::Fail, Some(value)), "{failed:?}");
    }
    measured.prometheus.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_not_scraped_is_not_taken_for_one_without_errors() {
    let (_site, mut measured) = watched_application().await;
    let judge = judge(&measured.prometheus.url());
    measured.until("count_over_time(up[1m]) > 4", true).await;
    let began = SystemClock.now();
    let without_errors =
        ["risk-blocks", "csp-violations", "money-errors", "position-violations"].map(shipped);
    for none in &without_errors {
        until(&judge, none, began, GateReason::Within).await;
    }
    measured.fail();
    // Those that count from the stage's start know of a target that was there.
    let reasons = [GateReason::NoData, GateReason::NoData, GateReason::Gaps, GateReason::Gaps];
    for (unseen, reason) in without_errors.iter().zip(reasons) {
        assert_eq!(until(&judge, unseen, began, reason).await.verdict, GateVerdict::Unknown);
    }
    measured.prometheus.kill().await;
}

/// Answers everything alike; ends when dropped.
async fn stranger(status: u16, body: String) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let status = axum::http::StatusCode::from_u16(status).expect("a status");
    let answer = move || async move { (status, body.clone()).into_response() };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        axum::serve(listener, Router::new().fallback(answer)).await.expect("served");
    });
    (url, tasks)
}

#[tokio::test]
async fn an_answer_that_is_not_whole_or_not_prometheus_is_none() {
    prepare();
    let began_at = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000);
    let span = StageSpan::new(began_at, began_at, 5);
    let matrix = |beside: &str, element: &str| {
        format!(
            "{{\"status\":\"success\"{beside},\"data\":{{\"resultType\":\"matrix\",\"result\":[{element}]}}}}"
        )
    };
    let one = "{\"metric\":{},\"values\":[[1700000000,\"0.5\"]]}";
    let many = vec![one; 1_001].join(",");
    for (status, body, reason, words) in [
        (200, matrix("", one), GateReason::Within, "0.5 < 1"),
        (200, matrix(",\"infos\":[\"no counter\"]", one), GateReason::Within, "0.5 < 1"),
        (
            200,
            matrix(",\"warnings\":[\"a store is away\"]", one),
            GateReason::NoAnswer,
            "partial: a store is away",
        ),
        (200, matrix(",\"isPartial\":true", one), GateReason::NoAnswer, "partial"),
        (200, matrix("", ""), GateReason::NoData, "no such series"),
        (200, matrix("", &many), GateReason::NoAnswer, "1001 series came: sum them"),
        (
            200,
            matrix("", "{\"metric\":{},\"values\":[[1700000000,\"high\"]]}"),
            GateReason::NoAnswer,
            "\"high\" is no value",
        ),
        (
            200,
            matrix("", "{\"metric\":{},\"value\":[1700000000,\"0.5\"]}"),
            GateReason::NoAnswer,
            "not the JSON expected",
        ),
        (200, "<html>log in</html>".to_owned(), GateReason::NoAnswer, "is the address right?"),
        (200, "x".repeat((16 << 20) + 1), GateReason::NoAnswer, "longer than"),
        (302, String::new(), GateReason::NoAnswer, "status 302"),
        (401, String::new(), GateReason::NoAnswer, "check the token"),
        (422, "too many points".to_owned(), GateReason::NoAnswer, "too many points"),
        (503, "starting".to_owned(), GateReason::NoAnswer, "starting"),
    ] {
        let (url, _server) = stranger(status, body).await;
        let found = judge(&url).judged(&criterion(below("x", 1.0)), &span).await;
        assert!(found.reason == reason && found.detail.contains(words), "{status} {words}: {found:?}");
    }
    // The same for how many there were, which is asked by an instant query.
    let (url, _server) = stranger(200, matrix("", one)).await;
    let sampled = RangeQuery { samples: Some("y".to_owned()), min_samples: 1, ..below("x", 1.0) };
    let found = judge(&url).judged(&criterion(sampled), &span).await;
    assert!(
        found.reason == GateReason::NoAnswer && found.detail.contains("how many there were"),
        "{found:?}"
    );
}
