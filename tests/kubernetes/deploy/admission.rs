//! What the policies make of the account's writes, in tables: each write, and the refusal if there is one.
//! All are dry runs, so that each begins from the same object.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Error;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::controlplane::{connect, shared};
use crate::rollouts::{Rollout, Router};
use crate::shipped::{self, routes};
use crate::workloads::Workloads;

/// Nothing is changed by it.
const TRIED: PatchParams =
    PatchParams { dry_run: true, force: false, field_manager: None, field_validation: None };

/// A rollout, and the same namespace as the account sees it.
async fn limited(namespace: &str, router: Router) -> (Rollout, Workloads) {
    limited_by(namespace, router, "admission").await
}

/// The same under the policies of this folder.
async fn limited_by(namespace: &str, router: Router, policies: &str) -> (Rollout, Workloads) {
    let rollout = Rollout::new(namespace, router, 2).await;
    let kubeconfig = shipped::apply(shared().await, namespace, router).await;
    shipped::limit_by(shared().await, namespace, router, (&kubeconfig, policies)).await;
    let account = Workloads::new(connect(&kubeconfig).await, namespace);
    (rollout, account)
}

/// Compares an answer with the refusal that is expected; an empty one means that it has to pass.
fn judge<T: std::fmt::Debug>(what: &str, answer: Result<T, Error>, refusal: &str) {
    match answer {
        Ok(_) if refusal.is_empty() => {}
        Err(Error::Api(status)) if !refusal.is_empty() && status.message.contains(refusal) => {
            assert_eq!(status.code, 422, "{what}: {status:?}");
        }
        other => panic!("{what}: expected {refusal:?}, got {other:?}"),
    }
}

#[tokio::test]
async fn replicas_of_stable_go_up_and_those_of_the_canary_to_0_alone() {
    let (rollout, account) = limited("limited-scale", Router::Nginx).await;
    let (up, zero) = ("may only scale up", "may only scale its canary to 0");
    for (deployment, replicas, refusal) in [
        ("stable", 2, ""),
        ("stable", 3, ""),
        ("stable", 1, up),
        ("stable", 0, up),
        ("canary", 0, ""),
        ("canary", 1, zero),
        ("canary", 3, zero),
    ] {
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        let ours = account.api::<Deployment>().patch_scale(deployment, &TRIED, &patch).await;
        judge(&format!("{deployment} to {replicas}"), ours, refusal);
        // People are not limited.
        rollout.workloads.api::<Deployment>().patch_scale(deployment, &TRIED, &patch).await.expect("allowed");
    }
}

#[tokio::test]
async fn where_ramps_are_the_canary_goes_up_too_and_stable_still_not_down() {
    let (_rollout, account) = limited_by("limited-ramp", Router::Nginx, "admission-for-ramps").await;
    let (up, zero, number) = ("may only scale up", "may only scale its canary to 0", "may only lower");
    for (deployment, replicas, refusal) in
        [("stable", 1, up), ("stable", 0, up), ("canary", 0, ""), ("canary", 1, ""), ("canary", 3, "")]
    {
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        let answer = account.api::<Deployment>().patch_scale(deployment, &TRIED, &patch).await;
        judge(&format!("{deployment} to {replicas}"), answer, refusal);
    }
    let three = Patch::Merge(json!({ "spec": { "replicas": 3 } }));
    account.api::<Deployment>().patch_scale("canary", &PatchParams::default(), &three).await.expect("scaled");
    let two = Patch::Merge(json!({ "spec": { "replicas": 2 } }));
    let answer = account.api::<Deployment>().patch_scale("canary", &TRIED, &two).await;
    judge("canary from 3 to 2", answer, zero);
    for (weight, refusal) in [("26", ""), ("100", ""), ("0", ""), ("-1", number), ("many", number)] {
        let annotations = json!({ "nginx.ingress.kubernetes.io/canary-weight": weight });
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
        judge(weight, account.api::<Ingress>().patch("api", &TRIED, &patch).await, refusal);
    }
    let foreign = json!({ "nginx.ingress.kubernetes.io/configuration-snippet": "return 200;" });
    let patch = Patch::Merge(json!({ "metadata": { "annotations": foreign } }));
    judge(
        "a snippet",
        account.api::<Ingress>().patch("api", &TRIED, &patch).await,
        "may not set any annotation",
    );
}

#[tokio::test]
async fn where_ramps_are_the_canarys_part_of_an_http_route_goes_up_too_and_never_to_nothing() {
    let (rollout, account) = limited_by("limited-ramp-route", Router::Gateway, "admission-for-ramps").await;
    let ours = routes(account.client, "limited-ramp-route");
    let params = PostParams { dry_run: true, ..PostParams::default() };
    for (stable, canary, refusal) in
        [(74, 26, ""), (0, 100, ""), (100, 0, ""), (0, 0, "may only lower the canary's part")]
    {
        let mut route = rollout.routes().get("api").await.expect("an HTTPRoute");
        set(&mut route.data["spec"], "rules/0/backendRefs/0/weight", json!(stable));
        set(&mut route.data["spec"], "rules/0/backendRefs/1/weight", json!(canary));
        judge(&format!("{stable} and {canary}"), ours.replace("api", &params, &route).await, refusal);
    }
}

#[tokio::test]
async fn of_an_ingress_the_weight_goes_down_and_header_and_cookie_rules_go_and_nothing_else() {
    let (rollout, account) = limited("limited-nginx", Router::Nginx).await;
    rollout
        .annotate(&[
            ("x/canary-weight-total", "1000"),
            ("x/canary-by-header", "X-Canary"),
            ("x/canary-by-cookie", "canary"),
            ("team", "a"),
        ])
        .await;
    let (foreign, removed) = ("may not set any annotation", "may not remove any annotation");
    let (lower, others, spec) =
        ("may only lower", "labels, finalizers or owners", "may not change an Ingress's spec");
    let owner = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y" }]);
    for (annotations, refusal) in [
        (json!({ "x/canary-weight": "10" }), ""),
        (json!({ "x/canary-weight": "0" }), ""),
        (json!({ "x/canary-weight": "0", "x/canary-by-header": null, "x/canary-by-cookie": null }), ""),
        (json!({ "x/canary-weight": "26" }), lower),
        (json!({ "x/canary-weight": "100" }), lower),
        (json!({ "x/canary-weight": "-1" }), lower),
        (json!({ "x/canary-weight": "many" }), lower),
        (json!({ "x/canary-weight": null }), removed),
        (json!({ "x/canary-weight-total": "100" }), foreign),
        (json!({ "x/canary-weight-total": null }), removed),
        (json!({ "x/canary-by-header": "X-Other" }), foreign),
        (json!({ "x/canary-by-header-value": "yes" }), foreign),
        (json!({ "x/canary": "false" }), foreign),
        (json!({ "x/canary": null }), removed),
        (json!({ "x/configuration-snippet": "return 200;" }), foreign),
        (json!({ "team": "b" }), foreign),
        (json!({ "team": null }), removed),
    ] {
        let text = annotations.to_string().replace("x/", "nginx.ingress.kubernetes.io/");
        let annotations: Value = serde_json::from_str(&text).expect("JSON");
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
        judge(&text, account.api::<Ingress>().patch("api", &TRIED, &patch).await, refusal);
        rollout.workloads.api::<Ingress>().patch("api", &TRIED, &patch).await.expect("allowed");
    }
    for (change, refusal) in [
        (json!({ "metadata": { "labels": { "a": "b" } } }), others),
        (json!({ "metadata": { "finalizers": ["backstop.test/x"] } }), others),
        (json!({ "metadata": { "ownerReferences": owner } }), others),
        (json!({ "spec": { "ingressClassName": "other" } }), spec),
        (
            json!({ "spec": { "defaultBackend": { "service": { "name": "x", "port": { "number": 1 } } } } }),
            spec,
        ),
    ] {
        let answer = account.api::<Ingress>().patch("api", &TRIED, &Patch::Merge(&change)).await;
        judge(&change.to_string(), answer, refusal);
    }
}

#[tokio::test]
async fn what_ingress_nginx_takes_for_0_can_be_made_0() {
    let (rollout, account) = limited("limited-odd", Router::Nginx).await;
    let weight = |weight: &str| {
        let annotations = json!({ "nginx.ingress.kubernetes.io/canary-weight": weight });
        Patch::Merge(json!({ "metadata": { "annotations": annotations } }))
    };
    for (present, next, refusal) in
        [("+25", "0", ""), ("many", "0", ""), ("many", "1", "may only lower"), ("9", "10", "may only lower")]
    {
        rollout.annotate(&[("x/canary-weight", present)]).await;
        let answer = account.api::<Ingress>().patch("api", &TRIED, &weight(next)).await;
        judge(&format!("{present} to {next}"), answer, refusal);
    }
}

#[tokio::test]
async fn of_an_http_route_the_canarys_part_goes_to_stable_and_nothing_else() {
    let (rollout, account) = limited("limited-route", Router::Gateway).await;
    let mut route = rollout.routes().get("api").await.expect("an HTTPRoute");
    let header = json!({ "matches": [{ "headers": [{ "name": "x-canary", "value": "yes" }] }], "backendRefs": [{ "name": "canary", "port": 8080 }] });
    let others = json!({ "backendRefs": [{ "name": "stable", "port": 80, "weight": 50 }, { "name": "canary", "port": 80, "weight": 25 }, { "name": "cache", "port": 80, "weight": 25 }] });
    let add = |header: &str| json!([{ "type": "RequestHeaderModifier", "requestHeaderModifier": { "add": [{ "name": header, "value": "b" }] } }]);
    let mut filtered = others.clone();
    filtered["backendRefs"][0]["filters"] = add("stables");
    filtered["backendRefs"][2]["filters"] = add("caches");
    let dead = json!({ "backendRefs": [{ "name": "stable", "port": 80, "weight": 0 }, { "name": "canary", "port": 80, "weight": 0 }] });
    route.data["spec"]["rules"].as_array_mut().expect("rules").extend([header, others, filtered, dead]);
    rollout.routes().replace("api", &PostParams::default(), &route).await.expect("replaced");

    let ours = routes(account.client, "limited-route");
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let (backend, part) = ("may not add a backend but stable", "may only lower the canary's part");
    let (rule, whole) = ("may not change a rule but for", "may not change an HTTPRoute but for");
    let (taken, metadata) = ("may not take away a backend", "annotations, labels, finalizers or owners");
    let to_stable = json!({ "name": "stable", "port": 80 });
    let canary = |weight: u16| json!({ "name": "canary", "port": 8080, "weight": weight });
    let stable = |weight: u16| json!({ "name": "stable", "port": 80, "weight": weight });
    let filters = add("a");
    let elsewhere = json!([{ "path": { "type": "PathPrefix", "value": "/x" } }]);
    for (changes, refusal) in [
        (vec![("rules/0/backendRefs/0/weight", json!(90)), ("rules/0/backendRefs/1/weight", json!(10))], ""),
        (vec![("rules/0/backendRefs/0/weight", json!(100)), ("rules/0/backendRefs/1/weight", json!(0))], ""),
        (vec![("rules/1/backendRefs/0", to_stable)], ""),
        (vec![("rules/1/backendRefs", json!([canary(10), stable(90)]))], ""),
        (vec![("rules/2/backendRefs/0/weight", json!(75)), ("rules/2/backendRefs/1/weight", json!(0))], ""),
        (vec![("rules/0/backendRefs/1/weight", json!(26))], part),
        (vec![("rules/0/backendRefs/0/weight", json!(74))], part),
        (vec![("rules/0/backendRefs/0/weight", json!(0)), ("rules/0/backendRefs/1/weight", json!(0))], part),
        (vec![("rules/2/backendRefs/2/weight", json!(99))], backend),
        (vec![("rules/0/backendRefs/0/name", json!("evil"))], backend),
        (vec![("rules/0/backendRefs/0/port", json!(81))], backend),
        (vec![("rules/0/backendRefs/0/namespace", json!("evil"))], backend),
        (vec![("rules/0/backendRefs/0/filters", filters.clone())], backend),
        (vec![("rules/0/backendRefs", json!([canary(0)]))], backend),
        (
            vec![("rules/2/backendRefs", json!([stable(75), { "name": "cache", "port": 80, "weight": 25 }]))],
            "",
        ),
        (vec![("rules/2/backendRefs", json!([stable(100)]))], taken),
        (vec![("rules/3/backendRefs/0/weight", json!(75)), ("rules/3/backendRefs/1/weight", json!(0))], ""),
        (vec![("rules/3/backendRefs/0/filters", Value::Null)], taken),
        (vec![("rules/3/backendRefs/0/filters", add("caches"))], backend),
        (vec![("rules/4/backendRefs/0/weight", json!(100))], ""),
        (vec![("rules/0/matches", elsewhere)], rule),
        (vec![("rules/0/filters", filters)], rule),
        (vec![("rules/0/timeouts", json!({ "request": "1s" }))], rule),
        (vec![("rules", json!([{ "backendRefs": [stable(75), canary(25)] }]))], rule),
        (vec![("hostnames", json!(["evil.test"]))], whole),
        (vec![("parentRefs/0/name", json!("other"))], whole),
    ] {
        let mut route = rollout.routes().get("api").await.expect("an HTTPRoute");
        for (place, value) in &changes {
            set(&mut route.data["spec"], place, value.clone());
        }
        let what = format!("{changes:?}");
        judge(&what, ours.replace("api", &params, &route).await, refusal);
    }
    let owner = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y" }]);
    for (key, value) in [
        ("annotations", json!({ "a": "b" })),
        ("labels", json!({ "a": "b" })),
        ("finalizers", json!(["backstop.test/x"])),
        ("ownerReferences", owner),
    ] {
        // As somebody who may, to see what it looks like.
        let change = Patch::Merge(json!({ "metadata": { key: value } }));
        let mut route = rollout.routes().patch("api", &TRIED, &change).await.expect("allowed");
        route.metadata.managed_fields = None;
        judge(key, ours.replace("api", &params, &route).await, metadata);
    }
}

/// Sets what a path of keys and places leads to, which need not be there yet.
fn set(spec: &mut Value, path: &str, value: Value) {
    let mut at = spec;
    for part in path.split('/') {
        at = match part.parse::<usize>() {
            Ok(place) => &mut at[place],
            Err(_) => &mut at[part],
        };
    }
    *at = value;
}
