//! Each step with 0, 1, 2, 3 and 5 ready pods of stable, on both kinds of routers.

use backstop::execution::ActError;
use backstop::incident::{Share, Step};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use serde_json::json;

use crate::controlplane::{AuditEvent, shared, wait_for};
use crate::rollouts::{Rollout, Router};

const OFF: Step = Step::Shift { share: Share::ZERO, ready_at_least: 3 };
const UP: Step = Step::StableUp { replicas: 3 };
const DOWN: Step = Step::CanaryDown { ready_at_least: 3 };

fn is_not_now<T: std::fmt::Debug>(applied: &Result<T, ActError>) -> bool {
    matches!(applied, Err(ActError::NotNow(_)))
}

/// The whole way, with everything asked for at the wrong time first.
async fn roll_back(router: Router, ready: u16) {
    let name = format!("{router:?}-{ready}").to_lowercase();
    let rollout = Rollout::new(&name, router, ready).await;
    let before = rollout.observe().await;
    assert_eq!((before.share, before.bypasses.len(), &before.obstacle), (Share(25), 0, &None), "{name}");
    assert_eq!(before.revision.as_ref().map(|revision| revision.as_str()), Some("1"));

    let (too_early, is_short) = (rollout.apply(DOWN).await, ready < 3);
    assert!(is_not_now(&too_early), "{name}: it has traffic: {too_early:?}");
    if is_short {
        let applied = rollout.apply(OFF).await;
        assert!(is_not_now(&applied), "{name}: {applied:?}");
        assert_eq!(rollout.observe().await.share, Share(25), "{name}");
    }
    if ready == 0 {
        let applied = rollout.apply(Step::TrafficOff).await;
        assert!(is_not_now(&applied), "{name}: nobody would serve: {applied:?}");
    }

    // A larger number is somebody's decision.
    rollout.apply(UP).await.expect("scaled");
    let scaled = rollout.workloads.api::<Deployment>().get_scale("stable").await.expect("a Scale");
    assert_eq!(scaled.spec.and_then(|spec| spec.replicas), Some(i32::from(ready.max(3))), "{name}");
    rollout.pods_are(ready.max(3), 1).await;

    let lower = Step::Shift { share: Share(10), ready_at_least: 2 };
    rollout.apply(lower).await.expect("moved");
    assert_eq!(rollout.observe().await.share, Share(10), "{name}");
    rollout.apply(OFF).await.expect("moved");
    if router == Router::Gateway {
        let lags = rollout.observe().await;
        assert!(lags.share == Share::ZERO && !lags.is_off(), "{name}: no gateway knows it yet: {lags:?}");
        assert!(is_not_now(&rollout.apply(DOWN).await), "{name}");
        rollout.accept_route().await;
    }
    assert!(rollout.observe().await.is_off(), "{name}");
    rollout.apply(DOWN).await.expect("scaled");
    rollout.pods_are(ready.max(3), 0).await;

    // Nobody but those who were asked changed it, and we say who we are.
    let mut by_us: Vec<_> = rollout.observe().await.changes;
    by_us.retain(|change| change.manager == "backstop");
    let objects: Vec<_> = by_us.iter().map(|change| change.object.as_str()).collect();
    let routed = if router == Router::Nginx { "Ingress api" } else { "HTTPRoute api" };
    // A Scale leaves zeros out, so nobody owns the canary's replicas any longer.
    let expected = if is_short { vec![routed, "Deployment stable"] } else { vec![routed] };
    assert_eq!(objects, expected, "{name}");
    for step in [UP, OFF, Step::TrafficOff, DOWN] {
        let answer = rollout.apply(step).await.expect("so already");
        assert_eq!(answer.status, None, "{name}: nothing was sent: {answer:?}");
    }
}

#[tokio::test]
async fn a_rollback_on_ingress_nginx_step_by_step_from_0_1_2_3_and_5_ready_pods() {
    futures_util::future::join_all([0, 1, 2, 3, 5].map(|ready| roll_back(Router::Nginx, ready))).await;
}

#[tokio::test]
async fn a_rollback_on_the_gateway_api_step_by_step_from_0_1_2_3_and_5_ready_pods() {
    futures_util::future::join_all([0, 1, 2, 3, 5].map(|ready| roll_back(Router::Gateway, ready))).await;
}

#[tokio::test]
async fn header_and_cookie_rules_go_with_the_weight_in_one_patch_and_the_total_stays() {
    let rollout = Rollout::new("rules-of-nginx", Router::Nginx, 3).await;
    rollout
        .annotate(&[
            ("x/canary-weight", "400"),
            ("x/canary-weight-total", "1000"),
            ("x/canary-by-header", "X-Canary"),
            ("x/canary-by-header-value", "yes"),
            ("x/canary-by-cookie", "canary"),
        ])
        .await;
    let observed = rollout.observe().await;
    assert_eq!((observed.share, observed.bypasses.len()), (Share(40), 3));
    let culprit = observed.changes.iter().find(|change| change.object == "Ingress api").expect("somebody");
    assert_eq!(culprit.manager, "somebody-else");

    let answer = rollout.apply(OFF).await.expect("moved");
    assert!(
        answer.text.contains("canary-weight 400 -> 0") && answer.text.contains("\"X-Canary\""),
        "{answer:?}"
    );
    assert!(rollout.observe().await.is_off());
    assert_eq!(rollout.annotation("x/canary-weight").await.as_deref(), Some("0"));
    assert_eq!(rollout.annotation("x/canary-weight-total").await.as_deref(), Some("1000"));
    assert_eq!(rollout.annotation("x/canary").await.as_deref(), Some("true"));
    for gone in ["x/canary-by-header", "x/canary-by-header-value", "x/canary-by-cookie"] {
        assert_eq!(rollout.annotation(gone).await, None, "{gone}");
    }
    let sent = || async {
        let events = shared().await.audit("rules-of-nginx").into_iter();
        let ours = events
            .filter(|event| event.verb == "patch" && event.request_uri.contains("fieldManager=backstop"));
        let count = ours
            .filter(|event| event.object_ref.as_ref().is_some_and(|object| object.resource == "ingresses"))
            .count();
        (count > 0).then_some(count)
    };
    assert_eq!(wait_for("the patch in the audit log", sent).await, 1);
}

#[tokio::test]
async fn a_route_that_leads_testers_to_the_canary_leads_them_to_stable_afterwards() {
    let rollout = Rollout::new("rules-of-a-route", Router::Gateway, 3).await;
    let mut route = rollout.routes().get("api").await.expect("an HTTPRoute");
    let header = json!({ "matches": [{ "headers": [{ "name": "x-canary", "value": "yes" }] }], "backendRefs": [{ "name": "canary", "port": 80 }] });
    route.data["spec"]["rules"].as_array_mut().expect("rules").push(header);
    rollout.routes().replace("api", &Default::default(), &route).await.expect("replaced");
    rollout.accept_route().await;
    assert_eq!(rollout.observe().await.bypasses, ["spec.rules[1] (header x-canary)"]);
    rollout.apply(OFF).await.expect("moved");
    rollout.accept_route().await;
    assert!(rollout.observe().await.is_off());
    let rules = rollout.routes().get("api").await.expect("an HTTPRoute").data["spec"]["rules"].clone();
    assert_eq!(rules[1]["backendRefs"][0]["name"], "stable");
    assert_eq!(
        (&rules[0]["backendRefs"][0]["weight"], &rules[0]["backendRefs"][1]["weight"]),
        (&json!(100), &json!(0))
    );
}

#[tokio::test]
async fn kubectl_describe_finds_what_was_done_on_the_ingress_and_on_the_canary() {
    let rollout = Rollout::new("events", Router::Nginx, 3).await;
    rollout.apply(OFF).await.expect("moved");
    let told = |kind: &'static str| {
        let events = rollout.workloads.api::<Event>();
        async move {
            let list = events.list(&ListParams::default()).await.ok()?.items.into_iter();
            let ours = list.filter(|event| event.reporting_controller.as_deref() == Some("backstop"));
            let about = ours.filter(|event| {
                event.regarding.as_ref().is_some_and(|one| one.kind.as_deref() == Some(kind))
            });
            let mut reasons: Vec<_> = about.filter_map(|event| event.reason).collect();
            reasons.sort();
            (reasons == ["RollbackStepDone", "RollbackStepStarted"]).then_some(())
        }
    };
    wait_for("Events about the Ingress", || told("Ingress")).await;
    wait_for("Events about the canary", || told("Deployment")).await;
    // They are sent behind the change, which they would hold up beside it.
    wait_for("the audit log", || async {
        let asked = shared().await.audit("events");
        let is_about = |event: &AuditEvent, verb: &str, resource: &str| {
            event.verb == verb && event.object_ref.as_ref().is_some_and(|object| object.resource == resource)
        };
        let moved = asked.iter().find(|event| is_about(event, "patch", "ingresses"))?.stage_timestamp;
        let told: Vec<_> = asked.iter().filter(|event| is_about(event, "create", "events")).collect();
        assert!(told.iter().all(|event| event.request_received_timestamp >= moved), "{moved}: {told:#?}");
        (told.len() >= 4).then_some(())
    })
    .await;
    let described =
        shared().await.kubectl().await.args(["describe", "ingress", "api", "-n", "events"]).output();
    let described = described.expect("kubectl runs");
    let text = String::from_utf8_lossy(&described.stdout);
    assert!(text.contains("RollbackStepDone") && text.contains("canary-weight 25 -> 0"), "{text}");
}
