//! An autoscaler of the stable version, on the real controllers.

use backstop::execution::Target;
use backstop::incident::{Autoscaler, Observation, Step};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::json;

use crate::controlplane::{shared, wait_for};
use crate::rollouts::{Rollout, Router, target};

async fn observed_with(rollout: &Rollout, min: u16, max: u16) -> Observation {
    let target_of = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "stable" });
    let spec = json!({ "scaleTargetRef": target_of, "minReplicas": min, "maxReplicas": max });
    let scaler = json!({ "metadata": { "name": "scaler" }, "spec": spec });
    rollout.workloads.create::<HorizontalPodAutoscaler>(scaler).await.expect("an autoscaler");
    // What was seen before there was one is kept for a while, so by another.
    let namespace = &rollout.workloads.namespace;
    let newcomer = target(&shared().await.kubeconfig(), namespace, rollout.router);
    let observed = || async { newcomer.observe().await.ok().filter(|seen| seen.autoscaler.is_some()) };
    wait_for("the autoscaler to be seen", observed).await
}

#[tokio::test]
async fn an_autoscalers_range_is_observed_and_a_maximum_that_is_too_low_is_said_before_it_acts() {
    let (roomy, tight) =
        tokio::join!(Rollout::new("roomy", Router::Nginx, 0), Rollout::new("tight", Router::Nginx, 0));
    let observed = observed_with(&roomy, 5, 9).await;
    let object = "HorizontalPodAutoscaler scaler".to_owned();
    assert_eq!(observed.autoscaler, Some(Autoscaler { object, min_replicas: 5, max_replicas: 9 }));
    assert_eq!((observed.warnings.len(), observed.stable_at_least(3)), (0, 5));

    let observed = observed_with(&tight, 1, 2).await;
    let [warning] = observed.warnings.as_slice() else { panic!("one: {observed:?}") };
    assert!(
        warning.contains("HorizontalPodAutoscaler scaler") && warning.contains("to 2 replicas"),
        "{warning}"
    );
    assert_eq!(observed.stable_at_least(3), 3, "what is wanted stays what is configured");
    // As it was said.
    tight.apply(Step::StableUp { replicas: 3 }).await.expect("scaled");
    tight.pods_are(2, 1).await;
}
