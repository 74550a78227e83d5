//! A share that was to be set, and is not at once.

use super::scene::{STAGE, Scene, plan};
use crate::decision::ramp::RampRequest;
use crate::decision::{Command, Input, Mode};
use crate::incident::{GateVerdict, HoldReason, Revision, StepOutcome};

/// The first stage has passed, and 25 % is about to be set.
fn about_to_set() -> Scene {
    let mut scene = Scene::running();
    scene.stage_passes();
    assert_eq!(scene.setting(), Some(25));
    scene
}

/// What the worker asks before it sends the change.
fn is_due(scene: &mut Scene) -> bool {
    let (ramp, step) = (scene.ramp().id.clone(), scene.ramp().step.expect("a step"));
    scene.world.send(&Input::RampStepDue { ramp: ramp.clone(), step });
    scene.world.due().contains(&Command::RunRampStep { ramp, step })
}

#[test]
fn a_share_that_was_decided_before_something_came_in_the_way_is_not_set() {
    type Prepare = fn(&mut Scene);
    let cases: [(HoldReason, Prepare); 6] = [
        (HoldReason::IncidentOpen, |scene| {
            scene.world.warning("Slow");
        }),
        (HoldReason::Paused, |scene| scene.ask(RampRequest::Pause { words: None })),
        (HoldReason::NotArmed, |scene| scene.world.policy.mode = Mode::Shadow),
        (HoldReason::WatchdogSilent, |scene| scene.world.watchdog_silent_seconds = 180),
        (HoldReason::RevisionChanged, |scene| scene.world.policy.revision = Revision::new("v1.5.0")),
        (HoldReason::Frozen, |scene| scene.world.frozen = Some("weekend".to_owned())),
    ];
    for (reason, prepare) in cases {
        let mut scene = about_to_set();
        prepare(&mut scene);
        assert!(!is_due(&mut scene), "{reason}");
        assert_eq!((scene.holds_for(), scene.setting()), (vec![reason], None));
    }
    assert!(is_due(&mut about_to_set()), "with nothing in the way");
}

#[test]
fn a_pass_of_long_ago_raises_no_share_until_the_stage_is_judged_once_more() {
    for verdict in [GateVerdict::Pass, GateVerdict::Fail, GateVerdict::Unknown] {
        // The process ended before it sent the change, and nobody was there for hours.
        let mut scene = about_to_set();
        scene.world.wait(3 * 3_600);
        assert!(!is_due(&mut scene));
        scene.world.wait(5);
        scene.world.share(1);
        assert_eq!((scene.ramp().stage, scene.setting()), (0, None), "the stage is judged once more");
        assert_eq!(scene.ramp().stages.len(), 1);
        scene.judge(verdict);
        let is_set = verdict == GateVerdict::Pass;
        assert_eq!(scene.setting(), is_set.then_some(25), "{verdict:?}");
        assert_eq!(scene.state(), if is_set { "stage_running" } else { "stage_holding" });
    }
}

#[test]
fn a_pause_between_two_stages_over_a_night_has_the_stage_judged_once_more() {
    let mut scene = about_to_set();
    scene.step_ends(StepOutcome::Failed);
    scene.ask(RampRequest::Pause { words: None });
    assert_eq!(scene.holds_for(), [HoldReason::Paused]);
    assert_eq!(scene.ramp().retry_at, None, "nothing is tried meanwhile");
    scene.world.wait(8 * 3_600);
    scene.ask(RampRequest::Resume);
    scene.world.share(1);
    assert_eq!((scene.ramp().stage, scene.setting()), (0, None));
    scene.judge(GateVerdict::Fail);
    assert_eq!((scene.holds_for(), scene.setting()), (vec![HoldReason::CriterionFails], None));
}

#[test]
fn a_share_that_fails_to_be_set_for_hours_is_told_of_at_its_intervals_and_not_at_each_try() {
    let mut scene = about_to_set();
    for _ in 0..60 {
        if scene.setting().is_some() {
            scene.step_ends(StepOutcome::Failed);
        }
        scene.world.wait(60);
        scene.world.share(1);
        scene.judge(GateVerdict::Pass);
    }
    let told = scene.count("ramp_holds") + scene.count("ramp_holds_too_long");
    assert!((4..=5).contains(&told), "{told}");
    assert_eq!(scene.count("ramp_goes_on"), 0);
    assert!(scene.shares_set().len() > 10, "and it is tried again and again");
    if scene.setting().is_none() {
        scene.world.wait(300);
        scene.world.share(1);
        scene.judge(GateVerdict::Pass);
    }
    scene.share_is_set();
    assert_eq!((scene.state(), scene.count("ramp_goes_on")), ("stage_running", 1));
}

#[test]
fn what_was_said_of_a_stage_does_not_count_for_it_once_it_begins_anew() {
    let mut scene = Scene::running_with(plan());
    scene.wait(60);
    scene.judge(GateVerdict::Fail);
    scene.promote(false, Some("the probe is broken"));
    scene.world.policy.revision = Revision::new("v1.5.0");
    scene.judge(GateVerdict::Fail);
    assert!(scene.holds_for().contains(&HoldReason::RevisionChanged));
    scene.world.policy.revision = Revision::new("v1.4.0");
    scene.wait(60);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.ramp().record().and_then(|record| record.promotion.clone()), None);
    assert_eq!(scene.setting(), None, "it has all of its time before it");
    scene.wait(STAGE);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn what_is_not_the_gates_is_overruled_by_nobody() {
    type Prepare = fn(&mut Scene);
    let cases: [Prepare; 2] = [
        |scene| scene.world.watchdog_silent_seconds = 180,
        |scene| scene.world.frozen = Some("weekend".to_owned()),
    ];
    for prepare in cases {
        let mut scene = Scene::running();
        scene.wait(60);
        scene.judge(GateVerdict::Pass);
        prepare(&mut scene);
        scene.promote(false, Some("go on"));
        assert_eq!(scene.refusal(), "cant_be_forced");
    }
}

#[test]
fn a_ramp_does_not_end_in_success_while_evidence_cant_be_written_and_people_are_told() {
    let mut scene = Scene::finishing();
    scene.wait(100);
    assert_eq!((scene.state(), scene.count("ramp_holds")), ("finishing", 0), "it is being gathered");
    scene.wait(100);
    assert_eq!(scene.holds_for(), [HoldReason::EvidenceUnwritten]);
    assert_eq!(scene.count("ramp_holds"), 1);
    scene.wait(900);
    assert_eq!(scene.count("ramp_holds"), 2);
    scene.evidence_is_written();
    scene.wait(1);
    assert_eq!(scene.state(), "succeeded");
}
