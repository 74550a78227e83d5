//! Argo Rollouts, which runs the pods itself: a Deployment that it refers to is but a template. Facts from its source, 1.9: `pkg/apis/rollouts/v1alpha1/types.go`, `utils/ingress` for the
//! canary's Ingress, `kubectl-argo-rollouts/cmd/abort` for what an abort is, and the Gateway API plugin's own
//! configuration for HTTPRoutes.

use serde_json::{Value, json};

use super::super::super::object::{ARGO_ROLLOUT, Object};
use super::{Claim, Said, Stop, ours, stance, text};
use crate::config::OwnerPolicy;
use crate::incident::Owner;

/// The key of the Gateway API's plugin among the routers.
const GATEWAY_API: &str = "argoproj-labs/gatewayAPI";

/// The longest name of an object, to which the controller cuts the one that it makes up.
const MAX_NAME: usize = 253;

/// What this Rollout owns of ours, if anything.
pub(in super::super) fn claim(
    rollout: &Value,
    namespace: &str,
    ours: &[String],
    policy: OwnerPolicy,
) -> Option<Claim> {
    let name = text(rollout, "/metadata/name")?;
    let said = said(rollout, name, namespace, ours);
    if said.owns.is_empty() {
        return None;
    }
    let stance = stance(&said, policy);
    let replicas = rollout["spec"]["replicas"].as_u64();
    Some(Claim {
        object: Object::new(ARGO_ROLLOUT, namespace, name),
        resource_version: text(rollout, "/metadata/resourceVersion").unwrap_or_default().to_owned(),
        owner: Owner { name: format!("Argo Rollout {name}"), stance, rolls_out: said.rolls_out },
        owns: said.owns,
        // 1 where it isn't said.
        replicas: Some(replicas.map_or(1, |replicas| u16::try_from(replicas).unwrap_or(u16::MAX))),
        stop: Stop {
            subresource: Some("status"),
            patch: json!({ "status": { "abort": true } }),
            words: "status.abort: true",
            then: "it takes the traffic off the canary itself",
        },
        by_hand: format!("with it (kubectl argo rollouts abort {name} -n {namespace})"),
        too_late: said.too_late,
        lags: said.lags,
    })
}

fn said(rollout: &Value, name: &str, namespace: &str, of_us: &[String]) -> Said {
    let hash = |pointer| text(rollout, pointer);
    let (present, stable) = (hash("/status/currentPodHash"), hash("/status/stableRS"));
    let is_promoted = present.is_some() && present == stable;
    let weight = rollout.pointer("/status/canary/weights/canary/weight").and_then(Value::as_u64).unwrap_or(0);
    let rolls_back = rollout.pointer("/status/abort") == Some(&Value::Bool(true)) || is_promoted;
    let lags = rolls_back && weight > 0;
    Said {
        owns: ours(claimed(rollout, name, namespace), of_us),
        rolls_out: !is_promoted,
        rolls_back,
        too_late: None,
        lags: lags.then(|| format!("the Argo Rollout {name} still gives the canary {weight} %")),
    }
}

fn claimed(rollout: &Value, name: &str, namespace: &str) -> Vec<String> {
    let mut claimed = Vec::new();
    let workload = &rollout["spec"]["workloadRef"];
    if let Some(deployment) = workload["name"].as_str().filter(|_| workload["kind"] == "Deployment") {
        claimed.push(format!("Deployment {deployment}"));
    }
    let canary = &rollout["spec"]["strategy"]["canary"];
    let services = ["stableService", "canaryService"].into_iter().filter_map(|key| canary[key].as_str());
    claimed.extend(services.map(|service| format!("Service {service}")));
    let routing = &canary["trafficRouting"];
    let several = routing["nginx"]["stableIngresses"].as_array().into_iter().flatten();
    for ingress in several.chain([&routing["nginx"]["stableIngress"]]).filter_map(Value::as_str) {
        claimed.push(format!("Ingress {ingress}"));
        claimed.push(format!("Ingress {}", canary_ingress(name, ingress)));
    }
    let plugin = &routing["plugins"][GATEWAY_API];
    if plugin["namespace"].as_str().is_none_or(|one| one == namespace) {
        let several = plugin["httpRoutes"].as_array().into_iter().flatten().map(|route| &route["name"]);
        let routes = several.chain([&plugin["httpRoute"]]).filter_map(Value::as_str);
        claimed.extend(routes.map(|route| format!("HTTPRoute {route}")));
    }
    claimed
}

fn canary_ingress(rollout: &str, stable_ingress: &str) -> String {
    const ENDING: &str = "-canary";
    let name = format!("{rollout}-{stable_ingress}");
    name.chars().take(MAX_NAME - ENDING.len()).chain(ENDING.chars()).collect()
}
