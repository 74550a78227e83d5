//! Looks at a ramp after every input: what ended it, what holds it, what is to be changed.

use super::change::carry_on;
use super::holds::{self, InTheWay, changed_to, counts_at_once, go_on, hold};
use crate::decision::{Draft, PlanPolicy, Reading};
use crate::incident::{
    Criterion, HoldReason, Judgement, Question, Ramp, RampEvent, RampPhase, RampSaid, Share, Step,
};

/// Whatever was decided before, a ramp never goes on in spite of it.
pub(in crate::decision) fn review(draft: &mut Draft<'_>) {
    let Some(ramp) = draft.ramp_now() else { return };
    if ended(draft, &ramp) || ramp.step.is_some() {
        return;
    }
    match &ramp.phase {
        RampPhase::Finishing => finish(draft, &ramp),
        _ if ramp.stage_began_at().is_none() => set_share(draft, &ramp),
        _ => watch(draft, &ramp),
    }
}

/// Whether somebody else's deed, or a rollback, has ended it.
fn ended(draft: &mut Draft<'_>, ramp: &Ramp) -> bool {
    // None was open as the ramp started, and no input both begins a rollback and ends it.
    let rolled_back = draft.state.open_incident().filter(|open| open.has_rolled_back());
    if let Some(incident) = rolled_back.map(|open| open.id.clone()) {
        let how = format!("the canary is rolled back, see incident {incident}");
        draft.ramp_event(&ramp.id, RampEvent::RolledBack { incident });
        draft.ramp_notice(RampSaid::Ended { how });
        return true;
    }
    let began_at = ramp.last_began_at();
    let since = began_at.max(ramp.last_step_ended_at).filter(|_| began_at.is_some() && ramp.step.is_none());
    let is_gone = match (draft.context.reading, since) {
        (Reading::At { at, share: Some(Share::ZERO) }, Some(since)) => at > since,
        _ => false,
    };
    if is_gone {
        ended_outside(draft, ramp);
    }
    is_gone
}

/// Somebody else took the traffic off the canary.
pub(super) fn ended_outside(draft: &mut Draft<'_>, ramp: &Ramp) {
    let detail = changed_to(draft, ramp, Share::ZERO);
    draft.ramp_event(&ramp.id, RampEvent::EndedOutside { detail: detail.clone() });
    draft.ramp_notice(RampSaid::Ended { how: format!("somebody else set the canary's share: {detail}") });
}

/// The next share is set while nothing at all is in the way.
fn set_share(draft: &mut Draft<'_>, ramp: &Ramp) {
    let mut in_the_way = holds::of_the_rollout(draft, ramp);
    if in_the_way.is_empty() {
        in_the_way.extend(carry_on(draft, ramp));
    }
    let Some(ramp) = draft.ramp_now() else { return };
    // An API that fails once or twice is tried again before anybody is told.
    let is_young = |(reason, _): &InTheWay| {
        *reason == HoldReason::StepFailed && (1..FAILURES_TOLD).contains(&ramp.failures)
    };
    // While a change that failed is tried again, nothing is known to be better.
    if in_the_way.is_empty() && ramp.failures == 0 {
        go_on(draft, &ramp);
    } else if !in_the_way.iter().all(is_young) {
        hold(draft, &ramp, in_the_way);
    }
}

/// From so many failures in a row on it is said that a share can't be set.
const FAILURES_TOLD: u32 = 3;

/// Before a stage has lasted its time only that holds it which somebody has to do something about; and what was
/// not asked yet is nothing to be told of.
fn watch(draft: &mut Draft<'_>, ramp: &Ramp) {
    let known: Vec<Judgement> =
        ramp.record().into_iter().flat_map(|record| record.judgements.values().cloned()).collect();
    let mut in_the_way = in_the_way(draft, ramp, &known);
    let is_judged =
        |criterion: &Criterion| known.iter().any(|judgement| judgement.criterion == criterion.name);
    let criteria = ramp.stage_plan().map_or(&[] as &[_], |stage| stage.criteria.as_slice());
    let are_judged = criteria.iter().all(|one| one.question == Question::Approval || is_judged(one));
    let is_held =
        |reason| matches!(&ramp.phase, RampPhase::StageHolding { reasons } if reasons.contains(&reason));
    let counts = are_judged || is_held(HoldReason::CriterionUnknown);
    in_the_way.retain(|(reason, _)| counts || *reason != HoldReason::CriterionUnknown);
    if in_the_way.is_empty() {
        go_on(draft, ramp);
    } else {
        hold(draft, ramp, in_the_way);
    }
}

/// What is in the way of leaving the stage now; before its time is over, only what counts at once.
pub(super) fn in_the_way(draft: &Draft<'_>, ramp: &Ramp, judgements: &[Judgement]) -> Vec<InTheWay> {
    let mut found = holds::of_the_rollout(draft, ramp);
    found.extend(holds::of_the_share(draft, ramp));
    found.extend(holds::of_the_gates(ramp, judgements));
    if !has_lasted(draft, ramp) {
        found.retain(|(reason, _)| counts_at_once(*reason));
    }
    found
}

/// Whether the stage has lasted its time, or a person said that it may be left before.
pub(super) fn has_lasted(draft: &Draft<'_>, ramp: &Ramp) -> bool {
    let Some((elapsed, stage)) = ramp.stage_elapsed(draft.now()).zip(ramp.stage_plan()) else { return false };
    let is_promoted = ramp.record().is_some_and(|record| record.promotion.is_some());
    is_promoted || elapsed.num_milliseconds() >= i64::from(stage.duration_seconds) * 1_000
}

/// What comes last: the evidence of the last stage, and the stable version's pods where that is set.
fn finish(draft: &mut Draft<'_>, ramp: &Ramp) {
    if ramp.record().is_none_or(|record| record.evidence.is_empty()) {
        return;
    }
    let in_the_way = holds::of_the_rollout(draft, ramp);
    if !in_the_way.is_empty() {
        return;
    }
    if let Some(step) = stable_down(draft, ramp) {
        let may_try = ramp.retry_at.is_none_or(|retry_at| retry_at <= draft.now());
        if may_try {
            draft.ramp_event(&ramp.id, RampEvent::StepStarted { step });
        }
        return;
    }
    draft.ramp_event(&ramp.id, RampEvent::Succeeded);
    let (started_at, stages) = (ramp.started_at, ramp.stages.len());
    draft.ramp_notice(RampSaid::Succeeded { started_at, stages });
}

fn stable_down(draft: &Draft<'_>, ramp: &Ramp) -> Option<Step> {
    let PlanPolicy::Workloads { replicas, .. } = draft.context.policy.plan else { return None };
    let (_, observed) = draft.context.observed?;
    let is_up = observed.workloads.is_none_or(|known| known.stable.wanted > 0);
    let ready_at_least = super::canary_replicas(ramp.share(), replicas);
    (ramp.plan.stable_down && is_up).then_some(Step::StableDown { ready_at_least })
}
