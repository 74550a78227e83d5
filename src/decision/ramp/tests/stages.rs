//! How a ramp goes from stage to stage, and what holds it.

use super::scene::{STAGE, Scene, plan};
use crate::decision::ramp::RampRequest;
use crate::decision::{Command, Confirmation, Input};
use crate::incident::{GateVerdict, HoldReason, RampPlan, Revision, StepOutcome};

#[test]
fn a_good_canary_goes_through_all_stages_and_succeeds_once_its_evidence_is_written() {
    let mut scene = Scene::running();
    for share in [25, 100] {
        scene.stage_passes();
        assert_eq!((scene.state(), scene.setting()), ("stage_running", Some(share)));
        scene.share_is_set();
    }
    scene.stage_passes();
    assert_eq!(scene.state(), "finishing", "no success without evidence");
    scene.evidence_is_written();
    assert_eq!((scene.state(), scene.shares_set()), ("succeeded", vec![1, 25, 100]));
    let told = ["ramp_started", "ramp_stage_began", "ramp_stage_began", "ramp_stage_began", "ramp_succeeded"];
    assert_eq!(scene.world.notices(), told);
    assert!(matches!(scene.world.due()[..], [Command::WriteRampEvidence { stage: None, .. }]));
}

#[test]
fn a_stage_lasts_its_time_from_when_its_share_was_read_back() {
    let mut scene = Scene::started_with(plan());
    scene.world.wait(600);
    scene.share_is_set();
    scene.wait(STAGE - 1);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), None, "the time before it was read back doesn't count");
    scene.wait(1);
    assert_eq!(scene.setting(), None, "nothing goes on without a judgement of this moment");
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn what_fails_holds_at_once_and_what_is_not_known_when_the_time_is_over() {
    for (verdict, early, reason) in [
        (GateVerdict::Fail, true, HoldReason::CriterionFails),
        (GateVerdict::Unknown, false, HoldReason::CriterionUnknown),
    ] {
        let mut scene = Scene::running();
        scene.wait(60);
        scene.judge(verdict);
        assert_eq!(!scene.holds_for().is_empty(), early, "{verdict}");
        scene.wait(STAGE);
        scene.judge(verdict);
        assert_eq!((scene.holds_for(), scene.setting()), (vec![reason], None));
        scene.judge(GateVerdict::Pass);
        assert_eq!((scene.state(), scene.setting()), ("stage_running", Some(25)), "it goes on by itself");
    }
}

#[test]
fn a_criterion_that_was_not_judged_is_not_passed() {
    let mut scene = Scene::running();
    scene.wait(STAGE);
    scene.judged(Vec::new());
    assert_eq!((scene.holds_for(), scene.setting()), (vec![HoldReason::CriterionUnknown], None));
}

#[test]
fn people_are_told_of_a_hold_at_once_then_every_quarter_of_an_hour_and_paged_once_after_its_limit() {
    let mut scene = Scene::running();
    scene.judge(GateVerdict::Fail);
    assert_eq!(scene.count("ramp_holds"), 1);
    for _ in 0..59 {
        scene.wait(60);
        scene.judge(GateVerdict::Fail);
    }
    assert_eq!((scene.count("ramp_holds"), scene.count("ramp_holds_too_long")), (4, 0));
    for _ in 0..15 {
        scene.wait(60);
        scene.judge(GateVerdict::Fail);
    }
    assert_eq!((scene.count("ramp_holds"), scene.count("ramp_holds_too_long")), (4, 1));
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.state(), "stage_running");
}

#[test]
fn what_a_person_did_or_is_asked_for_is_told_at_once_although_the_ramp_held_before() {
    let mut plan = plan();
    plan.stages[0].needs_approval = true;
    let mut scene = Scene::running_with(plan);
    scene.judge(GateVerdict::Fail);
    let mut told = scene.count("ramp_holds");
    assert_eq!(told, 1);
    let tells_once = |scene: &mut Scene, told: &mut usize, doing: &dyn Fn(&mut Scene)| {
        doing(scene);
        *told += 1;
        assert_eq!(scene.count("ramp_holds"), *told, "{:?}", scene.holds_for());
        scene.judge(GateVerdict::Fail);
        assert_eq!(scene.count("ramp_holds"), *told, "once");
    };
    tells_once(&mut scene, &mut told, &|scene| scene.ask(RampRequest::Pause { words: None }));
    tells_once(&mut scene, &mut told, &|scene| scene.ask(RampRequest::Resume));
    scene.world.wait(STAGE - 10);
    let share = scene.ramp().share();
    scene.world.share(share.0);
    tells_once(&mut scene, &mut told, &|scene| scene.wait(20));
    assert_eq!(scene.holds_for(), [HoldReason::CriterionFails, HoldReason::ApprovalMissing]);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.holds_for(), [HoldReason::ApprovalMissing]);
}

#[test]
fn a_hold_that_nobody_hears_of_otherwise_is_told_by_the_clock() {
    let mut scene = Scene::running();
    scene.judge(GateVerdict::Fail);
    let due = |scene: &Scene| crate::decision::due(&scene.world.state, &scene.world.policy, scene.world.now);
    let next = due(&scene).next.expect("a time");
    assert_eq!((next - scene.world.now).num_seconds(), 900);
    scene.world.wait(900);
    assert!(due(&scene).commands.contains(&Command::Tick));
    scene.world.send(&Input::Tick);
    assert_eq!(scene.count("ramp_holds"), 2);
}

#[test]
fn a_pause_stops_the_clock_and_nothing_else() {
    let mut scene = Scene::running();
    scene.wait(300);
    scene.ask(RampRequest::Pause { words: Some("lunch".to_owned()) });
    assert_eq!(scene.holds_for(), [HoldReason::Paused]);
    for _ in 0..10 {
        scene.wait(STAGE);
        scene.judge(GateVerdict::Pass);
    }
    assert_eq!(scene.setting(), None);
    scene.ask(RampRequest::Resume);
    assert_eq!(scene.state(), "stage_running");
    scene.wait(599);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), None);
    scene.wait(1);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn a_pause_before_the_first_share_is_set_keeps_it_from_being_set_again() {
    let mut scene = Scene::started_with(plan());
    scene.ask(RampRequest::Pause { words: None });
    scene.step_ends(StepOutcome::Failed);
    scene.world.wait(600);
    scene.world.share(0);
    assert_eq!((scene.setting(), scene.holds_for()), (None, vec![HoldReason::Paused]));
    scene.ask(RampRequest::Resume);
    scene.world.share(0);
    assert_eq!(scene.setting(), Some(1));
}

#[test]
fn whatever_is_not_as_it_should_be_keeps_a_stage_from_being_left() {
    type Prepare = fn(&mut Scene);
    let cases: [(HoldReason, Prepare); 6] = [
        (HoldReason::IncidentOpen, |scene| {
            scene.world.warning("Slow");
        }),
        (HoldReason::WatchdogSilent, |scene| scene.world.watchdog_silent_seconds = 180),
        (HoldReason::ShareChanged, |scene| {
            scene.world.share(50);
        }),
        (HoldReason::ShareUnread, Scene::unread),
        (HoldReason::RevisionChanged, |scene| scene.world.policy.revision = Revision::new("v1.5.0")),
        (HoldReason::Frozen, |scene| scene.world.frozen = Some("weekend".to_owned())),
    ];
    for (reason, prepare) in cases {
        let mut scene = Scene::running();
        scene.wait(STAGE);
        prepare(&mut scene);
        scene.judge(GateVerdict::Pass);
        assert_eq!((scene.holds_for(), scene.setting()), (vec![reason], None));
    }
}

#[test]
fn a_grace_that_is_cancelled_lets_the_ramp_go_on() {
    let mut scene = Scene::running();
    scene.wait(STAGE);
    scene.world.warning("Slow");
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.holds_for(), [HoldReason::IncidentOpen]);
    scene.world.resolve("Slow");
    scene.world.wait(300);
    scene.world.share(1);
    scene.world.confirm(Confirmation::Gone);
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn a_share_that_cant_be_set_is_tried_again_and_people_are_told_after_three_times() {
    let mut scene = Scene::started_with(plan());
    for failures in 1..=4 {
        scene.step_ends(StepOutcome::Failed);
        assert_eq!(scene.setting(), None, "not at once");
        assert_eq!(scene.count("ramp_holds"), usize::from(failures >= 3), "after {failures}");
        scene.world.wait(300);
        scene.world.share(0);
        assert_eq!(scene.setting(), Some(1), "after {failures}");
    }
    scene.share_is_set();
    assert_eq!(scene.state(), "stage_running");
}

#[test]
fn a_change_that_may_have_been_made_before_a_crash_is_made_again_and_read_back() {
    let mut scene = Scene::started_with(plan());
    let ramp = scene.ramp().clone();
    assert!(matches!(&scene.world.due()[..], [Command::RunRampStep { ramp: id, .. }] if *id == ramp.id));
    scene.step_ends(StepOutcome::Unknown);
    scene.world.wait(10);
    scene.world.share(1);
    assert_eq!(scene.state(), "stage_running", "it had been made");
    assert_eq!(scene.ramp().stage_began_at(), Some(scene.world.now));
    assert_eq!(scene.shares_set(), [1], "and not a second time");
}

#[test]
fn a_stage_without_criteria_lasts_its_time() {
    let mut only: RampPlan = plan();
    only.stages.iter_mut().for_each(|stage| stage.criteria.clear());
    let mut scene = Scene::running_with(only);
    scene.wait(STAGE);
    scene.judged(Vec::new());
    assert_eq!(scene.setting(), Some(25));
}
