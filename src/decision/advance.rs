//! Carries a rollback from one step to the next.

use chrono::{DateTime, Utc};

use super::Draft;
use super::plan::{Next, Standing, first_step, next_step};
use super::rollback::{MOST_REASSERTIONS, fail};
use super::share::by_whom;
use crate::incident::{
    Event, Incident, IncidentId, NoticeFact, Observation, Pause, Phase, Reason, Step, StepOutcome, StepRecord,
};

/// How many steps of an attempt may find their conditions gone: then what is observed and what the step
/// itself finds disagree, and a pause says more than another try.
const MOST_NOT_NOW: u32 = 5;

/// What comes next for an incident whose rollback is under way and has no step begun; `None`: it is not.
#[must_use]
pub fn next(
    incident: &Incident,
    observed: Option<(DateTime<Utc>, &Observation)>,
    now: DateTime<Utc>,
) -> Option<Next> {
    let Phase::RollingBack { since, .. } = incident.phase else { return None };
    if incident.progress.step.is_some() {
        return None;
    }
    let (plan, progress, may_raise) = (&incident.plan, incident.progress, may_raise(incident));
    let standing = Standing { plan, since, progress, observed, may_raise };
    Some(first_step(standing, now).map_or_else(|| next_step(standing, now), Next::Do))
}

/// Whether stable may be raised once more: as often as all that somebody undoes is set again.
fn may_raise(incident: &Incident) -> bool {
    let is_raise =
        |record: &&StepRecord| matches!(record.step, Step::StableUp { .. }) && record.outcome.is_done();
    let raises = incident.steps.iter().filter(is_raise).count();
    raises <= MOST_REASSERTIONS as usize
}

/// Begins the next step, or records why it can't begin.
pub(super) fn advance(draft: &mut Draft<'_>, id: &IncidentId) -> Option<Reason> {
    let (now, observed) = (draft.now(), draft.context.observed);
    match next(draft.open(id)?, observed, now)? {
        Next::Do(step) => {
            begin(draft, id, step, observed);
            None
        }
        Next::Look => None,
        Next::Wait { reason, until } => {
            wait(draft, id, reason, until, observed);
            None
        }
        Next::Stuck(what) => Some(fail(draft, id, Reason::Obstacle, what)),
        Next::Undone(what) => {
            let detail = format!("{what}{}", by_whom(draft.context));
            Some(fail(draft, id, Reason::Undone, detail))
        }
        Next::Done => {
            let until = now + draft.context.policy.verify_window;
            draft.incident_event(id, Event::VerificationStarted { until });
            None
        }
    }
}

fn begin(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    step: Step,
    observed: Option<(DateTime<Utc>, &Observation)>,
) {
    // Of a target that says no more than the share, the share is in the events already.
    let observed = observed.map(|(_, seen)| seen).filter(|seen| seen.workloads.is_some()).cloned();
    draft.incident_event(id, Event::StepStarted { step, observed });
}

fn wait(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    reason: Pause,
    until: Option<DateTime<Utc>>,
    observed: Option<(DateTime<Utc>, &Observation)>,
) {
    if draft.open(id).is_none_or(|open| open.progress.waiting == Some(reason)) {
        return;
    }
    let observed = observed.map(|(_, seen)| seen.clone());
    draft.incident_event(id, Event::RollbackWaiting { reason, until, observed });
    match reason {
        // Only a person can help, and each second counts.
        Pause::NoReadyStable | Pause::NobodyServes => {
            draft.notice(id, NoticeFact::RollbackWaits { waiting: reason })
        }
        // All of them end by themselves; what takes too long is overdue, and reported so.
        Pause::StableComingUp | Pause::Draining | Pause::StableShort | Pause::OwnerRollsBack => {}
    }
}

/// The target was observed for the next step, or could not be.
pub(super) fn looked(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    attempt: u32,
    error: Option<&str>,
) -> Option<Reason> {
    let open = draft.open(id)?;
    if open.attempt() != attempt || open.progress.step.is_some() {
        return None;
    }
    if !matches!(open.phase, Phase::RollingBack { .. }) {
        return None;
    }
    match error {
        Some(error) => Some(fail(draft, id, Reason::NotObserved, error.to_owned())),
        None => advance(draft, id),
    }
}

/// Ignored where it belongs to an attempt, or to a step, that is no longer the current one.
pub(super) fn step_ended(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    attempt: u32,
    step: &StepRecord,
) -> Option<Reason> {
    let open = draft.open(id)?;
    let is_current = matches!(open.phase, Phase::RollingBack { attempt: current, .. } if current == attempt);
    if !is_current || open.progress.step != Some(step.step) {
        return None;
    }
    draft.incident_event(id, Event::StepEnded(step.clone()));
    let contradicted = draft.open(id).is_some_and(|open| open.progress.not_now > MOST_NOT_NOW);
    if step.outcome.is_done() || (step.outcome == StepOutcome::NotNow && !contradicted) {
        return advance(draft, id);
    }
    let last = step.attempts.last();
    let answer = last.map_or_else(|| "no attempt could be made".to_owned(), |last| last.answer.words());
    Some(fail(draft, id, Reason::StepFailed, format!("{}: {answer}", step.sentence())))
}
