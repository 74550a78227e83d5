//! An API server that freezes, or dies and comes back, in the middle of a rollback. With a control plane
//! of their own, which the test stops and ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::scene::{CANARY_DOWN, STABLE_UP, Scene, WEIGHT};
use crate::controlplane::{ControlPlane, Part};
use crate::incidents::told;
use crate::proxy::{Fault, Hold, On};
use crate::rollouts::Router;

/// What a rollback may take once the API server is back: what it had left to do, and the longest pause
/// between two attempts.
const AFTERWARDS: Duration = Duration::from_secs(20);

/// Holds a change of the rollback back, and returns once the rollback has come to it.
async fn come_to(scene: &Scene, namespace: &str, (method, end): (&'static str, &'static str)) -> Arc<Hold> {
    let hold = Hold::new();
    scene.proxy.fail(On::new(method, namespace, end), Fault::Held(Arc::clone(&hold)), 1);
    scene.critical(&[namespace]).await;
    hold.has_come().await;
    hold
}

#[tokio::test]
async fn an_api_server_that_freezes_or_dies_in_the_middle_of_a_rollback_costs_seconds() {
    let mut cluster = ControlPlane::start().await;
    let names = ["freezes", "dies", "dies-late", "loses-its-store"];
    let scene = Scene::on(&cluster, &names, Router::Nginx).await;

    let hold = come_to(&scene, "freezes", WEIGHT).await;
    cluster.freeze(Part::Apiserver);
    hold.let_on();
    tokio::time::sleep(Duration::from_secs(15)).await;
    cluster.thaw(Part::Apiserver);
    goes_on(&scene, "freezes").await;

    for (name, change) in [("dies", STABLE_UP), ("dies-late", CANARY_DOWN)] {
        let hold = come_to(&scene, name, change).await;
        cluster.kill(Part::Apiserver);
        hold.let_on();
        cluster.run(Part::Apiserver).await;
        goes_on(&scene, name).await;
    }

    let hold = come_to(&scene, "loses-its-store", WEIGHT).await;
    cluster.kill(Part::Etcd);
    hold.let_on();
    tokio::time::sleep(Duration::from_secs(3)).await;
    cluster.run(Part::Etcd).await;
    goes_on(&scene, "loses-its-store").await;
}

async fn goes_on(scene: &Scene, namespace: &str) {
    let back = Instant::now();
    let incident = scene.served.rolled_back(namespace, AFTERWARDS).await;
    let took = back.elapsed();
    assert_eq!(told(&incident, "rollback_failed"), 0, "{namespace}: {incident:#?}");
    scene.ends_right(namespace, Duration::ZERO).await;
    assert!(took < AFTERWARDS, "{namespace}: {took:?}");
}
