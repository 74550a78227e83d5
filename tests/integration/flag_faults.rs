//! A flag API that lets Backstop down, and what people can do about it.

use backstop::demo::trading_api::{Fault, TradingApi};
use backstop::evidence::EvidenceDir;
use backstop::incident::StepOutcome;
use backstop::web::RolloutView;
use serde_json::json;

use crate::support::{Site, body, now, wait_for};

fn critical() -> String {
    body("CanaryErrorRateCritical", "critical", &now(), None)
}

#[tokio::test]
async fn an_api_that_answers_200_and_changes_nothing_is_not_believed() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    api.fault(Fault::Lies, Fault::None);
    assert_eq!(site.post(critical()).await, 200);
    let failed = site.incident("the failure", |incident| incident.state == "failed").await;
    // The reason is the rollback's own; why it failed stands beside it.
    assert_eq!((failed.reason.as_str(), failed.state_reason.as_str()), ("critical_alert", "step_failed"));
    assert_eq!(api.share(), 25);
    assert!(failed.steps[0].attempts.len() > 1, "it was tried again");
    assert!(failed.notifications.iter().any(|notification| notification.kind == "rollback_failed"));

    api.fault(Fault::None, Fault::None);
    let (status, _) = site
        .ask("/api/v1/rollouts/spark-trading/rollback", json!({ "reason": "mended", "actor": "ada" }))
        .await;
    assert_eq!(status, 202);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((done.id, api.share()), (failed.id, 0));
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn while_an_api_refuses_a_person_sees_what_was_sent_and_what_it_answered() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    api.fault(Fault::Status(500), Fault::None);
    assert_eq!(site.post(critical()).await, 200);
    let trying = || async { site.read::<Vec<RolloutView>>("/api/v1/rollouts").await?.pop()?.trying };
    let seen = wait_for("a second request's answer", || async {
        trying().await.filter(|trying| trying.requests >= 2 && trying.last_answer.is_some())
    })
    .await;
    let answer = seen.last_answer.unwrap_or_default();
    assert!(answer.starts_with("not carried out") && answer.contains("not now"), "{answer}");
    api.fault(Fault::None, Fault::None);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!(trying().await, None, "the incident lists them now");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn without_a_place_to_read_one_acknowledged_post_is_all_there_is() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    site.edit(&format!("read_url = \"{}?feature=v1.4.0\"\n", api.url("/api/features/rollout")), "");
    let app = site.start().await;
    assert_eq!(site.post(critical()).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let outcomes: Vec<_> = done.steps[0].attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!((outcomes.as_slice(), api.sets().len()), ([StepOutcome::DoneUnread].as_slice(), 1));
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn evidence_is_there_within_a_moment_while_every_other_system_is_down() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    api.fault(Fault::Status(503), Fault::Status(503));
    assert_eq!(site.post(critical()).await, 200);
    let evidence = EvidenceDir::new(site.evidence());
    let (listed, text) = wait_for("the evidence", || async {
        let listed = evidence.list().ok()?.pop()?;
        let text = evidence.show(&listed.name, false).ok()?;
        Some((listed, text))
    })
    .await;
    assert_ne!(listed.state, "rolled_back", "it says only what was seen");
    assert!(text.contains("Reason: CanaryErrorRateCritical\nTriggered By: Automatic\n"), "{text}");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_canary_at_0_percent_is_declined_by_name_and_left_alone() {
    let api = TradingApi::start(0, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    assert_eq!(site.post(critical()).await, 200);
    let declined = site.incident("the decision", |incident| incident.state == "declined").await;
    assert_eq!(declined.reason, "no_canary");
    assert!(api.sets().is_empty(), "nothing was set");
    let asked = json!({ "reason": "looks bad", "actor": "ada", "stage": 2 });
    let (status, view) = site.ask("/api/v1/rollouts/spark-trading/rollback", asked).await;
    assert_eq!((status, view["reason"].as_str()), (200, Some("no_canary")));
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn people_hold_resume_and_acknowledge_a_grace_and_nobody_else_does() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("1h", &api);
    let app = site.start().await;
    site.post(body("CanaryLatencyP95Warning", "warning", &now(), None)).await;
    let grace = site.incident("the grace", |incident| incident.state == "grace").await;
    let path = |action: &str| format!("/api/v1/incidents/{}/{action}", grace.id);
    let anonymous = reqwest::Client::new().post(site.url(&path("hold"))).send().await.expect("an answer");
    assert_eq!(anonymous.status(), 401);
    for (action, body, status, state) in [
        ("resume", json!({}), 409, ""),
        ("hold", json!({ "actor": "ada", "for": "10m" }), 200, "held"),
        ("hold", json!({ "actor": "ada", "for": "soon" }), 400, ""),
        ("acknowledge", json!({ "actor": "ada" }), 200, "held"),
        ("resume", json!({ "actor": "ada" }), 200, "grace"),
    ] {
        let (answered, view) = site.ask(&path(action), body).await;
        assert_eq!((answered, view["state"].as_str().unwrap_or("")), (status, state), "{action}: {view}");
    }
    let (missing, _) = site.ask("/api/v1/incidents/none/hold", json!({})).await;
    assert_eq!(missing, 404);
    app.shutdown().await.expect("drained");
}
