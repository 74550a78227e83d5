//! How much is held while the store does not keep up, and what is urgent enough not to wait for it.

use crate::decision::{Input, RampRequest, Request};
use crate::incident::{AlertStatus, Event, Severity, StoredAs};

/// Events that are held before what is not urgent is turned away: twice the largest body that is
/// known (10,000 alerts), some tens of megabytes.
const MANY_EVENTS: usize = 20_000;

/// Events that are held at the most, urgent ones included.
const MOST_EVENTS: usize = 2 * MANY_EVENTS;

/// Raw bodies that are held at the most, in bytes together.
pub(super) const MOST_BLOB_BYTES: usize = 64 << 20;

/// Whether inputs may still be decided with so many events held.
pub(super) fn has_room<'a>(held: usize, mut inputs: impl Iterator<Item = &'a Input>) -> bool {
    match held {
        0..MANY_EVENTS => true,
        MANY_EVENTS..MOST_EVENTS => inputs.any(may_lead_to_a_rollback),
        _ => false,
    }
}

/// Whether an input may lead to a rollback, or reports what became of one.
fn may_lead_to_a_rollback(input: &Input) -> bool {
    match input {
        Input::Alert { alert, .. } => {
            alert.status == AlertStatus::Firing && alert.severity() == Severity::Critical
        }
        Input::Person { request, .. } => {
            matches!(request, Request::RollBack { .. } | Request::RollBackIncident { .. })
        }
        Input::MessageBegun { .. }
        | Input::MessageEnded { .. }
        | Input::RampStepDue { .. }
        | Input::RampStepEnded { .. }
        | Input::RampEvidenceWritten { .. } => false,
        Input::RampJudged { .. }
        | Input::Missed { .. }
        | Input::ShareRead
        | Input::Confirmation { .. }
        | Input::Looked { .. }
        | Input::StepEnded { .. }
        | Input::Verified { .. }
        | Input::Snapshot { .. }
        | Input::EvidenceWritten { .. }
        | Input::ClockStepped { .. }
        | Input::Tick => true,
    }
}

/// Whether what came of an input must be acted upon in time, stored or not: it begins a rollback, it
/// is a step of one, or a person asked for it. What only waits (a grace, a cancelled one) does not:
/// after a crash it would not have happened. People hear of what is done also while the disk hangs.
pub(super) fn is_urgent(input: &Input, events: &[StoredAs]) -> bool {
    match input {
        // What is not stored must not raise a share: after a crash nobody would know that there is a ramp.
        Input::Person { request: Request::Ramp(request), .. } => {
            matches!(request, RampRequest::Abort { .. } | RampRequest::Pause { .. })
        }
        Input::Person { .. }
        | Input::ShareRead
        | Input::Looked { .. }
        | Input::StepEnded { .. }
        | Input::Verified { .. }
        | Input::Snapshot { .. }
        | Input::EvidenceWritten { .. }
        | Input::RampStepDue { .. }
        | Input::RampStepEnded { .. }
        | Input::RampEvidenceWritten { .. }
        | Input::MessageBegun { .. }
        | Input::MessageEnded { .. } => true,
        Input::Alert { .. }
        | Input::Missed { .. }
        | Input::Confirmation { .. }
        | Input::ClockStepped { .. }
        | Input::RampJudged { .. }
        | Input::Tick => events.iter().any(begins_to_act),
    }
}

/// Whether somebody has to act on this at once.
fn begins_to_act(stored: &StoredAs) -> bool {
    match &stored.event {
        Event::RollbackStarted { .. } => true,
        Event::TriageStarted { alert } => alert.alert.severity() == Severity::Critical,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::incident::IncidentId;
    use crate::incident::fixtures::firing;

    fn alert(severity: &str, status: AlertStatus) -> Input {
        let labels = [("alertname", "Alert"), ("severity", severity)];
        let mut alert = firing("Alert", &labels, DateTime::UNIX_EPOCH);
        alert.status = status;
        Input::Alert { alert, body: None }
    }

    fn person(request: Request) -> Input {
        Input::Person { actor: "ada".to_owned(), request }
    }

    #[test]
    fn all_has_room_up_to_20000_events_what_may_roll_back_up_to_40000_and_nothing_beyond() {
        let roll_back = Request::RollBack { reason: "it smells".to_owned(), stage: None };
        let resume = Request::Resume { incident: IncidentId::new("spark-trading-20261124-030000-0001") };
        let urgent = [alert("critical", AlertStatus::Firing), person(roll_back), Input::Tick];
        let others = [
            alert("critical", AlertStatus::Resolved),
            alert("warning", AlertStatus::Firing),
            alert("warning", AlertStatus::Resolved),
            person(resume),
        ];
        for (held, all, what_is_urgent) in [
            (0, true, true),
            (19_999, true, true),
            (20_000, false, true),
            (39_999, false, true),
            (40_000, false, false),
        ] {
            for input in &urgent {
                assert_eq!(has_room(held, [input].into_iter()), what_is_urgent, "{held} {input:?}");
            }
            for input in &others {
                assert_eq!(has_room(held, [input].into_iter()), all, "{held} {input:?}");
            }
            let storm = others.iter().chain(&urgent);
            assert_eq!(has_room(held, storm), what_is_urgent, "one of a storm decides for all of it");
        }
    }
}
