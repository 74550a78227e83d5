//! Why pods don't get ready: what a person would look for first.

use std::collections::BTreeSet;

use serde_json::Value;

use super::calls::Calls;
use crate::text::kept;

/// Lines that are worth reading; all pods usually have the same trouble.
const MAX_LINES: usize = 6;

/// One line for each trouble, by what it is about.
pub(super) async fn unready(calls: &Calls, namespace: &str) -> Vec<String> {
    let (pods, deployments) = (
        format!("/api/v1/namespaces/{namespace}/pods"),
        format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
    );
    let (pods, deployments) = tokio::join!(calls.read(&pods), calls.read(&deployments));
    let (pods, deployments) = match (pods, deployments) {
        (Ok(pods), Ok(deployments)) => (pods, deployments),
        (Err(error), _) | (_, Err(error)) => return vec![error.to_string()],
    };
    troubles(&pods, &deployments)
}

fn troubles(pods: &Value, deployments: &Value) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for deployment in items(deployments) {
        // Quotas, admission: no pod could be made.
        for condition in items_of(&deployment["status"]["conditions"]) {
            if condition["type"] == "ReplicaFailure" && condition["status"] == "True" {
                lines.insert(line("Deployment", deployment, condition));
            }
        }
    }
    for pod in items(pods) {
        let conditions = items_of(&pod["status"]["conditions"]);
        if conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True") {
            continue;
        }
        let containers = items_of(&pod["status"]["containerStatuses"]);
        let waits = containers.iter().map(|container| &container["state"]["waiting"]);
        let unscheduled = conditions
            .iter()
            .filter(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False");
        let known: Vec<_> = waits.filter(|state| state.is_object()).chain(unscheduled).collect();
        if known.is_empty() {
            let phase = pod["status"]["phase"].as_str().unwrap_or("Pending");
            lines.insert(kept(&format!("Pod {}: {phase}, and not ready", name(pod))));
        }
        lines.extend(known.into_iter().map(|state| line("Pod", pod, state)));
    }
    lines.into_iter().take(MAX_LINES).collect()
}

fn items(list: &Value) -> &[Value] {
    items_of(&list["items"])
}

fn items_of(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn line(kind: &str, object: &Value, state: &Value) -> String {
    let text = |key: &str| state[key].as_str().unwrap_or_default();
    let line = format!("{kind} {}: {} {}", name(object), text("reason"), text("message"));
    kept(line.trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_keeps_pods_from_being_ready_is_said_in_the_clusters_words() {
        let pod = |name: &str, status: Value| json!({ "metadata": { "name": name }, "status": status });
        let pods = json!({ "items": [
            pod("ready", json!({ "conditions": [{ "type": "Ready", "status": "True" }] })),
            pod("pulls", json!({ "containerStatuses": [{ "state": {
                "waiting": { "reason": "ImagePullBackOff", "message": "no such image" } } }] })),
            pod("waits", json!({ "conditions": [
                { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes" }] })),
            pod("runs", json!({ "phase": "Running" })),
        ] });
        let failure = json!({ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota" });
        let deployments = json!({ "items": [pod("stable", json!({ "conditions": [failure] }))] });
        assert_eq!(
            troubles(&pods, &deployments),
            [
                "Deployment stable: FailedCreate quota",
                "Pod pulls: ImagePullBackOff no such image",
                "Pod runs: Running, and not ready",
                "Pod waits: Unschedulable 0/1 nodes",
            ]
        );
        assert!(troubles(&json!({}), &json!({})).is_empty());
    }
}
