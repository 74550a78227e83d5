//! Accounts for Backstop to run as, and what they may do.

use std::path::PathBuf;

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde_json::{Value, json};

use crate::controlplane::shared;
use crate::rollouts::{Rollout, Router};

/// All that the README lists, without one verb of one resource.
pub(crate) fn rules(router: Router, without: Option<(&str, &str)>) -> Value {
    let routed = match router {
        Router::Nginx => ("networking.k8s.io", "ingresses", &["api"] as &[_], &["get", "patch"] as &[_]),
        Router::Gateway => {
            ("gateway.networking.k8s.io", "httproutes", &["api"] as &[_], &["get", "update"] as &[_])
        }
    };
    let deployments = &["stable", "canary"];
    let all = [
        routed,
        ("apps", "deployments", deployments, &["get"]),
        ("apps", "deployments/scale", deployments, &["get", "patch"]),
        ("discovery.k8s.io", "endpointslices", &[], &["list"]),
        ("events.k8s.io", "events", &[], &["create"]),
        ("autoscaling", "horizontalpodautoscalers", &[], &["list"]),
    ];
    let rules = all.into_iter().map(|(group, resource, names, verbs)| {
        let kept = verbs.iter().filter(|verb| without != Some((resource, **verb)));
        let mut rule =
            json!({ "apiGroups": [group], "resources": [resource], "verbs": kept.collect::<Vec<_>>() });
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        rule
    });
    Value::from_iter(rules.filter(|rule| rule["verbs"] != json!([])))
}

/// A ServiceAccount in the rollout's namespace that may do this there; the kubeconfig that leads to it.
pub(crate) async fn account(rollout: &Rollout, name: &str, rules: Value) -> PathBuf {
    let namespace = &rollout.workloads.namespace;
    let kubeconfig = shared().await.service_account(namespace, name).await;
    let role = json!({ "metadata": { "name": name }, "rules": rules });
    rollout.workloads.create::<Role>(role).await.expect("a Role");
    let binding = json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
    });
    rollout.workloads.create::<RoleBinding>(binding).await.expect("a RoleBinding");
    kubeconfig
}
