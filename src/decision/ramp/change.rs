//! The next change that takes the canary to its stage's share.

use chrono::TimeDelta;

use crate::decision::{Draft, OBSERVATION_VALID, PlanPolicy, Reading};
use crate::incident::{HoldReason, Observation, Ramp, RampEvent, RampSaid, Share, Step, Workloads};

/// For so long what can't be read is read again before anybody is told.
pub(super) const READ_PATIENCE: TimeDelta = TimeDelta::seconds(10);

/// For so long pods may take to get ready: images are pulled, programs start.
const PODS_PATIENCE: TimeDelta = TimeDelta::seconds(60);

/// For so long a stage that has passed lets the next share be set. Longer than that takes where nothing is in its
/// way, and not half of the five minutes over which criteria look back.
pub(super) const PASS_VALID: TimeDelta = TimeDelta::seconds(120);

/// What comes next while a stage's share is being set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Do(Step),
    /// It has been read back.
    Set,
    /// What is known is too old, from before the last change, or not enough yet.
    Look,
    Hold(HoldReason, String),
    /// The canary has no traffic any more, and this ramp has not taken it off.
    Gone,
}

/// How many pods the canary needs for a share, where so many carry all of the traffic.
#[must_use]
pub fn canary_replicas(share: Share, replicas: u16) -> u16 {
    let needed = (u32::from(share.0) * u32::from(replicas)).div_ceil(100);
    u16::try_from(needed).unwrap_or(replicas).max(1)
}

pub(super) fn next_change(draft: &Draft<'_>, ramp: &Ramp) -> Change {
    let now = draft.now();
    if let Some(retry_at) = ramp.retry_at.filter(|retry_at| *retry_at > now) {
        let detail = format!("it is tried again at {}", retry_at.format("%H:%M:%S UTC"));
        return if ramp.failures > 0 { Change::Hold(HoldReason::StepFailed, detail) } else { Change::Look };
    }
    let Reading::At { at, share } = draft.context.reading else { return Change::Look };
    let is_of_now = at + OBSERVATION_VALID >= now && ramp.last_step_ended_at.is_none_or(|ended| at > ended);
    if !is_of_now {
        return Change::Look;
    }
    let Some(share) = share else { return unread(draft, ramp, "") };
    let (before, wanted) = (ramp.share_set(), ramp.share());
    if share == wanted {
        return Change::Set;
    }
    if share == Share::ZERO && before > Share::ZERO {
        return Change::Gone;
    }
    if share != before {
        let detail = format!("it is {share}, and {before} was set");
        return Change::Hold(HoldReason::ShareChanged, detail);
    }
    match (draft.context.policy.plan, workloads(draft)) {
        (PlanPolicy::TrafficOnly, _) => Change::Do(Step::SetShare { share: wanted, ready_at_least: 0 }),
        (PlanPolicy::Workloads { .. }, None) => unread(draft, ramp, "its pods can't be read"),
        (PlanPolicy::Workloads { replicas, .. }, Some((observed, workloads))) => {
            let has_waited = ramp.unchanged_for(now) >= PODS_PATIENCE;
            with_pods((observed, workloads), wanted, replicas, has_waited)
        }
    }
}

/// A reading that fails once or twice is nothing to be told of; one that goes on failing is.
fn unread(draft: &Draft<'_>, ramp: &Ramp, detail: &str) -> Change {
    if ramp.unchanged_for(draft.now()) < READ_PATIENCE {
        return Change::Look;
    }
    Change::Hold(HoldReason::ShareUnread, detail.to_owned())
}

/// The canary's pods come first: a share without pods that carry it is an outage for that share.
fn with_pods(
    (observed, workloads): (&Observation, Workloads),
    wanted: Share,
    replicas: u16,
    has_waited: bool,
) -> Change {
    if let Some(owner) = &observed.owner {
        let detail = format!("{} moves this traffic itself", owner.name);
        return Change::Hold(HoldReason::StepFailed, detail);
    }
    if let Some(obstacle) = &observed.obstacle {
        return Change::Hold(HoldReason::StepFailed, obstacle.clone());
    }
    let needed = canary_replicas(wanted, observed.stable_at_least(replicas));
    if workloads.canary.wanted < needed {
        return Change::Do(Step::CanaryUp { replicas: needed });
    }
    let ready = workloads.canary.ready_endpoints;
    if ready < needed && !has_waited {
        return Change::Look;
    }
    if ready < needed {
        let detail = format!("{ready} of {needed} are ready");
        return Change::Hold(HoldReason::CanaryNotReady, detail);
    }
    Change::Do(Step::SetShare { share: wanted, ready_at_least: needed })
}

/// The observation that the reading is of, with its workloads.
fn workloads<'a>(draft: &Draft<'a>) -> Option<(&'a Observation, Workloads)> {
    let (at, observed) = draft.context.observed?;
    let is_of_now = at + OBSERVATION_VALID >= draft.now();
    Some((observed, observed.workloads.filter(|_| is_of_now)?))
}

/// How it goes on with what takes the canary to its stage's share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing is in the way.
    Goes,
    /// Nobody knows yet: whatever was in the way still is, as far as anybody knows.
    Waits,
    Held(HoldReason, String),
}

/// Carries on with what takes the canary to its stage's share.
pub(super) fn carry_on(draft: &mut Draft<'_>, ramp: &Ramp) -> Progress {
    match next_change(draft, ramp) {
        Change::Do(step) if is_too_late(draft, ramp, step) => {
            let stage = ramp.last_begun().map_or(ramp.stage, |record| record.stage);
            draft.ramp_event(&ramp.id, RampEvent::StageReopened { stage });
        }
        Change::Do(step) => draft.ramp_event(&ramp.id, RampEvent::StepStarted { step }),
        Change::Set => stage_begins(draft, ramp),
        Change::Look => return Progress::Waits,
        Change::Hold(reason, detail) => return Progress::Held(reason, detail),
        Change::Gone => super::review::ended_outside(draft, ramp),
    }
    Progress::Goes
}

/// Whether a share would be raised on what was good too long ago: pods took their time, something was in the way,
/// or nobody was there.
pub(super) fn is_too_late(draft: &Draft<'_>, ramp: &Ramp, step: Step) -> bool {
    let passed_at = ramp.last_begun().and_then(|record| record.passed_at);
    let age = passed_at.map(|passed_at| draft.now() - passed_at);
    // A clock that was set back says nothing of the age.
    step.sets_share().is_some() && age.is_some_and(|age| age < TimeDelta::zero() || age > PASS_VALID)
}

/// Its share was read back as set.
pub(super) fn stage_begins(draft: &mut Draft<'_>, ramp: &Ramp) {
    draft.ramp_event(&ramp.id, RampEvent::StageBegan { stage: ramp.stage });
    if let Some(ends_at) = draft.ramp().and_then(Ramp::stage_ends_at) {
        draft.ramp_notice(RampSaid::StageBegan { ends_at });
    }
}
