//! What isn't there, isn't what it should be, or doesn't answer.

use std::time::Duration;

use backstop::execution::{ActError, ReadError, Target};
use backstop::incident::{Share, Step};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use tokio::time::Instant;

use crate::controlplane::{ControlPlane, Part};
use crate::rollouts::{Rollout, Router, target};

#[tokio::test]
async fn an_ingress_without_canary_true_is_an_obstacle_that_no_step_touches() {
    let rollout = Rollout::new("promoted", Router::Nginx, 3).await;
    rollout.annotate(&[("x/canary", "false"), ("x/canary-weight", "0")]).await;
    let observed = rollout.observe().await;
    let obstacle = observed.obstacle.expect("an obstacle");
    assert_eq!(observed.share, Share::ALL, "all of it goes to its backend");
    assert!(obstacle.contains("goes to canary") && obstacle.contains("Service stable"), "{obstacle}");
    for step in [Step::TrafficOff, Step::CanaryDown { ready_at_least: 3 }] {
        let applied = rollout.apply(step).await;
        assert!(matches!(applied, Err(ActError::NotNow(_))), "{applied:?}");
    }
    rollout.pods_are(3, 1).await;
}

#[tokio::test]
async fn an_object_that_is_gone_is_named() {
    let rollout = Rollout::new("gone", Router::Nginx, 3).await;
    rollout.workloads.api::<Ingress>().delete("api", &Default::default()).await.expect("deleted");
    let Err(ReadError::Refused { status: 404, text }) = rollout.target.observe().await else {
        panic!("refused")
    };
    assert!(text.contains("there is no Ingress api in the namespace gone"), "{text}");
    let applied = rollout.apply(Step::TrafficOff).await;
    assert!(matches!(&applied, Err(ActError::Refused(answer)) if answer.status == Some(404)), "{applied:?}");
    rollout.workloads.api::<Deployment>().delete("stable", &Default::default()).await.expect("deleted");
    let applied = rollout.apply(Step::StableUp { replicas: 3 }).await;
    let Err(ActError::Refused(answer)) = applied else { panic!("{applied:?}") };
    assert!(answer.text.contains("there is no Deployment stable"), "{answer:?}");
}

/// With a control plane of its own, which it stops and ends.
#[tokio::test]
async fn an_api_server_that_is_silent_or_gone_is_waited_for_no_longer_than_a_call_may_take() {
    let mut cluster = ControlPlane::start().await;
    let namespace = cluster.namespace("silent").await;
    let ours = target(&cluster.kubeconfig(), &namespace, Router::Nginx);
    let gone = ours.observe().await.expect_err("nothing is there");
    assert!(matches!(gone, ReadError::Refused { status: 404, .. }), "{gone}");

    cluster.freeze(Part::Apiserver);
    let asked = Instant::now();
    let silent = ours.observe().await.expect_err("silence");
    assert!(matches!(silent, ReadError::NoAnswer(_)), "{silent}");
    let applied = ours.apply(Step::StableUp { replicas: 3 }).await;
    assert!(
        matches!(applied, Err(ActError::Retry { .. })),
        "only read, so nothing can have changed: {applied:?}"
    );
    assert!(asked.elapsed() < Duration::from_secs(50), "{:?}", asked.elapsed());
    cluster.thaw(Part::Apiserver);

    cluster.kill(Part::Apiserver);
    let asked = Instant::now();
    let applied = ours.apply(Step::TrafficOff).await;
    assert!(matches!(applied, Err(ActError::Retry { .. })), "{applied:?}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}
