//! Rights that are taken away one by one: people are told once which, nothing is worse than before, and
//! once it is given back the rollback ends by itself.

use std::time::Duration;

use futures_util::future::join_all;
use k8s_openapi::api::rbac::v1::Role;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::scene::{ACCOUNT, Scene};
use crate::accounts::{may, rules};
use crate::controlplane::wait_for;
use crate::incidents::told;
use crate::rollouts::Router;

/// A resource, and what may be done with it.
type Right = (&'static str, &'static str);

async fn set_rights(scene: &Scene, namespace: &str, rules: Value, (right, has): (Right, bool)) {
    let roles = scene.rollout(namespace).workloads.api::<Role>();
    let patch = Patch::Merge(json!({ "rules": rules }));
    roles.patch(ACCOUNT, &PatchParams::default(), &patch).await.expect("changed");
    let way = scene.way(namespace);
    wait_for("the rights to be as said", || async {
        (may(way, namespace, right).await == has).then_some(())
    })
    .await;
}

/// Of a rollback that has come as far as it can without the right.
async fn without(scene: &Scene, namespace: &str, right: Right) {
    let router = scene.rollout(namespace).router;
    set_rights(scene, namespace, rules(router, Some(right)), (right, false)).await;
    scene.critical(&[namespace]).await;
    let words = [
        "status 403",
        &format!("resources: [{}]", right.0),
        &format!("verbs: [{}]", right.1),
        &format!("to a Role in the namespace {namespace}"),
    ];
    scene.fails(namespace, &words).await;
    let observed = scene.rollout(namespace).observe().await;
    let pods = observed.workloads.as_ref().expect("pods");
    assert!(pods.stable.ready_endpoints >= 2 && pods.canary.wanted == 1, "{namespace}: {observed:?}");
    assert!(!observed.is_off(), "{namespace}: {observed:?}");

    set_rights(scene, namespace, rules(router, None), (right, true)).await;
    let incident = scene.ends_right(namespace, Duration::from_secs(25)).await;
    assert_eq!(told(&incident, "rollback_failed"), 1, "{namespace}");
}

async fn each(router: Router, rights: &[Right]) {
    let name = |(resource, verb): &Right| format!("no-{verb}-{}", resource.replace('/', "-"));
    let names: Vec<_> = rights.iter().map(name).collect();
    let rollouts: Vec<_> = names.iter().map(String::as_str).collect();
    let scene = Scene::new(&rollouts, router).await;
    join_all(names.iter().zip(rights).map(|(name, right)| without(&scene, name, *right))).await;
}

#[tokio::test]
async fn each_right_on_ingress_nginx_is_named_when_it_is_missing_and_goes_on_once_it_is_there() {
    let rights = [
        ("ingresses", "get"),
        ("ingresses", "patch"),
        ("deployments", "get"),
        ("deployments/scale", "get"),
        ("deployments/scale", "patch"),
        ("endpointslices", "list"),
    ];
    each(Router::Nginx, &rights).await;
}

#[tokio::test]
async fn each_right_on_an_http_route_is_named_when_it_is_missing_and_goes_on_once_it_is_there() {
    each(Router::Gateway, &[("httproutes", "get"), ("httproutes", "update")]).await;
}

/// What only the last step needs is missing: the traffic is off all the same, and the canary's pods stay.
#[tokio::test]
async fn a_canary_that_may_not_be_scaled_loses_its_traffic_all_the_same() {
    const PATCH: Right = ("deployments/scale", "patch");
    let namespace = "canary-may-not-be-scaled";
    let scene = Scene::new(&[namespace], Router::Nginx).await;
    let all = rules(Router::Nginx, None);
    // Stable's may be, still.
    let mut fewer = rules(Router::Nginx, Some(PATCH));
    let rules = fewer.as_array_mut().expect("rules");
    rules.push(json!({
        "apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": ["stable"], "verbs": ["patch"],
    }));
    set_rights(&scene, namespace, fewer, (PATCH, true)).await;
    scene.critical(&[namespace]).await;
    scene.fails(namespace, &["resourceNames: [canary], verbs: [patch]"]).await;
    let observed = scene.rollout(namespace).observe().await;
    assert!(observed.is_off() && observed.workloads.expect("pods").canary.wanted == 1, "{namespace}");

    set_rights(&scene, namespace, all, (PATCH, true)).await;
    let incident = scene.ends_right(namespace, Duration::from_secs(25)).await;
    assert_eq!(told(&incident, "rollback_failed"), 1);
}

#[tokio::test]
async fn without_the_right_to_tell_of_it_in_events_a_rollback_is_as_good_as_ever() {
    const CREATE: Right = ("events", "create");
    let namespace = "no-create-events";
    let scene = Scene::new(&[namespace], Router::Nginx).await;
    let rules = rules(Router::Nginx, Some(CREATE));
    set_rights(&scene, namespace, rules, (CREATE, false)).await;
    scene.critical(&[namespace]).await;
    let incident = scene.ends_right(namespace, Duration::ZERO).await;
    assert_eq!(told(&incident, "rollback_failed"), 0);
}
