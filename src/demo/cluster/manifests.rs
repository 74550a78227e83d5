//! What the namespace holds: the protocol's fourth stage, with a stable version that is short of pods, so
//! that the order of a rollback is seen.

use std::path::Path;

use serde_json::{Value, json};

use crate::demo::trading_api::{CANARY_VERSION, STABLE_VERSION};

/// The canary's share in per cent.
pub const WEIGHT: u8 = 50;

/// Pods of the stable version before the rollback.
pub const STABLE_REPLICAS_BEFORE: u16 = 1;

/// Pods that the stable version needs to carry everything.
pub const STABLE_REPLICAS: u16 = 3;

/// Pods of the canary.
pub const CANARY_REPLICAS: u16 = 2;

pub(super) const CANARY_WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";

const STABLE: &str = "spark-trading-api-stable";
const CANARY: &str = "spark-trading-api-canary";
const CANARY_INGRESS: &str = "spark-trading-canary";

/// The paths to post to, and what.
pub(super) fn all(namespace: &str, image: &str) -> Vec<(String, Value)> {
    let canary = json!({ "nginx.ingress.kubernetes.io/canary": "true", CANARY_WEIGHT: WEIGHT.to_string() });
    let services = format!("/api/v1/namespaces/{namespace}/services");
    vec![
        (services.clone(), service(STABLE)),
        (services, service(CANARY)),
        (deployments(namespace), deployment(STABLE, STABLE_VERSION, STABLE_REPLICAS_BEFORE, image)),
        (deployments(namespace), deployment(CANARY, CANARY_VERSION, CANARY_REPLICAS, image)),
        (ingresses(namespace), ingress("spark-trading", STABLE, &json!({}))),
        (ingresses(namespace), ingress(CANARY_INGRESS, CANARY, &canary)),
    ]
}

/// The paths of what a rollback changes: the canary's Ingress, and both Deployments.
pub(super) fn changed(namespace: &str) -> [String; 3] {
    let deployments = deployments(namespace);
    [
        format!("{}/{CANARY_INGRESS}", ingresses(namespace)),
        format!("{deployments}/{STABLE}"),
        format!("{deployments}/{CANARY}"),
    ]
}

/// Backstop's configuration for it. Drain, verification and guard are shortened from five seconds, thirty
/// seconds and five minutes: a demo is watched.
pub(super) fn sections(namespace: &str, kubeconfig: &Path) -> String {
    let workload =
        |name: &str, more: &str| format!("{{ deployment = \"{name}\", service = \"{name}\"{more} }}");
    format!(
        "[alertmanager]
poll_interval = \"1s\"
[[rollouts]]
name = \"spark-trading\"
verify.window = \"20s\"
verify.interval = \"500ms\"
verify.guard = \"5s\"
[rollouts.traffic]
kind = \"ingress-nginx\"
namespace = \"{namespace}\"
kubeconfig = {kubeconfig:?}
canary_ingress = \"{CANARY_INGRESS}\"
stable = {stable}
canary = {canary}
revision = \"label:app.kubernetes.io/version\"
drain = \"2s\"
",
        kubeconfig = kubeconfig.display().to_string(),
        stable = workload(STABLE, &format!(", replicas = {STABLE_REPLICAS}")),
        canary = workload(CANARY, ""),
    )
}

fn deployments(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments")
}

fn ingresses(namespace: &str) -> String {
    format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses")
}

fn service(name: &str) -> Value {
    let ports = json!([{ "port": 80, "targetPort": 8080 }]);
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
        "spec": { "selector": { "app": name }, "ports": ports },
    })
}

/// Passes the strictest of the pod security standards, and needs next to nothing.
fn deployment(name: &str, version: &str, replicas: u16, image: &str) -> Value {
    let container = json!({
        "name": "api",
        "image": image,
        "resources": { "requests": { "cpu": "1m", "memory": "4Mi" }, "limits": { "cpu": "50m", "memory": "32Mi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
    });
    let pod = json!({
        "automountServiceAccountToken": false,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": 65535,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": [container],
    });
    let labels = json!({ "app": name, "app.kubernetes.io/version": version });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": labels }, "spec": pod },
        },
    })
}

/// Of a class and a host that nobody serves: what is shown is what Backstop reads and changes, and nothing
/// is reachable from outside, whatever controllers the cluster has.
fn ingress(name: &str, service: &str, annotations: &Value) -> Value {
    let backend = json!({ "service": { "name": service, "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "annotations": annotations },
        "spec": {
            "ingressClassName": "backstop-demo",
            "rules": [{ "host": "backstop-demo.invalid", "http": { "paths": paths } }],
        },
    })
}
