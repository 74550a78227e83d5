//! The history misses nothing, and what must never be is found in it.

use backstop::incident::{Share, Step};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::history::{History, State};
use crate::rollouts::{Rollout, Router};

async fn scale(rollout: &Rollout, deployment: &str, replicas: u16) {
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    let api = rollout.workloads.api::<Deployment>();
    api.patch_scale(deployment, &PatchParams::default(), &patch).await.expect("scaled");
}

#[tokio::test]
async fn what_must_never_be_is_found_however_short_it_was() {
    let rollout = Rollout::new("wrong-order", Router::Nginx, 1).await;
    let history = History::begin().await;
    let namespace = ["wrong-order"];
    let found = async || {
        let judged = history.judged(&namespace).await.remove("wrong-order").expect("judged");
        judged.violations.into_keys().collect::<Vec<_>>()
    };
    // Nothing happened, and what is no rollback's is none of its faults.
    rollout.annotate(&[("x/other", "1")]).await;
    assert_eq!(found().await, [""; 0]);
    // Each is undone at once: in the cluster it was so for a few thousandths of a second.
    scale(&rollout, "canary", 0).await;
    scale(&rollout, "canary", 1).await;
    rollout.annotate(&[("x/canary-weight", "0")]).await;
    rollout.annotate(&[("x/canary-weight", "25")]).await;
    let (down, more) =
        ("the canary went down with traffic on it", "more was shifted than stable's ready pods carry");
    assert_eq!(
        found().await,
        [more, down].into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
    scale(&rollout, "stable", 0).await;
    rollout.pods_are(0, 1).await;
    rollout.annotate(&[("x/canary-weight", "10")]).await;
    let onto_nothing = "traffic was shifted onto no ready pod of stable";
    let lowered = "stable was lowered";
    let all = found().await;
    assert!(all.contains(&onto_nothing) && all.contains(&lowered), "{all:?}");
    scale(&rollout, "canary", 0).await;
    rollout.pods_are(0, 0).await;
    let all = found().await;
    assert!(all.contains(&"no version had a ready pod") && all.len() == 5, "{all:?}");
}

#[tokio::test]
async fn a_canary_that_goes_down_before_its_gateway_knows_is_found() {
    let rollout = Rollout::new("unknown-to-the-gateway", Router::Gateway, 3).await;
    let history = History::begin().await;
    rollout.apply(Step::Shift { share: Share::ZERO, ready_at_least: 3 }).await.expect("moved");
    scale(&rollout, "canary", 0).await;
    rollout.accept_route().await;
    rollout.pods_are(3, 0).await;
    let judged = history.judged(&["unknown-to-the-gateway"]).await.remove("unknown-to-the-gateway");
    let judged = judged.expect("judged");
    let violations: Vec<_> = judged.violations.into_iter().collect();
    let [(what, when)] = violations.as_slice() else { panic!("{violations:?}") };
    assert_eq!(*what, "the canary went down with traffic on it");
    assert_eq!((when.share, when.followed), (0, 25));
    assert_eq!(judged.last, State { stable_wanted: 3, stable_ready: 3, ..State::default() });
}
