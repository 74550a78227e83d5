//! What is to be done and when, read off the state.
//!
//! Level-triggered: as long as the state asks for something, the command is there. Whoever carries
//! it out reports an input that changes the state, and the command is gone. Nothing else has to be
//! remembered across a restart.

use chrono::{DateTime, TimeDelta, Utc};

use super::delivery::{MessageId, public_alarm};
use super::policy::Policy;
use crate::incident::{
    Deliveries, Incident, IncidentId, Phase, Ramp, RampId, RolloutState, SnapshotPoint, Step,
};

/// The evidence of a rollback that takes long (an unreachable API) appears after this, before its
/// steps have ended: design, section 6, "within a second".
const EVIDENCE_AFTER: TimeDelta = TimeDelta::milliseconds(800);

/// While a step is being carried out, people are told after this: neither a request to a channel nor
/// the text of one may take a millisecond from it (design, promise 3).
const TELL_AFTER: TimeDelta = TimeDelta::milliseconds(200);

/// One piece of work. Comparable, because one that is already under way must not be started twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// Read the canary's share: alerts wait for it.
    ReadShare,
    RunStep {
        incident: IncidentId,
        attempt: u32,
        step: Step,
    },
    /// Observe the target until the rollback's next step can be decided on.
    Look {
        incident: IncidentId,
        attempt: u32,
    },
    /// Read the world until there is a verdict.
    Verify {
        incident: IncidentId,
        attempt: u32,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    },
    /// Ask Alertmanager and Prometheus about an incident's alerts.
    Confirm {
        incident: IncidentId,
    },
    Snapshot {
        incident: IncidentId,
        when: SnapshotPoint,
    },
    WriteEvidence {
        incident: IncidentId,
        complete: bool,
    },
    /// Send a notice to people, or go on with it.
    Deliver(MessageId),
    /// Carry out a change of the rollout's ramp.
    RunRampStep {
        ramp: RampId,
        step: Step,
    },
    /// `stage` is none for the record of the whole.
    WriteRampEvidence {
        ramp: RampId,
        stage: Option<usize>,
    },
    /// Decide again: a deadline that needs nobody's answer has passed.
    Tick,
}

impl Command {
    /// Whether it changes the traffic, so that nothing else may go before it.
    #[must_use]
    pub fn acts(&self) -> bool {
        match self {
            Self::RunStep { .. } | Self::RunRampStep { .. } => true,
            Self::ReadShare
            | Self::Look { .. }
            | Self::Verify { .. }
            | Self::Confirm { .. }
            | Self::Snapshot { .. }
            | Self::WriteEvidence { .. }
            | Self::Deliver(_)
            | Self::WriteRampEvidence { .. }
            | Self::Tick => false,
        }
    }

    /// Whether it writes down or tells people what has happened, for which milliseconds don't count.
    #[must_use]
    pub fn tells(&self) -> bool {
        match self {
            Self::WriteEvidence { .. } | Self::WriteRampEvidence { .. } | Self::Deliver(_) => true,
            Self::RunStep { .. }
            | Self::RunRampStep { .. }
            | Self::ReadShare
            | Self::Look { .. }
            | Self::Verify { .. }
            | Self::Confirm { .. }
            | Self::Snapshot { .. }
            | Self::Tick => false,
        }
    }

    /// The incident that it is for, if it is for one.
    #[must_use]
    pub fn incident(&self) -> Option<&IncidentId> {
        match self {
            Self::RunStep { incident, .. }
            | Self::Look { incident, .. }
            | Self::Verify { incident, .. }
            | Self::Confirm { incident }
            | Self::Snapshot { incident, .. }
            | Self::WriteEvidence { incident, .. } => Some(incident),
            Self::Deliver(message) => message.incident.as_ref(),
            Self::ReadShare | Self::RunRampStep { .. } | Self::WriteRampEvidence { .. } | Self::Tick => None,
        }
    }
}

/// The work that a state asks for, and when to look again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    pub commands: Vec<Command>,
    /// The next instant at which there is more, although no event came.
    pub next: Option<DateTime<Utc>>,
}

/// Each piece of work is planned once, with its time; what is due and when to look again both follow
/// from the plan, so that they can't disagree.
struct Plan {
    now: DateTime<Utc>,
    due: Due,
}

impl Plan {
    fn now(&mut self, command: Command) {
        if !self.due.commands.contains(&command) {
            self.due.commands.push(command);
        }
    }

    fn at(&mut self, at: DateTime<Utc>, command: Command) {
        if at <= self.now {
            self.now(command);
        } else {
            self.due.next = Some(self.due.next.map_or(at, |next| next.min(at)));
        }
    }
}

/// What the state asks for at `now`, under the rollout's settings.
#[must_use]
pub fn due(state: &RolloutState, policy: &Policy, now: DateTime<Utc>) -> Due {
    let mut plan = Plan { now, due: Due::default() };
    if !state.triage.is_empty() {
        plan.now(Command::ReadShare);
    }
    if let Some(incident) = &state.incident {
        if incident.phase.is_closed() || incident.revision().may_be(policy.revision_now(state, None)) {
            drive(incident, policy, &mut plan);
        } else {
            // Another revision is on canary: nothing is done for this one but to close it.
            plan.now(Command::Tick);
        }
        record(incident, &mut plan);
        // A clock that was set back since must not put people off by hours.
        let acting = matches!(incident.phase, Phase::RollingBack { .. });
        let begun_at = incident.step_begun_at.filter(|at| acting && *at <= now);
        deliver(&incident.deliveries, Some(&incident.id), begun_at.map(|at| at + TELL_AFTER), &mut plan);
    }
    if let Some(ramp) = &state.ramp {
        drive_ramp(ramp, &mut plan);
    }
    for incident in state.unfinished.values() {
        record(incident, &mut plan);
        deliver(&incident.deliveries, Some(&incident.id), None, &mut plan);
    }
    deliver(&state.deliveries, None, None, &mut plan);
    plan.due
}

/// The next message of each channel: one queue never waits for another.
fn deliver(
    deliveries: &Deliveries,
    incident: Option<&IncidentId>,
    not_before: Option<DateTime<Utc>>,
    plan: &mut Plan,
) {
    for (channel, queue) in &deliveries.queues {
        let Some(first) = queue.waiting.first() else { continue };
        let Some(notice) = first.notice.id else { continue };
        let at = first.not_before.max(not_before).unwrap_or(plan.now);
        let message = MessageId { incident: incident.cloned(), channel: channel.clone(), notice };
        plan.at(at, Command::Deliver(message));
    }
}

fn drive(incident: &Incident, policy: &Policy, plan: &mut Plan) {
    let incident_id = || incident.id.clone();
    match &incident.phase {
        Phase::Grace { confirm_early, .. } => {
            let ends_at = incident.grace_ends_at.filter(|_| !confirm_early);
            plan.at(ends_at.unwrap_or(plan.now), Command::Confirm { incident: incident_id() });
        }
        Phase::Held(hold) => plan.at(hold.until, Command::Confirm { incident: incident_id() }),
        Phase::RollingBack { attempt, .. } => {
            let (incident_id, attempt) = (incident_id(), *attempt);
            plan.now(match incident.progress.step {
                Some(step) => Command::RunStep { incident: incident_id, attempt, step },
                None => Command::Look { incident: incident_id, attempt },
            });
        }
        Phase::Verifying { since, until, attempt } => {
            let (attempt, since, until) = (*attempt, *since, *until);
            plan.now(Command::Verify { incident: incident_id(), attempt, since, until });
        }
        Phase::Failed { retry_at: Some(retry_at), .. } => plan.at(*retry_at, Command::Tick),
        Phase::Failed { retry_at: None, .. } | Phase::Opened => {}
        Phase::RolledBack
        | Phase::Cancelled { .. }
        | Phase::Declined { .. }
        | Phase::Superseded { .. }
        | Phase::Closed { .. } => {}
    }
    if let Some(due_at) = incident.rollback_due_at.filter(|_| incident.may_be_overdue()) {
        plan.at(due_at, Command::Tick);
    }
    if let Some(escalation) = incident.escalation {
        plan.at(escalation.due_at, Command::Tick);
    }
    if let Some((_, alarm_at, _)) = public_alarm(incident, policy) {
        plan.at(alarm_at, Command::Tick);
    }
}

/// Its change, the evidence of the stages that are over, and when people are told of a hold again.
fn drive_ramp(ramp: &Ramp, plan: &mut Plan) {
    let id = || ramp.id.clone();
    for record in ramp.unwritten_stages() {
        plan.now(Command::WriteRampEvidence { ramp: id(), stage: Some(record.stage) });
    }
    if ramp.phase.has_ended() {
        if ramp.lacks_record() && ramp.unwritten_stages().next().is_none() {
            plan.now(Command::WriteRampEvidence { ramp: id(), stage: None });
        }
        return;
    }
    if let Some(step) = ramp.step {
        return plan.now(Command::RunRampStep { ramp: id(), step });
    }
    if let Some(retry_at) = ramp.retry_at {
        plan.at(retry_at, Command::Tick);
    }
    let is_changing = ramp.stage_began_at().is_none() || ramp.is_finishing();
    let retries = ramp.retry_at.is_some_and(|retry_at| retry_at <= plan.now);
    let waits = (ramp.holding.is_some() || ramp.retry_at.is_some()) && !retries;
    if is_changing && !waits {
        plan.now(Command::ReadShare);
    }
    if let Some(holding) = &ramp.holding {
        let after = |seconds: u32| TimeDelta::seconds(i64::from(seconds));
        let told_at = holding.told_at.unwrap_or(holding.since);
        plan.at(told_at + after(ramp.plan.remind_every_seconds), Command::Tick);
        if !holding.is_overdue_reported {
            plan.at(holding.since + after(ramp.plan.max_hold_seconds), Command::Tick);
        }
    }
}

/// Snapshots and evidence: beside the action, never before it.
fn record(incident: &Incident, plan: &mut Plan) {
    let Some(started_at) = incident.rollback_started_at else { return };
    let taken = |when| incident.snapshots.iter().any(|(taken, ..)| *taken == when);
    let id = || incident.id.clone();
    let closed = incident.phase.is_closed();
    if !taken(SnapshotPoint::Before) {
        plan.now(Command::Snapshot { incident: id(), when: SnapshotPoint::Before });
    }
    if closed && !taken(SnapshotPoint::After) {
        plan.now(Command::Snapshot { incident: id(), when: SnapshotPoint::After });
    }
    let has_both = taken(SnapshotPoint::Before) && taken(SnapshotPoint::After);
    if incident.evidence.is_empty() {
        // A clock that was set back since must not put it off by hours.
        let waits = incident.steps.is_empty() && plan.now >= started_at;
        let first = if waits { started_at + EVIDENCE_AFTER } else { plan.now };
        plan.at(first, Command::WriteEvidence { incident: id(), complete: false });
    } else if closed && !incident.evidence_complete && has_both {
        plan.now(Command::WriteEvidence { incident: id(), complete: true });
    }
}
