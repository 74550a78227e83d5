//! What follows from a rollback's steps and read-backs.

use chrono::TimeDelta;

use super::{Draft, Reading};
use crate::incident::{
    Attempt, BlobRef, CheckOutcome, Event, EvidenceFile, Incident, IncidentId, NoticeFact, NoticeKind, Phase,
    Reason, SnapshotPoint, StepOutcome, Verdict, Verification,
};
use crate::text::{kept, shown};

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

/// The first gap before what somebody undid is set again; each further one is four times as long. Nothing is
/// known to hinder it, and until then the bad canary may have its traffic.
const FIRST_REASSERTION: TimeDelta = TimeDelta::seconds(1);

/// The gap after a failure: `undone` counts those before it that somebody else caused.
fn gap(reason: Reason, attempt: u32, undone: u32) -> TimeDelta {
    match reason {
        Reason::TrafficReturned | Reason::Undone => FIRST_REASSERTION
            .checked_mul(1 << (2 * undone.min(8)))
            .map_or(LONGEST_RETRY, |gap| gap.min(LONGEST_RETRY)),
        _ => retry_gap(attempt),
    }
}

/// How often somebody else has undone it so far.
fn times_undone(incident: &Incident) -> u32 {
    let failed_so = |reason| incident.failures.get(&reason).copied().unwrap_or(0);
    failed_so(Reason::TrafficReturned) + failed_so(Reason::Undone)
}

/// How often the traffic may be set to 0 % again because it came back: somebody or something wants it
/// there, and only a person can settle that (design, section 5, guard window).
pub(super) const MOST_REASSERTIONS: u32 = 3;

/// How often a rollback is sent where there is no place to read: it may well have worked, and each
/// repetition strikes whatever runs by then.
const MOST_UNREAD_ATTEMPTS: u32 = 3;

/// Whether a failed rollback is tried again by itself. What was never carried out is, for as long as
/// it takes: the bad canary still has the traffic.
fn may_retry(incident: &Incident, reason: Reason, readable: bool) -> bool {
    let failed_so = |reason| incident.failures.get(&reason).copied().unwrap_or(0);
    let sent = |attempt: &Attempt| attempt.outcome != StepOutcome::Failed;
    let was_sent = incident.steps.last().is_some_and(|step| step.attempts.iter().any(sent));
    match reason {
        Reason::TrafficReturned | Reason::Undone => times_undone(incident) < MOST_REASSERTIONS,
        _ if was_sent && !readable => {
            let unread = [Reason::NotReadable, Reason::StepFailed, Reason::NotVerified].map(failed_so);
            unread.iter().sum::<u32>() + 1 < MOST_UNREAD_ATTEMPTS
        }
        _ => true,
    }
}

/// Whether a failure of this attempt is reported to people: the first ones, then ever rarer. One
/// that is reported every five minutes for days is no longer read.
fn is_reported(attempt: u32) -> bool {
    attempt.is_power_of_two()
}

/// A verification reached its verdict.
///
/// With the traffic read back as off the rollback is done, whatever else is wrong: a database that
/// stays slow, or a version that answers otherwise, is loud, but acting again could only strike the
/// next canary.
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
    let off = verification.traffic_read_back_off();
    match verification.verdict {
        Verdict::Verified | Verdict::Inconclusive if off => {
            draft.incident_event(id, Event::RolledBack);
            draft.notice(id, NoticeFact::RollbackEnded { verdict: verification.verdict });
            super::aftermath::alerts_ended(draft);
            Some(Reason::ReadBack)
        }
        Verdict::NotVerified if off => {
            draft.incident_event(id, Event::RolledBack);
            draft.notice(id, NoticeFact::RollbackNotVerified { wrong: wrong(verification) });
            super::aftermath::alerts_ended(draft);
            Some(Reason::NotVerified)
        }
        Verdict::Verified | Verdict::Inconclusive => {
            let detail = "nothing could be read that shows the traffic off the canary".to_owned();
            Some(fail(draft, id, Reason::NotReadable, detail))
        }
        Verdict::NotVerified => Some(fail(draft, id, Reason::NotVerified, wrong(verification).join("; "))),
    }
}

/// What is wrong, in words.
fn wrong(verification: &Verification) -> Vec<String> {
    let wrong = verification.checks.iter().filter(|check| check.outcome == CheckOutcome::Fail);
    wrong.map(|check| format!("{} is wrong: {}", check.name.words(), shown(&check.detail))).collect()
}

/// Records a failure, reports it, and sets the time of the next attempt, if there is to be one.
pub(super) fn fail(draft: &mut Draft<'_>, id: &IncidentId, reason: Reason, detail: String) -> Reason {
    let open = draft.open(id);
    let attempt = open.map_or(1, Incident::attempt);
    let readable = draft.context.reading != Reading::NotConfigured;
    let retries = open.is_none_or(|open| may_retry(open, reason, readable));
    let undone = open.map_or(0, times_undone);
    let retry_at = retries.then(|| draft.now() + gap(reason, attempt, undone));
    draft.incident_event(id, Event::Failed { reason, detail: detail.clone(), retry_at });
    if is_reported(attempt) || retry_at.is_none() {
        draft.notice(id, NoticeFact::RollbackFailed { attempt, reason, detail: kept(&detail), retry_at });
    }
    reason
}

pub(super) fn snapshot(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    when: SnapshotPoint,
    body: &Result<BlobRef, String>,
) -> Option<Reason> {
    let (body, error) = match body {
        Ok(body) => (Some(body.clone()), None),
        Err(error) => (None, Some(error.clone())),
    };
    draft.incident_event(id, Event::SnapshotTaken { when, body, error });
    None
}

pub(super) fn evidence_written(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    complete: bool,
    files: &[EvidenceFile],
    problems: &[String],
) -> Option<Reason> {
    if !problems.is_empty() {
        draft.notice(id, NoticeFact::EvidenceProblem { problems: kept(&problems.join("; ")) });
    }
    draft.incident_event(id, Event::EvidenceWritten { complete, files: files.to_vec() });
    None
}

/// Time went by: failed rollbacks are due again, the Watchdog falls silent or is heard.
pub(super) fn tick(draft: &mut Draft<'_>) -> Option<Reason> {
    watchdog(draft);
    super::aftermath::alerts_ended(draft);
    // Also once it has closed: the public does not know how it ended either.
    if let Some(id) = draft.state.incident.as_ref().map(|last| last.id.clone()) {
        public_update(draft, &id);
    }
    let open = draft.state.open_incident()?;
    let (id, phase) = (open.id.clone(), open.phase.clone());
    overdue(draft, &id);
    super::escalation::tick(draft, &id);
    match phase {
        Phase::Failed { attempt, retry_at: Some(retry_at), .. } if draft.context.now >= retry_at => {
            Some(draft.try_again(&id, Reason::Retry, attempt, None))
        }
        _ => None,
    }
}

/// Backstop watches itself: a rollback that has not ended in time is reported, whatever holds it up.
fn overdue(draft: &mut Draft<'_>, id: &IncidentId) {
    let now = draft.now();
    let Some(open) = draft.open(id).filter(|open| open.is_overdue(now) && open.may_be_overdue()) else {
        return;
    };
    let since = open.rollback_started_at.unwrap_or(open.opened_at);
    let stands = open.phase.sentence();
    draft.notice(id, NoticeFact::RollbackOverdue { since, stands });
}

/// The public has to know within minutes: if its page can't be updated, a person has to.
fn public_update(draft: &mut Draft<'_>, id: &IncidentId) {
    let now = draft.now();
    let Some(known) = draft.state.known_incident(id) else { return };
    let alarm = super::delivery::public_alarm(known, draft.context.policy);
    let Some((channel, alarm_at, due_at)) = alarm else { return };
    if now >= alarm_at {
        let mut others = draft.recipients(NoticeKind::PublicUpdateLate);
        others.retain(|other| *other != channel);
        draft.notice_to(id, NoticeFact::PublicUpdateLate { channel, due_at }, others);
    }
}

/// Missing data is reported, and never acted upon (design, section 4).
fn watchdog(draft: &mut Draft<'_>) {
    let Some(silent_seconds) = draft.context.watchdog_silent_seconds else { return };
    let silent = draft.watchdog_silent_seconds().is_some();
    let canary_runs = draft.state.run.is_some();
    if silent && canary_runs && !draft.state.watchdog_lost {
        draft.rollout_event(Event::WatchdogLost { silent_seconds });
        draft.rollout_notice(NoticeFact::WatchdogLost { silent_seconds });
    } else if draft.state.watchdog_lost && (!silent || !canary_runs) {
        draft.rollout_event(Event::WatchdogBack);
        draft.rollout_notice(NoticeFact::WatchdogBack);
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

    #[test]
    fn what_somebody_undid_is_set_again_at_once_and_then_ever_later() {
        for reason in [Reason::TrafficReturned, Reason::Undone] {
            let gaps = (0..MOST_REASSERTIONS).map(|undone| gap(reason, 9, undone).num_seconds());
            assert_eq!(gaps.collect::<Vec<_>>(), [1, 4, 16], "{reason}");
        }
        assert_eq!(gap(Reason::StepFailed, 1, 2), FIRST_RETRY);
        assert_eq!(gap(Reason::Undone, 1, u32::MAX), LONGEST_RETRY);
    }
}
