//! Looks at a ramp after every input: what ended it, what holds it, what is to be changed.

use chrono::TimeDelta;

use super::change::{Progress, READ_PATIENCE, carry_on, stage_begins};
use super::holds::{self, InTheWay, changed_to, counts_at_once, go_on, hold};
use crate::decision::{Draft, OBSERVATION_VALID, PlanPolicy, Reading};
use crate::incident::{Criterion, HoldReason, Judgement, Question, Ramp, RampEvent, RampSaid, Share, Step};

/// Whatever was decided before, a ramp never goes on in spite of it.
pub(in crate::decision) fn review(draft: &mut Draft<'_>) {
    let Some(ramp) = draft.ramp_now() else { return };
    if ended(draft, &ramp) || ramp.step.is_some() {
        return;
    }
    if ramp.is_finishing() {
        finish(draft, &ramp);
    } else if ramp.stage_began_at().is_none() {
        set_share(draft, &ramp);
    } else {
        watch(draft, &ramp);
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
        match carry_on(draft, ramp) {
            Progress::Goes => {}
            Progress::Waits if holds_for_the_change(ramp) => return,
            Progress::Waits => {}
            Progress::Held(reason, detail) => in_the_way.push((reason, detail)),
        }
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

/// Whether it holds for something that only a new look can say is over.
fn holds_for_the_change(ramp: &Ramp) -> bool {
    let of_the_change = |reason: &HoldReason| {
        matches!(
            reason,
            HoldReason::ShareUnread
                | HoldReason::ShareChanged
                | HoldReason::StepFailed
                | HoldReason::CanaryNotReady
        )
    };
    ramp.phase.holds_for().iter().any(of_the_change)
}

/// From so many failures in a row on it is said that a share can't be set.
const FAILURES_TOLD: u32 = 3;

/// Before a stage has lasted its time only that holds it which somebody has to do something about; and what was
/// not asked yet is nothing to be told of.
fn watch(draft: &mut Draft<'_>, ramp: &Ramp) {
    let known = ramp.judgements();
    let mut in_the_way = in_the_way(draft, ramp, &known);
    let is_judged =
        |criterion: &Criterion| known.iter().any(|judgement| judgement.criterion == criterion.name);
    let mut criteria = ramp.criteria_of(ramp.stage).iter();
    let are_judged = criteria.all(|one| one.question == Question::Approval || is_judged(one));
    let counts = are_judged || ramp.phase.holds_for().contains(&HoldReason::CriterionUnknown);
    in_the_way.retain(|(reason, _)| counts || *reason != HoldReason::CriterionUnknown);
    begin_anew_after_another_canary(draft, ramp, &in_the_way);
    if in_the_way.is_empty() {
        // A stage that is judged once more because the next share can't be set is no better for it.
        if ramp.failures == 0 {
            go_on(draft, ramp);
        }
    } else {
        hold(draft, ramp, in_the_way);
    }
}

/// Where its stage held because the canary had another share, or was another revision, and does so no more, the
/// stage begins anew with all of its time: the time before shows nothing of what the stage is for. Says whether.
pub(super) fn begin_anew_after_another_canary(
    draft: &mut Draft<'_>,
    ramp: &Ramp,
    in_the_way: &[InTheWay],
) -> bool {
    let is_another =
        |reason: &HoldReason| matches!(reason, HoldReason::ShareChanged | HoldReason::RevisionChanged);
    let was_another = ramp.phase.holds_for().iter().any(is_another);
    let is_over = was_another && !in_the_way.iter().any(|(reason, _)| is_another(reason));
    if is_over {
        stage_begins(draft, ramp);
    }
    is_over
}

/// What is in the way of leaving the stage now, but for what a person has overruled; before its time is over,
/// only what counts at once.
pub(super) fn in_the_way(draft: &Draft<'_>, ramp: &Ramp, judgements: &[Judgement]) -> Vec<InTheWay> {
    let mut found = holds::of_the_rollout(draft, ramp);
    found.extend(holds::of_the_share(draft, ramp));
    found.extend(holds::of_the_gates(ramp, judgements));
    if let Some(promotion) = ramp.record().and_then(|record| record.promotion.as_ref()) {
        found.retain(|(reason, _)| !promotion.overrules(*reason));
    }
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

/// For so long evidence may be gathered before it is called late: pictures and programs take their time.
const EVIDENCE_PATIENCE: TimeDelta = TimeDelta::seconds(180);

/// What comes last: the evidence of the last stage, and the stable version's pods where that is set.
fn finish(draft: &mut Draft<'_>, ramp: &Ramp) {
    if ramp.unwritten_stages().next().is_some() {
        if ramp.unchanged_for(draft.now()) >= EVIDENCE_PATIENCE {
            hold(
                draft,
                ramp,
                vec![(HoldReason::EvidenceUnwritten, "look at the evidence folder".to_owned())],
            );
        }
        return;
    }
    let is_known = matches!(draft.context.reading, Reading::At { share: Some(_), .. });
    if !is_known && ramp.unchanged_for(draft.now()) < READ_PATIENCE {
        return;
    }
    let mut in_the_way = holds::of_the_rollout(draft, ramp);
    in_the_way.extend(holds::of_the_share(draft, ramp));
    if !in_the_way.is_empty() {
        return hold(draft, ramp, in_the_way);
    }
    match stable_down(draft, ramp) {
        StableDown::Not => {}
        StableDown::Look => return,
        StableDown::Do(step) => {
            if ramp.failures >= FAILURES_TOLD {
                hold(draft, ramp, vec![(HoldReason::StepFailed, "stable's pods are still there".to_owned())]);
            }
            if ramp.retry_at.is_none_or(|retry_at| retry_at <= draft.now()) {
                draft.ramp_event(&ramp.id, RampEvent::StepStarted { step });
            }
            return;
        }
    }
    go_on(draft, ramp);
    draft.ramp_event(&ramp.id, RampEvent::Succeeded);
    draft.ramp_notice(RampSaid::Succeeded {
        started_at: ramp.started_at,
        stages: ramp.stages.len(),
        by_persons: ramp.by_persons(),
        watched_seconds: ramp.plan.watch_after_seconds,
    });
}

/// Whether stable's pods are to go, at the very end.
enum StableDown {
    /// Nobody asked for it, or it is done.
    Not,
    /// What is known of them is too old.
    Look,
    Do(Step),
}

fn stable_down(draft: &Draft<'_>, ramp: &Ramp) -> StableDown {
    let PlanPolicy::Workloads { replicas, .. } = draft.context.policy.plan else { return StableDown::Not };
    if !ramp.plan.stable_down {
        return StableDown::Not;
    }
    let of_now = draft.context.observed.filter(|(at, _)| {
        *at + OBSERVATION_VALID >= draft.now() && ramp.last_step_ended_at.is_none_or(|ended| *at > ended)
    });
    match of_now.and_then(|(_, observed)| observed.workloads) {
        None => StableDown::Look,
        Some(known) if known.stable.wanted == 0 => StableDown::Not,
        Some(_) => {
            let ready_at_least = super::canary_replicas(ramp.share(), replicas);
            StableDown::Do(Step::StableDown { ready_at_least })
        }
    }
}
