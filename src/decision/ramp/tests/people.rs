//! What a person's word does: an approval, a promotion, one by force.

use super::scene::{STAGE, Scene, criterion, plan};
use crate::decision::ramp::RampRequest;
use crate::incident::{GateVerdict, HoldReason, Question};

#[test]
fn an_approval_is_asked_for_where_it_is_configured_and_who_gave_it_is_recorded() {
    for as_criterion in [false, true] {
        let mut plan = plan();
        if as_criterion {
            let question = Question::Approval;
            plan.stages[0].criteria.push(crate::incident::Criterion { question, ..criterion("feedback") });
        } else {
            plan.stages[0].needs_approval = true;
        }
        let mut scene = Scene::running_with(plan);
        scene.stage_passes();
        assert_eq!(scene.holds_for(), [HoldReason::ApprovalMissing]);
        scene.ask(RampRequest::Approve { through: "Slack".to_owned() });
        scene.judge(GateVerdict::Pass);
        assert_eq!(scene.setting(), Some(25));
        let approval = scene.ramp().stages[0].approval.clone().expect("recorded");
        assert_eq!((approval.actor.as_str(), approval.through.as_str()), ("ada", "Slack"));
    }
}

#[test]
fn an_approval_comes_last_after_the_time_and_every_criterion() {
    let mut plan = plan();
    plan.stages[0].needs_approval = true;
    let approve = |scene: &mut Scene| {
        scene.ask(RampRequest::Approve { through: "Slack".to_owned() });
        scene.refusal()
    };
    let mut scene = Scene::running_with(plan.clone());
    scene.wait(STAGE - 10);
    scene.judge(GateVerdict::Pass);
    assert_eq!(approve(&mut scene), "approved_too_early");
    let refusal = scene.world.refusal.clone().expect("refused").to_string();
    assert!(refusal.contains("It lasts for 10 s still."), "{refusal}");
    scene.wait(10);
    scene.judge(GateVerdict::Fail);
    assert_eq!(approve(&mut scene), "approved_too_early");
    scene.judge(GateVerdict::Unknown);
    assert_eq!(approve(&mut scene), "approved_too_early");
    scene.judge(GateVerdict::Pass);
    assert_eq!(approve(&mut scene), "");
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), Some(25));

    let mut scene = Scene::running_with(plan);
    scene.wait(60);
    scene.judge(GateVerdict::Pass);
    scene.promote(false, None);
    assert_eq!(scene.refusal(), "", "only its time is taken away");
    scene.judge(GateVerdict::Pass);
    assert_eq!((scene.setting(), scene.holds_for()), (None, vec![HoldReason::ApprovalMissing]));
    assert_eq!(approve(&mut scene), "");
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn the_last_stage_is_shortened_only_by_force() {
    let mut scene = Scene::running();
    for _ in 0..2 {
        scene.stage_passes();
        scene.share_is_set();
    }
    scene.wait(60);
    scene.judge(GateVerdict::Pass);
    scene.promote(false, None);
    assert_eq!(scene.refusal(), "last_stage_is_watched");
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.state(), "stage_running");
    scene.promote(false, Some("the market closes"));
    assert_eq!(scene.refusal(), "");
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.state(), "finishing");
}

#[test]
fn a_promotion_takes_the_time_away_and_no_gate() {
    let mut scene = Scene::running();
    scene.wait(60);
    scene.promote(false, None);
    assert_eq!(scene.refusal(), "gates_dont_pass", "nothing is known yet");
    scene.judge(GateVerdict::Pass);
    scene.promote(false, None);
    assert_eq!(scene.refusal(), "");
    assert_eq!(scene.setting(), None, "the gates are judged once more first");
    scene.judge(GateVerdict::Unknown);
    assert_eq!((scene.setting(), scene.holds_for()), (None, vec![HoldReason::CriterionUnknown]));
    scene.judge(GateVerdict::Pass);
    assert_eq!(scene.setting(), Some(25));
}

#[test]
fn a_person_may_overrule_the_gates_with_a_reason_and_nothing_else() {
    let mut scene = Scene::running();
    scene.wait(1);
    scene.judge(GateVerdict::Fail);
    scene.promote(false, Some(" "));
    assert_eq!(scene.refusal(), "needs_reason");
    scene.promote(true, Some("the probe is broken"));
    assert_eq!(scene.refusal(), "");
    scene.judge(GateVerdict::Fail);
    assert_eq!(scene.setting(), Some(100), "to the last stage");
    let promotion = scene.ramp().stages[0].promotion.clone().expect("recorded");
    assert_eq!(promotion.in_spite_of, [HoldReason::CriterionFails]);

    let mut scene = Scene::running();
    scene.judge(GateVerdict::Pass);
    scene.world.wait(1);
    scene.world.share(50);
    scene.promote(false, Some("go on"));
    assert_eq!(scene.refusal(), "cant_be_forced", "somebody else has the share in hand");
}

#[test]
fn a_person_overrules_the_criteria_that_did_not_pass_then_and_none_that_fails_later() {
    use GateVerdict::{Fail, Pass, Unknown};
    // What they said as the person went on, what they say afterwards, and whether the stage is left.
    let cases = [
        ([Fail, Pass], [Fail, Pass], true),
        ([Fail, Pass], [Unknown, Pass], true),
        ([Fail, Pass], [Pass, Pass], true),
        ([Fail, Pass], [Fail, Fail], false),
        ([Fail, Pass], [Fail, Unknown], false),
        ([Unknown, Pass], [Unknown, Pass], true),
        ([Unknown, Pass], [Fail, Pass], false),
        ([Unknown, Fail], [Unknown, Fail], true),
        ([Unknown, Fail], [Fail, Fail], false),
    ];
    for (known, said, is_left) in cases {
        let mut plan = plan();
        plan.stages[0].criteria.push(criterion("errors"));
        let mut scene = Scene::running_with(plan);
        scene.wait(60);
        scene.judge_both(known);
        scene.promote(false, Some("the probe is broken"));
        assert_eq!(scene.refusal(), "");
        scene.judge_both(said);
        assert_eq!(scene.setting().is_some(), is_left, "{known:?} {said:?} {:?}", scene.holds_for());
    }
}
