//! How many pods serve: by their controller's word, and by what a proxy is given.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use crate::incident::Pods;

/// The pods of one version.
pub(super) fn pods(deployment: &Deployment, slices: &[EndpointSlice]) -> Pods {
    Pods {
        wanted: wanted(deployment),
        available: available(deployment),
        ready_endpoints: ready_endpoints(slices),
    }
}

/// Where the Deployment is gone: what gets requests nevertheless, under whatever name it was asked for.
/// Scaling the named one down then fails, and says so; with no such pod there is nothing to scale down.
pub(super) fn without_deployment(slices: &[EndpointSlice]) -> Pods {
    let ready_endpoints = ready_endpoints(slices);
    Pods { wanted: ready_endpoints, available: ready_endpoints, ready_endpoints }
}

/// Where somebody else runs them without a Deployment, and wants so many.
pub(super) fn of_an_owner(wanted: u16, slices: &[EndpointSlice]) -> Pods {
    Pods { wanted, ..without_deployment(slices) }
}

/// Replicas asked for. None on a Deployment means 1, unlike on a Scale, where it means 0.
fn wanted(deployment: &Deployment) -> u16 {
    let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    count(replicas.unwrap_or(1))
}

/// By the controller's word. What it says of an earlier generation is about other pods, so it counts as
/// none.
pub(super) fn available(deployment: &Deployment) -> u16 {
    let Some(status) = &deployment.status else { return 0 };
    let is_current = status.observed_generation >= deployment.metadata.generation;
    if is_current { count(status.available_replicas.unwrap_or(0)) } else { 0 }
}

/// A negative number is none, and more than fits is as good as what does.
pub(super) fn count(replicas: i32) -> u16 {
    u16::try_from(replicas.max(0)).unwrap_or(u16::MAX)
}

/// How many endpoints of a Service a proxy sends requests to. Slices overlap for a moment while
/// addresses move from one to another, and a dual-stack Service lists each pod once for each family: an
/// address counts once, and of the families the one that reaches the most pods.
pub(super) fn ready_endpoints(slices: &[EndpointSlice]) -> u16 {
    let mut families: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for slice in slices {
        let addresses = families.entry(slice.address_type.as_str()).or_default();
        // All addresses of one endpoint are one pod, and proxies take the first.
        let ready = slice.endpoints.iter().flatten().filter(|endpoint| is_ready(endpoint));
        addresses.extend(ready.filter_map(|endpoint| endpoint.addresses.first()).map(String::as_str));
    }
    let most = families.values().map(BTreeSet::len).max().unwrap_or(0);
    u16::try_from(most).unwrap_or(u16::MAX)
}

/// Ready where it isn't said, and never while it ends (the API's own words on `EndpointConditions`).
/// A Service with `publishNotReadyAddresses` says ready of those that end, too.
fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint
        .conditions
        .as_ref()
        .is_none_or(|conditions| conditions.ready != Some(false) && conditions.terminating != Some(true))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(spec: Value, status: Value) -> Deployment {
        let object = json!({ "metadata": { "generation": 3 }, "spec": spec, "status": status });
        serde_json::from_value(object).expect("a Deployment")
    }

    #[test]
    fn what_the_controller_says_counts_only_for_the_present_generation() {
        let spec = |replicas: Value| json!({ "replicas": replicas, "selector": {}, "template": {} });
        for (replicas, status, wanted, available) in [
            (json!(3), json!({ "observedGeneration": 3, "availableReplicas": 2 }), 3, 2),
            (json!(3), json!({ "observedGeneration": 2, "availableReplicas": 3 }), 3, 0),
            (json!(3), json!({ "availableReplicas": 3 }), 3, 0),
            (json!(3), json!({ "observedGeneration": 3 }), 3, 0),
            (json!(3), Value::Null, 3, 0),
            (json!(0), json!({ "observedGeneration": 3 }), 0, 0),
            (Value::Null, json!({ "observedGeneration": 4, "availableReplicas": 1 }), 1, 1),
            (json!(100_000), json!({ "observedGeneration": 3, "availableReplicas": -1 }), u16::MAX, 0),
        ] {
            let pods = pods(&deployment(spec(replicas.clone()), status.clone()), &[]);
            assert_eq!((pods.wanted, pods.available), (wanted, available), "{replicas} {status}");
        }
    }

    fn slice(family: &str, endpoints: &[(&str, Value)]) -> EndpointSlice {
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|(address, conditions)| json!({ "addresses": [address, "10.9.9.9"], "conditions": conditions }))
            .collect();
        let object = json!({ "addressType": family, "metadata": {}, "endpoints": endpoints });
        serde_json::from_value(object).expect("an EndpointSlice")
    }

    #[test]
    fn endpoints_count_as_a_proxy_uses_them() {
        let ready = || json!({ "ready": true });
        let cases: [(&str, Vec<EndpointSlice>, u16); 8] = [
            ("no slice", vec![], 0),
            ("no endpoint", vec![slice("IPv4", &[])], 0),
            (
                "ready, and not said",
                vec![slice(
                    "IPv4",
                    &[("10.0.0.1", ready()), ("10.0.0.2", json!({})), ("10.0.0.3", Value::Null)],
                )],
                3,
            ),
            (
                "not ready",
                vec![slice("IPv4", &[("10.0.0.1", json!({ "ready": false })), ("10.0.0.2", ready())])],
                1,
            ),
            ("ends", vec![slice("IPv4", &[("10.0.0.1", json!({ "ready": true, "terminating": true }))])], 0),
            (
                "serves while it ends",
                vec![slice(
                    "IPv4",
                    &[("10.0.0.1", json!({ "ready": false, "serving": true, "terminating": true }))],
                )],
                0,
            ),
            (
                "in two slices at once",
                vec![
                    slice("IPv4", &[("10.0.0.1", ready())]),
                    slice("IPv4", &[("10.0.0.1", ready()), ("10.0.0.2", ready())]),
                ],
                2,
            ),
            (
                "two families",
                vec![
                    slice("IPv4", &[("10.0.0.1", ready()), ("10.0.0.2", ready())]),
                    slice("IPv6", &[("fd00::1", ready()), ("fd00::2", ready()), ("fd00::3", ready())]),
                ],
                3,
            ),
        ];
        for (name, slices, expected) in cases {
            assert_eq!(ready_endpoints(&slices), expected, "{name}");
        }
    }
}
