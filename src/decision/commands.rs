//! What is to be done next, read off the state.
//!
//! Level-triggered: as long as the state asks for something, the command is there. Whoever carries
//! it out reports an input that changes the state, and the command is gone. Nothing else has to be
//! remembered across a restart.

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::{Incident, IncidentId, Phase, RolloutState, Step, WhenTaken};

/// The evidence of a rollback that takes long (an unreachable API) appears after this, before its
/// steps have ended: design, section 6, "within a second".
const EVIDENCE_AFTER: TimeDelta = TimeDelta::milliseconds(800);

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// Read the canary's share: alerts wait for it.
    ReadShare,
    /// Carry out a step.
    RunStep {
        /// For which incident.
        incident: IncidentId,
        /// In which attempt.
        attempt: u32,
        /// Which step.
        step: Step,
    },
    /// Read the world until there is a verdict.
    Verify {
        /// For which incident.
        incident: IncidentId,
        /// In which attempt.
        attempt: u32,
        /// Since when.
        since: DateTime<Utc>,
        /// When the verdict is due.
        until: DateTime<Utc>,
    },
    /// Ask the outside world about an incident's alerts.
    Confirm {
        /// For which incident.
        incident: IncidentId,
    },
    /// Take a metrics snapshot.
    Snapshot {
        /// For which incident.
        incident: IncidentId,
        /// Which.
        when: WhenTaken,
    },
    /// Write the evidence.
    WriteEvidence {
        /// Of which incident.
        incident: IncidentId,
        /// Whether it is the last.
        complete: bool,
    },
    /// Decide again: a deadline that needs nobody's answer has passed.
    Tick,
}

/// The work that the state asks for at `now`.
#[must_use]
pub fn commands(state: &RolloutState, now: DateTime<Utc>) -> Vec<Command> {
    let mut out = Vec::new();
    if !state.triage.is_empty() {
        out.push(Command::ReadShare);
    }
    if let Some(incident) = &state.incident {
        let retry = matches!(&incident.phase, Phase::Failed { retry_at, .. } if now >= *retry_at);
        if retry || (incident.is_overdue(now) && !incident.is_overdue_told()) {
            out.push(Command::Tick);
        }
        drive(incident, now, &mut out);
        record(incident, now, &mut out);
    }
    for incident in state.unfinished_evidence.values() {
        record(incident, now, &mut out);
    }
    out
}

fn drive(incident: &Incident, now: DateTime<Utc>, out: &mut Vec<Command>) {
    let id = || incident.id.clone();
    match &incident.phase {
        Phase::Grace { confirm_early, .. } => {
            if *confirm_early || incident.grace_ends_at.is_none_or(|ends_at| now >= ends_at) {
                out.push(Command::Confirm { incident: id() });
            }
        }
        Phase::Held(hold) if now >= hold.until => out.push(Command::Confirm { incident: id() }),
        Phase::RollingBack { attempt, .. } => {
            // One step for now; with more, the first that this attempt has not done.
            for step in Step::PLAN {
                out.push(Command::RunStep { incident: id(), attempt: *attempt, step: *step });
            }
        }
        Phase::Verifying { since, until, attempt } => {
            let (attempt, since, until) = (*attempt, *since, *until);
            out.push(Command::Verify { incident: id(), attempt, since, until });
        }
        Phase::Failed { .. } | Phase::Held(_) | Phase::Opened => {}
        Phase::RolledBack | Phase::Cancelled { .. } | Phase::Declined { .. } => {}
    }
}

/// Snapshots and evidence: beside the action, never before it.
fn record(incident: &Incident, now: DateTime<Utc>, out: &mut Vec<Command>) {
    let Some(started_at) = incident.rollback_started_at else { return };
    let taken = |when| incident.snapshots.iter().any(|(taken, ..)| *taken == when);
    let id = || incident.id.clone();
    let closed = incident.phase.is_closed();
    if !taken(WhenTaken::Before) {
        out.push(Command::Snapshot { incident: id(), when: WhenTaken::Before });
    }
    if closed && !taken(WhenTaken::After) {
        out.push(Command::Snapshot { incident: id(), when: WhenTaken::After });
    }
    let first_due = !incident.steps.is_empty() || now >= started_at + EVIDENCE_AFTER;
    if incident.evidence.is_empty() && first_due {
        out.push(Command::WriteEvidence { incident: id(), complete: false });
    } else if !incident.evidence.is_empty()
        && closed
        && !incident.evidence_complete
        && taken(WhenTaken::After)
    {
        out.push(Command::WriteEvidence { incident: id(), complete: true });
    }
}

/// The next instant at which [`commands`] may answer differently although no event came.
#[must_use]
pub fn next_deadline(state: &RolloutState, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let incident = state.incident.as_deref()?;
    let phase = match &incident.phase {
        Phase::Grace { .. } => incident.grace_ends_at,
        Phase::Held(hold) => Some(hold.until),
        Phase::Failed { retry_at, .. } => Some(*retry_at),
        Phase::Opened
        | Phase::RollingBack { .. }
        | Phase::Verifying { .. }
        | Phase::RolledBack
        | Phase::Cancelled { .. }
        | Phase::Declined { .. } => None,
    };
    let evidence = incident
        .rollback_started_at
        .filter(|_| incident.evidence.is_empty())
        .map(|started_at| started_at + EVIDENCE_AFTER);
    let overdue = incident.rollback_due_at.filter(|_| !incident.phase.is_closed());
    [phase, evidence, overdue].into_iter().flatten().filter(|at| *at > now).min()
}
