//! What follows when the wall clock is set: by a person, by NTP after a bad start, by a hypervisor.
//!
//! Deadlines are stored as times of day, because nothing else survives a restart. A clock that is
//! set forward would end a grace early, one that is set back would let it hang for hours. So every
//! deadline moves with the clock, and the move is an event like any other.

use chrono::TimeDelta;

use super::draft::Draft;
use crate::incident::{Event, Reason};

/// `by` is negative where the clock was set back.
pub(super) fn stepped(draft: &mut Draft<'_>, by: TimeDelta) -> Option<Reason> {
    let event = Event::ClockStepped { by_milliseconds: by.num_milliseconds() };
    match draft.state.open_incident().map(|open| open.id.clone()) {
        Some(id) => draft.incident_event(&id, event),
        None if draft.state.remembers_times() => draft.rollout_event(event),
        None => {}
    }
    None
}
