//! The protocol's last stage: all of the traffic on the canary, stable at 0 replicas, and then the weight
//! taken away, which a router reads as 0 %.

use super::cluster::{in_a_cluster, seen};
use crate::decision::Input;
use crate::decision::world::World;
use crate::incident::{CheckOutcome, Observation, Phase, Reason, Share, Step, Verdict};

const UP: Step = Step::StableUp { replicas: 3 };

#[test]
fn at_the_last_stage_without_its_weight_the_canary_counts_as_what_everybody_gets() {
    let mut world = in_a_cluster();
    world.observe(seen(0, 0, 0, 3));
    world.critical("Errors");
    let cause = world.incident().cause();
    let stage = cause.stage.map(|stage| stage.number());
    assert_eq!((cause.share, stage, world.under_way()), (Some(Share::ALL), Some(5), Some(UP)));
    world.done(seen(0, 3, 0, 3));
    let waiting = |world: &World| world.incident().progress.waiting.map(|pause| pause.as_str());
    assert_eq!((waiting(&world), world.under_way()), (Some("nobody_serves"), None));
    assert!(world.notices().contains(&"rollback_waits"), "users get errors: {:?}", world.notices());
    world.wait(10);
    world.look(seen(0, 3, 2, 3));
    assert_eq!((waiting(&world), world.under_way()), (Some("stable_short"), None));
    world.look(seen(0, 3, 3, 3));
    assert_eq!(world.under_way(), Some(Step::CanaryDown { ready_at_least: 3 }), "there is nothing to shift");
    world.done(seen(0, 3, 3, 0));
    world.verify(Verdict::Verified, CheckOutcome::Pass);
    assert_eq!(world.phase(), "rolled_back");
}

#[test]
fn at_the_last_stage_the_canary_runs_on_as_its_weight_is_taken_away() {
    let mut world = in_a_cluster();
    for share in [100, 0] {
        world.observe(seen(share, 0, 0, 3));
        world.send(&Input::ShareRead);
        assert_eq!(world.state.share, Some(Share::ALL));
        assert!(world.state.run.is_some(), "the Watchdog is listened for");
        world.wait(60);
    }
    // Once it is down, or the stable version is asked for again, 0 % means what it says.
    world.observe(seen(0, 3, 3, 3));
    assert_eq!(world.critical("Errors"), Some(Reason::NoCanary));
}

#[test]
fn a_router_that_ignores_the_weight_is_a_persons_to_mend_while_stable_comes_up() {
    let mut world = in_a_cluster();
    let obstacle = Some("all of it goes to canary".to_owned());
    let unmarked = |ready| Observation { obstacle: obstacle.clone(), ..seen(100, ready, ready, 3) };
    world.observe(unmarked(0));
    world.critical("Errors");
    assert_eq!(world.under_way(), Some(UP));
    world.done(unmarked(3));
    assert_eq!((world.phase(), world.under_way()), ("failed", None), "the canary has all there is");
    let phase = &world.incident().phase;
    assert!(matches!(phase, Phase::Failed { reason: Reason::Obstacle, .. }), "{phase:?}");
    assert!(world.notices().contains(&"rollback_failed"));
    // Somebody points it at stable.
    world.wait(15);
    world.observe(seen(0, 3, 3, 3));
    world.send(&Input::Tick);
    world.wait(5);
    world.look(seen(0, 3, 3, 3));
    assert_eq!(world.under_way(), Some(Step::CanaryDown { ready_at_least: 3 }));
}
