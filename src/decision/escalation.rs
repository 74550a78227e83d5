//! The protocol's escalation path: the next level is told when a rollback goes on for too long.
//!
//! The times are stored, so a restart forgets none, and move with a clock that is set. Taking note puts
//! the next level off, once: whoever took note and then fell silent is no reason to tell nobody.

use chrono::TimeDelta;

use super::draft::Draft;
use crate::incident::{Escalation, Event, IncidentId, Level, NoticeFact};

/// From one level to the next, by the protocol's escalation path (0, 15 and 30 minutes).
pub const ESCALATE_EVERY: TimeDelta = TimeDelta::minutes(15);

/// A rollback begins: the first level is told by its notice, the next ones if it goes on.
pub(super) fn plan(draft: &mut Draft<'_>, id: &IncidentId) {
    let next = Level(Level::FIRST.0 + 1);
    let due_at = draft.now() + ESCALATE_EVERY;
    draft.incident_event(id, Event::EscalationPlanned { next, due_at });
}

/// Somebody took note: the next level has its full time from now on, once.
pub(super) fn put_off(draft: &mut Draft<'_>, id: &IncidentId) {
    let Some(Escalation { next, due_at, is_put_off: false }) =
        draft.open(id).and_then(|open| open.escalation)
    else {
        return;
    };
    let due_at = due_at.max(draft.now() + ESCALATE_EVERY);
    draft.incident_event(id, Event::EscalationPlanned { next, due_at });
}

/// Tells the highest level that is due: after a restart those in between have nothing to add.
pub(super) fn tick(draft: &mut Draft<'_>, id: &IncidentId) {
    let now = draft.now();
    let Some(open) = draft.open(id) else { return };
    let Some(Escalation { next: mut level, mut due_at, .. }) = open.escalation else { return };
    if now < due_at {
        return;
    }
    while level < Level::LAST && due_at + ESCALATE_EVERY <= now {
        (level, due_at) = (Level(level.0 + 1), due_at + ESCALATE_EVERY);
    }
    let since = open.rollback_started_at.unwrap_or(open.opened_at);
    let acknowledged_by = open.acknowledged_by.clone();
    draft.notice(id, NoticeFact::Escalated { level, since, acknowledged_by });
    if level < Level::LAST {
        let (next, due_at) = (Level(level.0 + 1), due_at + ESCALATE_EVERY);
        draft.incident_event(id, Event::EscalationPlanned { next, due_at });
    }
}
