//! What the world reports of a ramp.

use super::change::{is_too_late, stage_begins};
use super::holds::{go_on, hold, of_the_rollout};
use super::review::{begin_anew_after_another_canary, has_lasted, in_the_way};
use crate::decision::Draft;
use crate::decision::draft::Opening;
use crate::incident::{
    Cause, EvidenceFile, GateVerdict, Judgement, OnFail, Ramp, RampEvent, RampId, RampSaid, Reason, Severity,
    Share, Step, StepOutcome, StepRecord, Trigger,
};
use crate::text::{kept, shown};

/// All criteria of a stage were judged just now: the only way on to the next stage.
pub(in crate::decision) fn judged(
    draft: &mut Draft<'_>,
    id: &RampId,
    stage: usize,
    judgements: &[Judgement],
) -> Option<Reason> {
    let ramp = draft.ramp_now().filter(|ramp| ramp.id == *id && ramp.stage == stage)?;
    ramp.stage_began_at()?;
    if ramp.is_finishing() {
        return None;
    }
    record_changes(draft, &ramp, judgements);
    if let Some(worst) = to_be_rolled_back_for(&ramp, judgements) {
        return Some(roll_back(draft, &ramp, worst));
    }
    let ramp = draft.ramp_now()?;
    let in_the_way = in_the_way(draft, &ramp, judgements);
    let begins_anew = begin_anew_after_another_canary(draft, &ramp, &in_the_way);
    if !in_the_way.is_empty() {
        hold(draft, &ramp, in_the_way);
    } else if begins_anew {
        go_on(draft, &ramp);
    } else if has_lasted(draft, &ramp) {
        let promotion = ramp.record().and_then(|record| record.promotion.as_ref());
        pass(draft, &ramp, judgements, promotion.is_some_and(|promotion| promotion.is_full));
    }
    None
}

/// Verdicts are stored as they change; values change with every question.
fn record_changes(draft: &mut Draft<'_>, ramp: &Ramp, judgements: &[Judgement]) {
    let Some(record) = ramp.record() else { return };
    let is_known = |judgement: &&Judgement| {
        record
            .judgements
            .get(&judgement.criterion)
            .is_some_and(|known| (known.verdict, known.reason) == (judgement.verdict, judgement.reason))
    };
    let changed: Vec<_> = judgements.iter().filter(|judgement| !is_known(judgement)).cloned().collect();
    if !changed.is_empty() {
        draft.ramp_event(&ramp.id, RampEvent::Judged { stage: ramp.stage, judgements: changed });
    }
}

fn to_be_rolled_back_for<'a>(ramp: &Ramp, judgements: &'a [Judgement]) -> Option<&'a Judgement> {
    judgements.iter().filter(|judgement| judgement.verdict == GateVerdict::Fail).find(|judgement| {
        ramp.criterion(&judgement.criterion)
            .is_some_and(|criterion| criterion.on_fail == OnFail::RollBack && !criterion.is_advisory)
    })
}

fn roll_back(draft: &mut Draft<'_>, ramp: &Ramp, judgement: &Judgement) -> Reason {
    let title = ramp.criterion(&judgement.criterion).map_or("", |criterion| criterion.title.as_str());
    let words = kept(&format!("{}: {}", shown(title), judgement.detail));
    let reason = Reason::GateFailed;
    // An incident that is open, in its grace for instance, is what the rollback belongs to.
    let id = match draft.state.open_incident() {
        Some(open) if open.has_rolled_back() => return Reason::RollbackRunning,
        Some(open) => open.id.clone(),
        None => draft.open_incident(Opening {
            severity: Severity::Critical,
            reason,
            cause: words.clone(),
            trigger: Trigger::Automatic,
            stage: None,
            alert: None,
        }),
    };
    let cause = Cause { reason, ..draft.caused_now(words, Trigger::Automatic) };
    draft.start_rollback(&id, cause)
}

/// The stage is passed; the next one's share is set at once.
fn pass(draft: &mut Draft<'_>, ramp: &Ramp, judgements: &[Judgement], is_full: bool) {
    let stage = ramp.stage;
    draft.ramp_event(&ramp.id, RampEvent::StagePassed { stage, judgements: judgements.to_vec() });
    let last = ramp.plan.stages.len().saturating_sub(1);
    if stage >= last {
        draft.ramp_event(&ramp.id, RampEvent::Finishing);
        return;
    }
    let next = if is_full { last } else { stage + 1 };
    let share = ramp.plan.stages.get(next).map_or(Share::ZERO, |stage| stage.share);
    draft.ramp_event(&ramp.id, RampEvent::NextStage { stage: next, share });
}

/// Whatever was decided, what is in the way now keeps a share from being raised: an alert, a pause, a restart
/// in another mode or hours later may have come in between.
pub(in crate::decision) fn step_due(draft: &mut Draft<'_>, id: &RampId, step: Step) -> Option<Reason> {
    let ramp = draft.ramp_now().filter(|ramp| ramp.id == *id && ramp.step == Some(step))?;
    let is_in_order = of_the_rollout(draft, &ramp).is_empty() && !is_too_late(draft, &ramp, step);
    if !is_in_order {
        let record = StepRecord::not_begun(step, draft.now(), None);
        draft.ramp_event(id, RampEvent::StepEnded { record });
    }
    None
}

/// Ignored where it is no longer the ramp's, or not the change that it has begun.
pub(in crate::decision) fn step_ended(
    draft: &mut Draft<'_>,
    id: &RampId,
    record: &StepRecord,
) -> Option<Reason> {
    let is_current = draft.ramp().is_some_and(|ramp| ramp.id == *id && ramp.step == Some(record.step));
    if is_current {
        draft.ramp_event(id, RampEvent::StepEnded { record: record.clone() });
        let is_set = record.outcome == StepOutcome::Done;
        let ramp = draft.ramp_now().filter(|ramp| is_set && record.step.sets_share() == Some(ramp.share()));
        if let Some(ramp) = ramp {
            stage_begins(draft, &ramp);
        }
    }
    None
}

pub(in crate::decision) fn evidence_written(
    draft: &mut Draft<'_>,
    id: &RampId,
    stage: Option<usize>,
    (files, problems): (&[EvidenceFile], &[String]),
) -> Option<Reason> {
    let ramp = draft.state.ramp.clone().filter(|ramp| ramp.id == *id)?;
    let (files, problems): (_, Vec<_>) =
        (files.to_vec(), problems.iter().map(|problem| kept(problem)).collect());
    // Of each record once, however often it is reported.
    let is_told = match stage.map(|stage| ramp.record_of(stage)) {
        None => !ramp.evidence_problems.is_empty(),
        Some(record) => record.is_none_or(|record| !record.evidence_problems.is_empty()),
    };
    let told = kept(&problems.join("; "));
    draft.ramp_event(id, RampEvent::EvidenceWritten { stage, files, problems });
    if !told.is_empty() && !is_told {
        let share =
            stage.and_then(|stage| ramp.plan.stages.get(stage)).map_or(ramp.share(), |stage| stage.share);
        draft.ramp_notice_at(share, RampSaid::RecordProblem { stage, problems: told });
    }
    None
}
