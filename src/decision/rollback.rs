//! What follows from a rollback's steps and read-backs.

use chrono::TimeDelta;

use super::{Context, Draft};
use crate::incident::{
    BlobRef, Event, EvidenceFile, IncidentId, NoticeKind, Phase, Reason, StepRecord, Verdict, Verification,
    WhenTaken,
};

/// The first gap before a failed rollback is tried again. The step itself has already retried
/// for its own deadline; this is for what needs a person or time.
const FIRST_RETRY: TimeDelta = TimeDelta::seconds(15);

/// The longest gap: a canary must not stay bad for longer than this once the cause is mended.
const LONGEST_RETRY: TimeDelta = TimeDelta::minutes(5);

/// The gap after the given attempt, doubling from [`FIRST_RETRY`] to [`LONGEST_RETRY`].
fn retry_gap(attempt: u32) -> TimeDelta {
    let doublings = attempt.saturating_sub(1).min(16);
    FIRST_RETRY.checked_mul(1 << doublings).map_or(LONGEST_RETRY, |gap| gap.min(LONGEST_RETRY))
}

/// A step ended.
pub(super) fn step_ended(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    attempt: u32,
    step: &StepRecord,
) -> Option<Reason> {
    let open = draft.open(id)?;
    if !matches!(open.phase, Phase::RollingBack { attempt: current, .. } if current == attempt) {
        return None;
    }
    draft.incident_event(id, Event::StepEnded(step.clone()));
    if step.outcome.is_done() {
        let until = draft.now() + draft.context.policy.verify_window;
        draft.incident_event(id, Event::VerificationStarted { until });
        return None;
    }
    let last = step.attempts.last();
    let detail = last.map_or_else(|| "no attempt could be made".to_owned(), |last| last.answer.text.clone());
    Some(fail(draft, id, Reason::StepFailed, format!("{}: {detail}", step.step.as_str())))
}

/// A verification reached its verdict.
pub(super) fn verified(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    attempt: u32,
    verification: &Verification,
) -> Option<Reason> {
    let open = draft.open(id)?;
    if !matches!(open.phase, Phase::Verifying { attempt: current, .. } if current == attempt) {
        return None;
    }
    draft.incident_event(id, Event::VerificationEnded(verification.clone()));
    match verification.verdict {
        Verdict::Verified | Verdict::Inconclusive if verification.traffic_read_back_off() => {
            draft.incident_event(id, Event::RolledBack);
            let text = format!("rolled back, {}", verification.verdict.as_str());
            draft.notice(id, NoticeKind::RollbackEnded, text);
            Some(Reason::ReadBack)
        }
        Verdict::Verified | Verdict::Inconclusive => {
            let detail = "nothing could be read that shows the traffic off the canary".to_owned();
            Some(fail(draft, id, Reason::NotReadable, detail))
        }
        Verdict::NotVerified => {
            let wrong: Vec<_> = verification
                .checks
                .iter()
                .filter(|check| check.outcome == crate::incident::CheckOutcome::Fail)
                .map(|check| format!("{}: {}", check.name.as_str(), check.detail))
                .collect();
            Some(fail(draft, id, Reason::NotVerified, wrong.join("; ")))
        }
    }
}

/// Records a failure, tells people, and sets the time of the next attempt.
pub(super) fn fail(draft: &mut Draft<'_>, id: &IncidentId, reason: Reason, detail: String) -> Reason {
    let attempt = draft.open(id).map_or(1, crate::incident::Incident::attempt);
    let retry_at = draft.now() + retry_gap(attempt);
    let text = format!("rollback not achieved ({reason}, attempt {attempt}): {detail}");
    draft.incident_event(id, Event::Failed { reason, detail, retry_at });
    draft.notice(id, NoticeKind::RollbackFailed, text);
    reason
}

/// A metrics snapshot was taken, or could not be.
pub(super) fn snapshot(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    when: WhenTaken,
    body: &Result<BlobRef, String>,
) -> Option<Reason> {
    let (body, error) = match body {
        Ok(body) => (Some(body.clone()), None),
        Err(error) => (None, Some(error.clone())),
    };
    draft.incident_event(id, Event::SnapshotTaken { when, body, error });
    None
}

/// Evidence files were written.
pub(super) fn evidence_written(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    complete: bool,
    files: &[EvidenceFile],
) -> Option<Reason> {
    draft.incident_event(id, Event::EvidenceWritten { complete, files: files.to_vec() });
    None
}

/// Time went by: failed rollbacks are due again, the Watchdog falls silent or is heard.
pub(super) fn tick(draft: &mut Draft<'_>) -> Option<Reason> {
    watchdog(draft);
    let open = draft.state.open_incident()?;
    let (id, phase) = (open.id.clone(), open.phase.clone());
    overdue(draft, &id);
    match phase {
        Phase::Failed { attempt, retry_at, .. } if draft.context.now >= retry_at => {
            Some(draft.try_again(&id, Reason::Retry, attempt))
        }
        _ => None,
    }
}

/// Backstop watches itself: a rollback that has not ended in time is told, whatever holds it up.
fn overdue(draft: &mut Draft<'_>, id: &IncidentId) {
    let now = draft.now();
    let Some(open) = draft.open(id).filter(|open| open.is_overdue(now) && !open.is_overdue_told()) else {
        return;
    };
    let since = open.rollback_started_at.map_or(0, |at| (now - at).num_seconds());
    let text = format!(
        "the rollback has not ended after {since} s, it is {}: look at the canary's traffic yourself",
        open.phase.name()
    );
    draft.notice(id, NoticeKind::RollbackOverdue, text);
}

/// Missing data is told, and never acted upon (design, section 4).
fn watchdog(draft: &mut Draft<'_>) {
    let Context { policy, watchdog_silent_seconds, .. } = *draft.context;
    let Some(silent_seconds) = watchdog_silent_seconds else { return };
    let limit = u64::try_from(policy.watchdog_timeout.num_seconds()).unwrap_or(0);
    let silent = silent_seconds >= limit;
    let canary_runs = draft.state.run.is_some();
    if silent && canary_runs && !draft.state.watchdog_lost {
        draft.rollout_event(Event::WatchdogLost { silent_seconds });
    } else if draft.state.watchdog_lost && (!silent || !canary_runs) {
        draft.rollout_event(Event::WatchdogBack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_between_attempts_doubles_up_to_its_limit() {
        let gaps: Vec<_> = (1..=7).map(|attempt| retry_gap(attempt).num_seconds()).collect();
        assert_eq!(gaps, [15, 30, 60, 120, 240, 300, 300]);
        assert_eq!(retry_gap(u32::MAX), LONGEST_RETRY);
    }
}
