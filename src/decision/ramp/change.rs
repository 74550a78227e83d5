//! The next change that takes the canary to its stage's share.

use crate::decision::{Draft, OBSERVATION_VALID, PlanPolicy, Reading};
use crate::incident::{HoldReason, Observation, Ramp, RampEvent, RampSaid, Share, Step, Workloads};

/// What comes next while a stage's share is being set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Do(Step),
    /// It has been read back.
    Set,
    /// What is known is too old, or from before the last change.
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
    let Some(share) = share.filter(|_| is_of_now) else { return Change::Look };
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
        (PlanPolicy::Workloads { .. }, None) => Change::Look,
        (PlanPolicy::Workloads { replicas, .. }, Some((observed, workloads))) => {
            with_pods(observed, workloads, wanted, replicas)
        }
    }
}

/// The canary's pods come first: a share without pods that carry it is an outage for that share.
fn with_pods(observed: &Observation, workloads: Workloads, wanted: Share, replicas: u16) -> Change {
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

/// Carries on with what takes the canary to its stage's share; what is in the way of it comes back.
pub(super) fn carry_on(draft: &mut Draft<'_>, ramp: &Ramp) -> Option<(HoldReason, String)> {
    match next_change(draft, ramp) {
        Change::Do(step) => draft.ramp_event(&ramp.id, RampEvent::StepStarted { step }),
        Change::Set => stage_begins(draft, ramp),
        Change::Look => {}
        Change::Hold(reason, detail) => return Some((reason, detail)),
        Change::Gone => super::review::ended_outside(draft, ramp),
    }
    None
}

/// Its share was read back as set.
pub(super) fn stage_begins(draft: &mut Draft<'_>, ramp: &Ramp) {
    draft.ramp_event(&ramp.id, RampEvent::StageBegan { stage: ramp.stage });
    if let Some(ends_at) = draft.ramp().and_then(Ramp::stage_ends_at) {
        draft.ramp_notice(RampSaid::StageBegan { ends_at });
    }
}
