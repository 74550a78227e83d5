//! Others undo what a rollback set, while it is watched: it is set again, a few times, and they are named.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use crate::controlplane::wait_for;
use crate::gateway::Gateway;
use crate::rollouts::{Rollout, Router};
use crate::served::Served;

fn watched(guard: &str) -> String {
    format!("verify.guard = \"{guard}\"")
}

fn decisions(incident: &Value) -> Vec<String> {
    let all = incident["decisions"].as_array().into_iter().flatten();
    all.map(|decision| decision["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Lets an autoscaler of the stable version keep at most so many replicas.
async fn autoscaler(rollout: &Rollout, most: u16) {
    let autoscaler = json!({
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "stable" },
            "minReplicas": 1,
            "maxReplicas": most,
        },
    });
    applied(rollout, ("autoscaling", "v2", "HorizontalPodAutoscaler"), "scaler", autoscaler).await;
}

fn undone(incident: &Value) -> Vec<String> {
    decisions(incident).into_iter().filter(|text| text.contains("somebody undid")).collect()
}

#[tokio::test]
async fn an_autoscaler_that_pulls_stable_down_is_resisted_three_times_and_named() {
    let namespace = "undone-by-autoscaler";
    let rollout = Rollout::new(namespace, Router::Nginx, 2).await;
    autoscaler(&rollout, 2).await;
    let served = Served::with(namespace, Router::Nginx, &watched("5m")).await;
    served.share_is(namespace, 25).await;
    // Here the controller looks every second, and would not let the rollback get to its end.
    autoscaler(&rollout, 3).await;
    served.critical(namespace).await;
    served.becomes(namespace, "verifying").await;
    autoscaler(&rollout, 2).await;
    let thrice = || async {
        let incident = served.incidents(namespace).await.into_iter().next()?;
        (undone(&incident).len() >= 3).then_some(())
    };
    wait_for("it to be undone three times", thrice).await;
    let incident = given_up(&served, namespace).await;
    let undone = undone(&incident);
    assert_eq!(undone.len(), 4, "the first three were answered: {undone:#?}");
    let by = "Deployment stable by kube-controller-manager";
    assert!(undone.iter().all(|text| text.contains(by)), "{undone:#?}");
    assert!(undone[0].contains("HorizontalPodAutoscaler scaler"), "{undone:#?}");
    assert_eq!(incident["state_reason"], "undone");
    let mut notices = incident["notifications"].as_array().into_iter().flatten();
    let last = notices.rfind(|notice| notice["kind"] == "rollback_failed").expect("people were told");
    assert!(last["text"].as_str().is_some_and(|text| text.contains(by)), "{last:#}");
    let observed = rollout.observe().await;
    assert!(observed.is_off(), "the canary got nothing of it: {observed:?}");
}

/// Waits until it is left to a person.
async fn given_up(served: &Served, namespace: &str) -> Value {
    let given_up = || async {
        let incident = served.incidents(namespace).await.into_iter().next()?;
        let sentence = incident["state_sentence"].as_str().unwrap_or_default();
        (incident["state"] == "failed" && sentence.contains("waits for a person")).then_some(incident)
    };
    wait_for("it to be left to a person", given_up).await
}

/// Applies what stands in Git, as a controller does: fields and all.
async fn applied(rollout: &Rollout, kind: (&str, &str, &str), name: &str, manifest: Value) {
    let (group, version, kind) = kind;
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk(&kind);
    let mut object = manifest;
    object["apiVersion"] = json!(resource.api_version);
    object["kind"] = json!(resource.kind);
    object["metadata"]["name"] = json!(name);
    let workloads = &rollout.workloads;
    let api: Api<DynamicObject> =
        Api::namespaced_with(workloads.client.clone(), &workloads.namespace, &resource);
    let params = PatchParams::apply("argocd-controller").force();
    api.patch(name, &params, &Patch::Apply(object)).await.expect("applied");
}

/// What stands in Git: half of the traffic on the canary, three pods for it, none for stable.
async fn manifests(rollout: &Rollout) {
    match rollout.router {
        Router::Nginx => {
            let half = json!({ "nginx.ingress.kubernetes.io/canary-weight": "50" });
            let ingress = json!({ "metadata": { "annotations": half } });
            applied(rollout, ("networking.k8s.io", "v1", "Ingress"), "api", ingress).await;
        }
        Router::Gateway => {
            let half = |name: &str| json!({ "name": name, "port": 80, "weight": 50 });
            let rules = json!([{ "backendRefs": [half("stable"), half("canary")] }]);
            let route = json!({ "spec": { "rules": rules } });
            applied(rollout, ("gateway.networking.k8s.io", "v1", "HTTPRoute"), "api", route).await;
        }
    }
    let deployment = ("apps", "v1", "Deployment");
    applied(rollout, deployment, "canary", json!({ "spec": { "replicas": 3 } })).await;
    applied(rollout, deployment, "stable", json!({ "spec": { "replicas": 0 } })).await;
}

async fn applied_again(namespace: &str, router: Router, object: &str) {
    let rollout = Rollout::new(namespace, router, 3).await;
    let _gateway = (router == Router::Gateway).then(|| Gateway::of([&rollout]));
    let served = Served::with(namespace, router, &watched("8s")).await;
    served.share_is(namespace, 25).await;
    served.critical(namespace).await;
    served.becomes(namespace, "verifying").await;
    manifests(&rollout).await;
    let incident = served.becomes(namespace, "rolled_back").await;
    rollout.pods_are(3, 0).await;
    assert!(rollout.observe().await.is_off());
    let said = decisions(&incident).join("\n");
    // It may be seen after the first of the three: what came later is then part of what is set again.
    let named = format!("{object} by argocd-controller");
    assert!(said.contains(&named), "{named} in {said}");
    assert_eq!(served.incidents(namespace).await.len(), 1);
}

#[tokio::test]
async fn a_manifest_that_is_applied_again_is_undone_in_its_turn_and_its_manager_named() {
    tokio::join!(
        applied_again("undone-on-nginx", Router::Nginx, "Ingress api"),
        applied_again("undone-on-a-gateway", Router::Gateway, "HTTPRoute api"),
    );
}
