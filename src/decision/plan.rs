//! The next step of a rollback: a function of its plan, of what was done, of what was last observed,
//! and of the time. A restart, a retry and the first time are one path.

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::{Goal, Observation, Pause, Plan, Pods, Progress, Share, Stance, Step, Workloads};

/// An observation older than this says too little to move traffic by.
pub(crate) const OBSERVATION_VALID: TimeDelta = TimeDelta::seconds(2);

/// An older one still says which step is likely to be right, for as long as a poll may be late; see
/// [`first_step`].
const POLL_VALID: TimeDelta = TimeDelta::seconds(60);

/// How far an attempt at a plan is, and what is known of the world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    pub(super) plan: &'a Plan,
    /// When the attempt began.
    pub(super) since: DateTime<Utc>,
    pub(super) progress: Progress,
    /// The latest observation, and when it was asked for.
    pub(super) observed: Option<(DateTime<Utc>, &'a Observation)>,
    /// Whether stable may be raised once more. Where somebody takes its pods away each time, it may not: the
    /// traffic is then shifted onto what there is, and the rest is a person's to settle.
    pub(super) may_raise: bool,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Do(Step),
    /// Observe first: what is known is too old, or from before the last step.
    Look,
    /// Nothing can be done before something changes outside, or before that time.
    Wait {
        reason: Pause,
        until: Option<DateTime<Utc>>,
    },
    /// Nothing can be done before a person mends what this says.
    Stuck(String),
    /// Somebody undoes each time what is set, in words.
    Undone(String),
    Done,
}

/// The next step at `now`.
///
/// No goal is passed over: a later one may rest on it, as the canary's pods on the traffic's being off.
#[must_use]
pub(super) fn next_step(standing: Standing<'_>, now: DateTime<Utc>) -> Next {
    if let Some(next) = standing.through_owner(now) {
        return next;
    }
    for goal in &standing.plan.goals {
        let next = match goal {
            Goal::TrafficOff => standing.traffic_off(),
            Goal::StableReplicas { at_least } => standing.fresh(now, |observed, workloads| {
                let (wanted, replicas) = (workloads.stable.wanted, observed.stable_at_least(*at_least));
                // With none at all nobody would serve, however often somebody wants it so.
                let may_raise = standing.may_raise || wanted == 0;
                (wanted < replicas && may_raise).then_some(Next::Do(Step::StableUp { replicas }))
            }),
            Goal::ShiftTraffic { replicas, all_after_seconds } => {
                standing.fresh(now, |observed, workloads| {
                    let all_at = standing.since + TimeDelta::seconds(i64::from(*all_after_seconds));
                    shift(observed, workloads.stable, *replicas, (all_at, now))
                })
            }
            Goal::CanaryDown { drain_seconds, replicas } => standing.fresh(now, |observed, workloads| {
                let drained_at = standing.off_since() + TimeDelta::seconds(i64::from(*drain_seconds));
                canary_down(observed, workloads, *replicas, (drained_at, now)).map(|next| match next {
                    Next::Wait { reason: Pause::StableShort, .. } if !standing.may_raise => {
                        pulled_down(observed, workloads.stable, *replicas).unwrap_or(next)
                    }
                    next => next,
                })
            }),
        };
        if let Some(next) = next {
            return next;
        }
    }
    Next::Done
}

/// An attempt's first step, where the last poll saw nothing in the way of taking all traffic off: a rollback
/// then begins with its decision, instead of with a reading and a second decision. What it rests on is made
/// sure of as it acts: the endpoints are the step's own condition, the revision and an owner are looked at
/// once more. Where that is otherwise by then, the next step is decided by what is observed then.
#[must_use]
pub(super) fn first_step(standing: Standing<'_>, now: DateTime<Utc>) -> Option<Step> {
    let Standing { plan, progress, observed, .. } = standing;
    let is_first = progress.last_step_ended_at.is_none() && progress.waiting.is_none();
    // What is fresh is decided upon as ever.
    let is_of_a_poll = |at: DateTime<Utc>| at + OBSERVATION_VALID < now && now <= at + POLL_VALID;
    let (_, observed) = observed.filter(|(at, _)| is_first && is_of_a_poll(*at))?;
    let is_free = observed.owner.is_none() && observed.obstacle.is_none() && !observed.is_off();
    let stable = observed.workloads.filter(|_| is_free)?.stable;
    plan.goals.iter().find_map(|goal| match goal {
        Goal::ShiftTraffic { replicas, .. } => {
            let needed = observed.stable_at_least(*replicas).max(1);
            let carries_all = stable.wanted >= needed && stable.ready_endpoints >= needed;
            carries_all.then_some(Step::Shift { share: Share::ZERO, ready_at_least: needed })
        }
        Goal::TrafficOff | Goal::StableReplicas { .. } | Goal::CanaryDown { .. } => None,
    })
}

impl Standing<'_> {
    fn traffic_off(&self) -> Option<Next> {
        self.progress.traffic_off_at.is_none().then_some(Next::Do(Step::TrafficOff))
    }

    /// What follows where somebody else carries the rollout out: the goals are then that one's to reach, and
    /// what it owns is not touched.
    fn through_owner(&self, now: DateTime<Utc>) -> Option<Next> {
        let observed = self.known(now)?;
        let owner = observed.owner.as_ref()?;
        // One that is under way gives the canary traffic again, even if it has none now.
        let will_give = owner.stance == Stance::ToBeStopped && owner.rolls_out;
        if observed.is_off() && !observed.is_only_version() && !will_give {
            return Some(Next::Done);
        }
        Some(match owner.stance {
            Stance::ToBeStopped => Next::Do(Step::StopOwner),
            Stance::RollsBack => Next::Wait { reason: Pause::OwnerRollsBack, until: None },
            Stance::LeftAlone => {
                let obstacle = observed.obstacle.clone();
                Next::Stuck(
                    obstacle.unwrap_or_else(|| format!("the {} owns what would be changed", owner.name)),
                )
            }
        })
    }

    /// The observation, if it is of this moment and after the last step.
    fn known(&self, now: DateTime<Utc>) -> Option<&Observation> {
        let last_ended_at = self.progress.last_step_ended_at;
        let known = self.observed.filter(|(at, _)| {
            *at + OBSERVATION_VALID >= now && last_ended_at.is_none_or(|ended_at| *at >= ended_at)
        });
        known.map(|(_, observed)| observed)
    }

    /// What follows from such an observation.
    fn fresh(
        &self,
        now: DateTime<Utc>,
        follows: impl FnOnce(&Observation, &Workloads) -> Option<Next>,
    ) -> Option<Next> {
        let Some(observed) = self.known(now) else { return Some(Next::Look) };
        match &observed.workloads {
            Some(workloads) => follows(observed, workloads),
            None => Some(Next::Stuck(
                "the target does not say what serves, but the plan needs to know".to_owned(),
            )),
        }
    }

    /// Since when the traffic is off as far as this attempt knows: since it took it off, or else since it
    /// began, because nobody knows for how long it was off before.
    fn off_since(&self) -> DateTime<Utc> {
        self.progress.traffic_off_at.unwrap_or(self.since)
    }
}

/// The least share that the stable version's ready endpoints leave to the canary.
fn uncarried(ready: u16, replicas: u16) -> Share {
    let short = u32::from(replicas.saturating_sub(ready));
    let percent = (short * 100).div_ceil(u32::from(replicas.max(1)));
    Share(u8::try_from(percent).unwrap_or(100).min(100))
}

fn shift(
    observed: &Observation,
    stable: Pods,
    replicas: u16,
    (all_at, now): (DateTime<Utc>, DateTime<Utc>),
) -> Option<Next> {
    if observed.is_off() {
        return None;
    }
    if let Some(obstacle) = &observed.obstacle {
        return Some(Next::Stuck(obstacle.clone()));
    }
    let (ready, replicas) = (stable.ready_endpoints, observed.stable_at_least(replicas));
    if ready == 0 {
        return Some(Next::Wait { reason: Pause::NoReadyStable, until: None });
    }
    if ready >= replicas || now >= all_at {
        let ready_at_least = if ready >= replicas { replicas.max(1) } else { 1 };
        return Some(Next::Do(Step::Shift { share: Share::ZERO, ready_at_least }));
    }
    let share = uncarried(ready, replicas);
    if share < observed.share {
        return Some(Next::Do(Step::Shift { share, ready_at_least: ready }));
    }
    Some(Next::Wait { reason: Pause::StableComingUp, until: Some(all_at) })
}

fn canary_down(
    observed: &Observation,
    workloads: &Workloads,
    replicas: u16,
    (drained_at, now): (DateTime<Utc>, DateTime<Utc>),
) -> Option<Next> {
    if workloads.canary.wanted == 0 {
        return None;
    }
    let Pods { available, ready_endpoints, .. } = workloads.stable;
    let replicas = observed.stable_at_least(replicas);
    if observed.is_off() && ready_endpoints == 0 {
        return Some(Next::Wait { reason: Pause::NobodyServes, until: None });
    }
    if now < drained_at {
        return Some(Next::Wait { reason: Pause::Draining, until: Some(drained_at) });
    }
    // With the goals in their order it is off here; a plan without them must not do harm.
    if !observed.is_off() {
        return Some(Next::Stuck("the canary still has traffic".to_owned()));
    }
    if available < replicas || ready_endpoints < replicas {
        return Some(Next::Wait { reason: Pause::StableShort, until: None });
    }
    Some(Next::Do(Step::CanaryDown { ready_at_least: replicas }))
}

/// Where it has fewer pods than were set, it waits in vain for them.
fn pulled_down(observed: &Observation, stable: Pods, replicas: u16) -> Option<Next> {
    let replicas = observed.stable_at_least(replicas);
    (stable.wanted < replicas).then(|| {
        Next::Undone(format!(
            "stable was raised to {replicas} replicas again and again, and is to have {} each time",
            stable.wanted
        ))
    })
}

#[cfg(test)]
mod tests;
