//! The protocol's last stage as people type it: all of the traffic on the canary, stable at 0, and then the
//! weight taken away.

use backstop::incident::Share;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::controlplane::shared;
use crate::gateway::Gateway;
use crate::history::History;
use crate::rollouts::{Rollout, Router, Setup, Traffic};
use crate::served::Served;

async fn typed(namespace: &str, arguments: &[&str]) {
    let mut kubectl = tokio::process::Command::from(shared().await.kubectl().await);
    let output = kubectl.args(["--namespace", namespace]).args(arguments).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A rollout whose last stage was typed.
async fn last_stage(namespace: &str) -> Rollout {
    let rollout = Rollout::new(namespace, Router::Nginx, 3).await;
    let weight = "nginx.ingress.kubernetes.io/canary-weight";
    typed(namespace, &["annotate", "--overwrite", "ingress", "api", &format!("{weight}=100")]).await;
    typed(namespace, &["scale", "deployment/stable", "--replicas=0"]).await;
    rollout.pods_are(0, 1).await;
    typed(namespace, &["annotate", "ingress", "api", &format!("{weight}-")]).await;
    rollout
}

async fn rolls_back(served: &Served, rollout: &Rollout) {
    let namespace = &rollout.workloads.namespace;
    let history = History::begin().await;
    served.share_is(namespace, 100).await;
    served.critical(namespace).await;
    let incident = served.becomes(namespace, "rolled_back").await;
    assert_eq!((&incident["stage"], &incident["share_percent"]), (&json!(5), &json!(100)), "{incident:#}");
    rollout.pods_are(3, 0).await;
    assert!(rollout.observe().await.is_off());
    let judged = &history.judged(&[namespace]).await[namespace];
    assert!(judged.violations.is_empty() && judged.states > 3, "{judged:#?}");
}

#[tokio::test]
async fn without_its_weight_the_canary_is_rolled_back_and_a_ready_pod_serves_all_the_while() {
    let rollout = last_stage("last-stage").await;
    let observed = rollout.observe().await;
    assert_eq!((observed.share, observed.whole_share()), (Share::ZERO, Some(Share::ALL)));
    let served = Served::of("last-stage", Router::Nginx).await;
    rolls_back(&served, &rollout).await;
    let status = served.command(&["evidence", "list"]).await;
    assert!(status.status.success());
}

#[tokio::test]
async fn without_any_mark_of_a_canary_where_the_ingress_leads_to_stable_it_is_the_same() {
    let rollout = last_stage("last-stage-to-stable").await;
    let backend = json!({ "service": { "name": "stable", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    unmarked(&rollout, json!({ "rules": [{ "host": "api.test", "http": { "paths": paths } }] })).await;
    let served = Served::of("last-stage-to-stable", Router::Nginx).await;
    rolls_back(&served, &rollout).await;
}

/// Takes every annotation of a canary away.
async fn unmarked(rollout: &Rollout, spec: serde_json::Value) {
    let patch = json!({ "metadata": { "annotations": null }, "spec": spec });
    let api = rollout.workloads.api::<Ingress>();
    api.patch("api", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
}

#[tokio::test]
async fn where_the_ingress_leads_to_the_canary_it_is_refused_and_said_and_the_canary_stays() {
    let namespace = "last-stage-to-canary";
    let rollout = last_stage(namespace).await;
    unmarked(&rollout, json!({})).await;
    let history = History::begin().await;
    let served = Served::of(namespace, Router::Nginx).await;
    served.share_is(namespace, 100).await;
    served.critical(namespace).await;
    let incident = served.becomes(namespace, "failed").await;
    assert_eq!(incident["state_reason"], "obstacle", "{incident:#}");
    let said = incident["decisions"].to_string();
    assert!(said.contains("Point its backend at the Service stable by hand"), "{said}");
    rollout.pods_are(3, 1).await;
    // Whoever is woken does what it says.
    let backend = json!({ "service": { "name": "stable", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    unmarked(&rollout, json!({ "rules": [{ "host": "api.test", "http": { "paths": paths } }] })).await;
    served.becomes(namespace, "rolled_back").await;
    rollout.pods_are(3, 0).await;
    let judged = &history.judged(&[namespace]).await[namespace];
    assert!(judged.violations.is_empty() && judged.states > 3, "{judged:#?}");
}

#[tokio::test]
async fn a_route_that_leads_to_the_canary_alone_leads_to_stable_afterwards() {
    let namespace = "last-stage-of-a-route";
    let setup = Setup { router: Router::Gateway, traffic: Traffic::LastStage, wanted: 0, ready: 0 };
    let rollout = Rollout::set_up(shared().await, namespace, setup).await;
    let _gateway = Gateway::of([&rollout]);
    let served = Served::of(namespace, Router::Gateway).await;
    rolls_back(&served, &rollout).await;
    let route = rollout.routes().get("api").await.expect("an HTTPRoute");
    let backends = route.data["spec"]["rules"][0]["backendRefs"].as_array().expect("backends").clone();
    let to_canary = |backend: &serde_json::Value| backend["name"] == "canary" && backend["weight"] != 0;
    assert!(!backends.iter().any(to_canary), "{backends:?}");
}
