//! A ramp while something is wrong with what it rests on.

use super::scene::{STAGE, Scene, plan};
use crate::decision::Input;
use crate::incident::{GateVerdict, HoldReason, StepOutcome};

/// A stage whose share is to be set, while nothing can be read any more.
fn changing_blindly() -> Scene {
    let mut scene = Scene::running();
    scene.stage_passes();
    scene.step_ends(StepOutcome::Failed);
    scene.unread();
    scene
}

#[test]
fn a_share_that_cant_be_read_as_the_next_one_is_set_is_told_after_a_moment_and_goes_on_by_itself() {
    let mut scene = changing_blindly();
    scene.world.wait(5);
    scene.unread();
    assert_eq!((scene.state(), scene.count("ramp_holds")), ("stage_running", 0), "one failure is none");
    scene.world.wait(6);
    scene.unread();
    assert_eq!(scene.holds_for(), [HoldReason::ShareUnread]);
    assert_eq!(scene.count("ramp_holds"), 1);
    scene.world.wait(1);
    scene.world.share(1);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn a_hold_while_a_share_is_set_ends_by_a_new_look_and_not_by_the_age_of_the_last() {
    let mut scene = changing_blindly();
    scene.world.wait(11);
    scene.world.share(50);
    assert_eq!(scene.holds_for(), [HoldReason::ShareChanged]);
    for _ in 0..10 {
        scene.world.wait(3);
        scene.world.send(&Input::Tick);
        assert_eq!(scene.holds_for(), [HoldReason::ShareChanged], "nobody looked");
    }
    assert_eq!((scene.count("ramp_holds"), scene.count("ramp_goes_on")), (1, 0));
    scene.world.share(1);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn a_change_that_is_never_the_time_for_is_told_after_three_times() {
    let mut scene = Scene::started_with(plan());
    for times in 1..=4 {
        scene.step_ends(StepOutcome::NotNow);
        assert_eq!(scene.count("ramp_holds"), usize::from(times >= 3), "after {times}");
        scene.world.wait(60);
        scene.world.share(0);
        assert_eq!(scene.setting(), Some(1), "after {times}");
    }
}

#[test]
fn a_ramp_does_not_succeed_with_another_share_than_all_and_says_so() {
    let mut scene = Scene::finishing();
    scene.world.wait(1);
    scene.world.share(50);
    scene.evidence_is_written();
    assert_eq!(scene.holds_for(), [HoldReason::ShareChanged]);
    assert_eq!(scene.count("ramp_succeeded"), 0);
    scene.world.wait(1);
    scene.world.share(100);
    assert_eq!((scene.state(), scene.count("ramp_succeeded")), ("succeeded", 1));
}

#[test]
fn what_holds_the_end_is_told_and_told_again_and_goes_by_itself() {
    let mut scene = Scene::finishing();
    scene.world.frozen = Some("weekend".to_owned());
    scene.evidence_is_written();
    assert_eq!((scene.holds_for(), scene.count("ramp_holds")), (vec![HoldReason::Frozen], 1));
    scene.world.wait(900);
    scene.world.share(100);
    assert_eq!(scene.count("ramp_holds"), 2);
    scene.world.frozen = None;
    scene.world.share(100);
    assert_eq!(scene.state(), "succeeded");
}

#[test]
fn a_watchdog_that_was_lost_is_lost_after_a_restart_until_it_is_heard() {
    let mut scene = Scene::running();
    scene.world.watchdog_silent_seconds = 600;
    scene.wait(STAGE);
    scene.judge(GateVerdict::Pass);
    scene.world.send(&Input::Tick);
    assert_eq!(scene.holds_for(), [HoldReason::WatchdogSilent]);
    // The next process counts the silence from its own start.
    (scene.world.watchdog_silent_seconds, scene.world.watchdog_heard) = (1, false);
    scene.wait(1);
    scene.world.send(&Input::Tick);
    scene.judge(GateVerdict::Pass);
    assert_eq!((scene.holds_for(), scene.setting()), (vec![HoldReason::WatchdogSilent], None));
    assert_eq!(scene.count("watchdog_back"), 0);
    scene.world.watchdog_heard = true;
    scene.wait(1);
    scene.world.send(&Input::Tick);
    scene.judge(GateVerdict::Pass);
    assert_eq!((scene.setting(), scene.count("watchdog_back")), (Some(25), 1));
}

#[test]
fn a_stage_begins_anew_once_its_share_is_back() {
    let mut scene = Scene::running();
    scene.wait(STAGE - 10);
    scene.judge(GateVerdict::Pass);
    scene.world.share(50);
    assert_eq!(scene.holds_for(), [HoldReason::ShareChanged]);
    scene.world.wait(60);
    scene.world.share(1);
    assert_eq!(scene.state(), "stage_running");
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), None, "fifteen minutes with its share begin now");
    scene.wait(STAGE - 1);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), None);
    scene.wait(1);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn a_criterion_that_fails_after_it_was_not_known_is_told_at_once() {
    let mut scene = Scene::running();
    scene.wait(STAGE);
    scene.judge(GateVerdict::Unknown);
    assert_eq!(scene.count("ramp_holds"), 1);
    scene.wait(1);
    scene.judge(GateVerdict::Fail);
    assert_eq!((scene.holds_for(), scene.count("ramp_holds")), (vec![HoldReason::CriterionFails], 2));
    let detail = scene.ramp().holding.as_ref().expect("it holds").detail.clone();
    assert!(detail.starts_with("latency is good: A value of the last five minutes"), "{detail}");
}

#[test]
fn what_was_ramped_long_ago_is_not_rolled_back_because_its_share_cant_be_read() {
    let mut scene = Scene::finishing();
    scene.evidence_is_written();
    assert_eq!(scene.state(), "succeeded");
    scene.world.wait(25 * 3_600);
    scene.unread();
    let reason = |scene: &mut Scene, name: &str| scene.world.critical(name).map(|reason| reason.as_str());
    assert_eq!(reason(&mut scene, "Slow"), Some("released"));
    scene.world.share(25);
    assert_eq!(reason(&mut scene, "Errors"), Some("critical_alert"), "it is a canary again");
}
