//! The steps of a ramp.

use serde_json::json;

use super::fake::{
    CANARY, FLAGGER, Fake, INGRESS, ROLLOUT, SLICES, STABLE, canary, deployment, ingress, rollout, slices,
};
use super::{WEIGHT, apply, writes};
use crate::execution::ActError;
use crate::incident::{Share, Step};

fn set(share: u8, ready_at_least: u16) -> Step {
    Step::SetShare { share: Share(share), ready_at_least }
}

#[tokio::test]
async fn a_share_is_set_up_or_down_only_as_far_as_the_canarys_ready_endpoints_carry_it() {
    for (ready, before, step, expected) in [
        (1, "1", set(25, 1), "25"),
        (0, "1", set(25, 1), "1"),
        (0, "1", set(25, 0), "1"),
        (2, "25", set(100, 3), "25"),
        (3, "25", set(100, 3), "100"),
        // Less needs none of the canary's.
        (0, "25", set(5, 1), "5"),
    ] {
        let fake = Fake::new(3);
        fake.put(SLICES, slices(ready));
        fake.put(INGRESS, ingress(before));
        let applied = apply(&fake, step).await;
        assert_eq!(fake.get(INGRESS, WEIGHT), expected, "{ready} ready, {step:?}: {applied:?}");
        assert_eq!(matches!(applied, Err(ActError::NotNow(_))), before == expected, "{applied:?}");
    }
}

#[tokio::test]
async fn header_rules_of_testers_stay_while_a_share_is_raised() {
    let fake = Fake::new(3);
    let mut object = ingress("1");
    object["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-by-header"] = json!("x-canary");
    fake.put(INGRESS, object);
    apply(&fake, set(5, 1)).await.expect("done");
    let header = fake.get(INGRESS, "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-by-header");
    assert_eq!((fake.get(INGRESS, WEIGHT), header), (json!("5"), json!("x-canary")));
}

#[tokio::test]
async fn the_canary_is_raised_and_never_lowered() {
    for (present, wanted, expected) in [(0, 1, 1), (1, 3, 3), (5, 3, 5), (3, 3, 3)] {
        let fake = Fake::new(3);
        fake.put(CANARY, deployment("canary", present, present));
        apply(&fake, Step::CanaryUp { replicas: wanted }).await.expect("done");
        assert_eq!(fake.get(CANARY, "/spec/replicas"), json!(expected), "{present}, {wanted}");
        assert_eq!(writes(&fake), usize::from(present < usize::from(wanted)));
    }
}

#[tokio::test]
async fn stable_goes_down_only_when_the_canary_has_all_of_the_traffic_and_the_pods_for_it() {
    for (weight, ready, goes) in [("100", 3, true), ("99", 3, false), ("100", 2, false), ("0", 3, false)] {
        let fake = Fake::new(3);
        fake.put(INGRESS, ingress(weight));
        fake.put(SLICES, slices(ready));
        let applied = apply(&fake, Step::StableDown { ready_at_least: 3 }).await;
        let expected = if goes { 0 } else { 3 };
        assert_eq!(fake.get(STABLE, "/spec/replicas"), json!(expected), "{weight}, {ready}: {applied:?}");
    }
}

#[tokio::test]
async fn nothing_is_ramped_that_somebody_else_rolls_out() {
    for (end, owner) in [(ROLLOUT, rollout()), (FLAGGER, canary())] {
        for step in [set(25, 1), Step::CanaryUp { replicas: 5 }, Step::StableDown { ready_at_least: 1 }] {
            let fake = Fake::new(3);
            fake.put(INGRESS, ingress(if matches!(step, Step::StableDown { .. }) { "100" } else { "1" }));
            fake.put(end, owner.clone());
            let applied = apply(&fake, step).await;
            assert!(applied.is_err(), "{end}, {step:?}: {applied:?}");
            assert_eq!(writes(&fake), 0, "{end}, {step:?}");
        }
    }
}
