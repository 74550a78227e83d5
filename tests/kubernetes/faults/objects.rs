//! Objects that aren't there as the alert comes: people are told once which and what to do, nothing is
//! worse than before, and once it is there again the rollback ends by itself.

use std::time::Duration;

use backstop::incident::Share;
use futures_util::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;

use super::scene::Scene;
use crate::controlplane::wait_for;
use crate::incidents::told;
use crate::proxy::On;
use crate::rollouts::Router;
use crate::workloads::pods;

/// A failed rollback is tried again after 15 s.
const AGAIN: Duration = Duration::from_secs(15);

async fn recovers(scene: &Scene, namespace: &str) {
    let incident = scene.ends_right(namespace, AGAIN + Duration::from_secs(10)).await;
    assert_eq!(told(&incident, "rollback_failed"), 1, "{namespace}");
}

/// Stable may have been scaled up by what was known from just before, and nothing else.
fn nothing_has_moved(scene: &Scene, namespace: &str) {
    let seen = scene.proxy.seen(&On::new("", namespace, ""));
    let mut changes = seen.iter().filter(|seen| ["PATCH", "PUT"].contains(&seen.method.as_str()));
    assert!(changes.all(|seen| seen.path.ends_with("/stable/scale")), "{namespace}: {seen:?}");
}

#[tokio::test]
async fn what_divides_the_traffic_is_gone() {
    let (nginx, gateway) = tokio::join!(
        Scene::new(&["without-ingress"], Router::Nginx),
        Scene::new(&["without-route"], Router::Gateway)
    );
    let (ingress, route) = (&nginx.rollouts[0], &gateway.rollouts[0]);
    ingress.workloads.delete::<Ingress>("api").await;
    route.routes().delete("api", &Default::default()).await.expect("deleted");

    tokio::join!(nginx.critical(&["without-ingress"]), gateway.critical(&["without-route"]),);
    let remedy = "create it, or mend the name in [rollouts.traffic]";
    nginx.fails("without-ingress", &["no Ingress api in the namespace without-ingress", remedy]).await;
    gateway.fails("without-route", &["no HTTPRoute api in the namespace without-route", remedy]).await;
    nothing_has_moved(&nginx, "without-ingress");
    nothing_has_moved(&gateway, "without-route");

    tokio::join!(ingress.create_ingress(), route.create_route());
    tokio::join!(recovers(&nginx, "without-ingress"), recovers(&gateway, "without-route"));
}

#[tokio::test]
async fn a_workload_or_its_service_is_gone() {
    let namespaces = ["without-stable", "without-service", "without-canary", "renamed-canary"];
    let scene = Scene::new(&namespaces, Router::Nginx).await;
    let of = |namespace: &str| &scene.rollout(namespace).workloads;
    tokio::join!(
        of("without-stable").delete::<Deployment>("stable"),
        of("without-service").delete::<Service>("stable"),
        of("without-canary").delete::<Deployment>("canary"),
        of("renamed-canary").delete::<Deployment>("canary"),
    );
    let all = |namespace: &'static str, service: &'static str, count: usize| async move {
        let ready = || async { (of(namespace).endpoints(service).await.ready == count).then_some(()) };
        wait_for(&format!("{count} endpoints of {service} in {namespace}"), ready).await;
    };
    tokio::join!(
        all("without-stable", "stable", 0),
        all("without-service", "stable", 0),
        all("without-canary", "canary", 0),
        // Its own pod, before the other one's counts.
        all("renamed-canary", "canary", 0),
    );
    of("renamed-canary").run("canary-2", "canary", 1, &pods::ready()).await;
    all("renamed-canary", "canary", 1).await;

    scene.critical(&namespaces).await;
    scene.fails("without-stable", &["there is no Deployment stable in the namespace without-stable"]).await;
    scene.fails("without-service", &["there is no Service stable", "in the namespace without-service"]).await;
    scene
        .fails("renamed-canary", &["there is no Deployment canary", "mend the name in [rollouts.traffic]"])
        .await;
    for namespace in ["without-stable", "without-service"] {
        let weight = scene.rollout(namespace).annotation("x/canary-weight").await;
        assert_eq!(weight.as_deref(), Some("25"), "{namespace}: nobody else would serve");
    }
    // Whatever the canary's Deployment is called, its traffic is off.
    let observed = scene.rollout("renamed-canary").observe().await;
    assert!(observed.share == Share::ZERO && observed.is_off(), "{observed:?}");
    let gone = scene.served.rolled_back("without-canary", Duration::from_secs(30)).await;
    assert_eq!(told(&gone, "rollback_failed"), 0, "there was nothing to scale down");
    assert!(scene.rollout("without-canary").observe().await.is_off());

    of("without-stable").run("stable", "stable", 2, &pods::ready()).await;
    of("without-service").serve("stable").await;
    of("renamed-canary").delete::<Deployment>("canary-2").await;
    of("renamed-canary").run("canary", "canary", 1, &pods::ready()).await;
    let back = ["without-stable", "without-service", "renamed-canary"];
    join_all(back.map(|namespace| recovers(&scene, namespace))).await;
}
