//! Accounts for Backstop to run as, and what they may do.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::controlplane::{ControlPlane, connect, shared};
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
        ("discovery.k8s.io", "endpointslices", &[], &["get", "list"]),
        ("events.k8s.io", "events", &[], &["create"]),
        ("autoscaling", "horizontalpodautoscalers", &[], &["list"]),
        ("argoproj.io", "rollouts", &[], &["list"]),
        ("flagger.app", "canaries", &[], &["list"]),
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
    account_on(shared().await, rollout, name, rules).await
}

/// The same on a control plane apart.
pub(crate) async fn account_on(
    cluster: &ControlPlane,
    rollout: &Rollout,
    name: &str,
    rules: Value,
) -> PathBuf {
    let namespace = &rollout.workloads.namespace;
    let kubeconfig = cluster.service_account(namespace, name).await;
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

/// Whether the API server lets the account of this kubeconfig do that by now: it learns of roles a moment
/// after they are written.
pub(crate) async fn may(kubeconfig: &Path, namespace: &str, (resource, verb): (&str, &str)) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let (group, name) = match resource {
        "ingresses" => ("networking.k8s.io", "api"),
        "httproutes" => ("gateway.networking.k8s.io", "api"),
        "deployments" => ("apps", "stable"),
        "endpointslices" => ("discovery.k8s.io", ""),
        "events" => ("events.k8s.io", ""),
        other => panic!("what group are {other} in?"),
    };
    let review = json!({ "spec": { "resourceAttributes": {
        "namespace": namespace, "group": group, "resource": resource, "subresource": subresource,
        "name": name, "verb": verb,
    } } });
    let review: SelfSubjectAccessReview = serde_json::from_value(review).expect("a review");
    let reviews: Api<SelfSubjectAccessReview> = Api::all(connect(kubeconfig).await);
    let reviewed = reviews.create(&PostParams::default(), &review).await.expect("reviewed");
    reviewed.status.expect("an answer").allowed
}
