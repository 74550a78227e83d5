//! What ends a ramp.

use super::scene::{STAGE, Scene, criterion, plan};
use crate::decision::ramp::RampRequest;
use crate::decision::{Command, Request};
use crate::incident::{Criterion, GateVerdict, OnFail, RampPhase, Revision, StepOutcome};

fn abort() -> RampRequest {
    RampRequest::Abort { words: "customers complain".to_owned() }
}

#[test]
fn an_alert_rolls_back_in_every_state_and_ends_the_ramp() {
    type Prepare = fn(&mut Scene);
    let cases: [Prepare; 5] = [
        |_| {},
        |scene| scene.judge(GateVerdict::Fail),
        |scene| scene.ask(RampRequest::Pause { words: None }),
        |scene| scene.stage_passes(),
        |scene| {
            scene.judge(GateVerdict::Pass);
            scene.promote(true, None);
            scene.judge(GateVerdict::Pass);
        },
    ];
    for prepare in cases {
        let mut scene = Scene::running();
        scene.wait(1);
        prepare(&mut scene);
        scene.world.critical("Errors");
        let incident = scene.world.id();
        assert_eq!(scene.ramp().phase, RampPhase::RolledBack { incident });
        assert_eq!((scene.world.rollbacks(), scene.ramp().step), (1, None));
        let due = scene.world.due();
        assert!(!due.iter().any(|command| matches!(command, Command::RunRampStep { .. })), "{due:?}");
        scene.judged(Vec::new());
        scene.step_is_late();
        assert_eq!(scene.setting(), None, "nothing raises the share after a rollback");
    }
}

#[test]
fn an_abort_wins_in_every_state_and_is_a_rollback_with_its_person() {
    type Prepare = fn(&mut Scene);
    let cases: [Prepare; 4] = [
        |_| {},
        |scene| scene.judge(GateVerdict::Unknown),
        |scene| {
            scene.judge(GateVerdict::Pass);
            scene.promote(true, None);
        },
        |scene| {
            scene.judge(GateVerdict::Pass);
            scene.promote(true, None);
            scene.judge(GateVerdict::Pass);
        },
    ];
    for prepare in cases {
        let mut scene = Scene::running();
        prepare(&mut scene);
        scene.ask(abort());
        assert_eq!((scene.state(), scene.world.phase()), ("aborted", "rolling_back"));
        let cause = scene.world.incident().cause();
        assert_eq!((cause.trigger.actor(), cause.words.as_str()), (Some("ada"), "customers complain"));
        let noted = scene.world.incident().acknowledged_by.as_deref();
        assert_eq!(noted, Some("ada"), "whoever orders it has taken note, as with every rollback by hand");
        scene.judge(GateVerdict::Pass);
        assert_eq!(scene.setting(), None);
        scene.ask(RampRequest::Resume);
        assert_eq!(scene.refusal(), "not_running");
    }
}

#[test]
fn an_abort_while_the_first_share_is_being_set_rolls_back_what_may_land_yet() {
    let mut scene = Scene::started_with(plan());
    scene.ask(abort());
    assert_eq!((scene.state(), scene.world.phase()), ("aborted", "rolling_back"));
}

#[test]
fn a_rollback_by_hand_ends_it_too() {
    let mut scene = Scene::running();
    scene.world.person(Request::RollBack { reason: "no".to_owned(), stage: None });
    assert_eq!((scene.state(), scene.count("ramp_ended")), ("rolled_back", 1));
}

#[test]
fn a_criterion_that_is_set_to_roll_back_does_so_and_an_advisory_one_holds() {
    for (is_advisory, expected) in [(false, "rolled_back"), (true, "stage_holding")] {
        let mut plan = plan();
        plan.stages[0].criteria =
            vec![Criterion { on_fail: OnFail::RollBack, is_advisory, ..criterion("latency") }];
        let mut scene = Scene::running_with(plan);
        scene.judge(GateVerdict::Unknown);
        assert_eq!((scene.state(), scene.world.rollbacks()), ("stage_running", 0), "unknown never does");
        scene.judge(GateVerdict::Fail);
        assert_eq!(scene.state(), expected);
        if !is_advisory {
            let cause = scene.world.incident().cause();
            assert_eq!(cause.reason.as_str(), "gate_failed");
            assert_eq!(cause.words, "latency is good: 0.1 s");
        }
    }
}

#[test]
fn a_share_that_somebody_else_sets_to_0_ends_it_without_a_rollback() {
    let mut scene = Scene::running();
    scene.wait(60);
    scene.world.share(0);
    assert_eq!((scene.state(), scene.world.rollbacks()), ("ended_outside", 0));
    assert_eq!(scene.count("ramp_ended"), 1);
}

#[test]
fn a_reading_from_before_the_share_was_set_ends_nothing() {
    let mut scene = Scene::started_with(plan());
    scene.world.share(0);
    assert_eq!(scene.state(), "starting");
    let asked_before = scene.world.reading;
    scene.world.wait(5);
    scene.share_is_set();
    scene.world.reading = asked_before;
    scene.world.send(&crate::decision::Input::ShareRead);
    assert_eq!(scene.state(), "stage_running");
}

#[test]
fn a_ramp_that_has_ended_still_owes_the_evidence_of_the_stage_it_was_in() {
    let mut scene = Scene::running();
    scene.wait(STAGE / 2);
    scene.world.critical("Errors");
    let is_owed = |scene: &Scene, stage| {
        let ramp = scene.ramp().id.clone();
        scene.world.due().contains(&Command::WriteRampEvidence { ramp, stage })
    };
    assert!(is_owed(&scene, Some(0)) && !is_owed(&scene, None));
    scene.evidence_is_written();
    assert!(!is_owed(&scene, Some(0)) && is_owed(&scene, None));
    scene.evidence_is_written();
    assert!(!is_owed(&scene, None));
}

#[test]
fn after_its_success_alerts_of_the_revision_lead_to_a_rollback_for_a_day_and_then_to_none() {
    for (hours, share, revision, expected) in [
        (1, 100, "v1.4.0", "critical_alert"),
        (23, 100, "v1.4.0", "critical_alert"),
        (25, 100, "v1.4.0", "released"),
        // Somebody makes a canary of it again, or of another.
        (25, 50, "v1.4.0", "critical_alert"),
        (25, 100, "v1.5.0", "critical_alert"),
    ] {
        let mut scene = Scene::finishing();
        scene.evidence_is_written();
        assert_eq!(scene.state(), "succeeded");
        scene.world.wait(hours * 3_600);
        scene.world.policy.revision = Revision::new(revision);
        scene.world.share(share);
        scene.world.wait(10);
        scene.world.share(share);
        let reason = scene.world.critical("Errors");
        assert_eq!(reason.map(|reason| reason.as_str()), Some(expected), "{hours} h, {share} %, {revision}");
    }
}

impl Scene {
    /// The answer to a change that was under way arrives.
    fn step_is_late(&mut self) {
        if self.ramp().step.is_some() {
            self.step_ends(StepOutcome::Done);
        }
    }
}
