//! Since when, until when.

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::fixtures::{firing, opened_by_warning};
use crate::incident::{
    Alert, Answer, AttachedAlert, Attempt, Cause, Check, CheckName, CheckOutcome, Event, Incident,
    IncidentId, OpenedIncident, Reaction, Reason, RolloutName, Severity, Share, Step, StepOutcome,
    StepRecord, Trigger, Verdict, Verification,
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000_000 + seconds)
}

fn attached(name: &str, severity: &str, started: i64, received: i64, reason: Reason) -> AttachedAlert {
    let alert = firing(name, &[("alertname", name), ("severity", severity)], at(started));
    AttachedAlert { alert, received_at: at(received), reason, body: None }
}

fn caused_by(alert: &Alert, seconds: i64) -> Cause {
    let opened = OpenedIncident {
        alert: Some(attached(alert.name(), "critical", 0, 0, Reason::CriticalAlert)),
        ..opened_by_warning(alert.name())
    };
    Cause::of_opening(&opened, at(seconds))
}

fn opened(alert: AttachedAlert) -> Incident {
    let opened = OpenedIncident { reason: alert.reason, alert: Some(alert), ..opened_by_warning("Latency") };
    Incident::open(IncidentId::new("i"), RolloutName::new("r"), at(2), opened)
}

fn started(cause: Option<Cause>) -> Event {
    Event::RollbackStarted { reason: Reason::CriticalAlert, attempt: 1, due_at: None, cause, plan: None }
}

fn step(seconds: i64, outcome: StepOutcome, read_back: Option<u8>) -> Event {
    let attempt = Attempt {
        started_at: at(seconds),
        ended_at: at(seconds + 1),
        request: String::new(),
        answer: Answer { status: Some(200), text: String::new() },
        read_back: read_back.map(Share),
        observed: None,
        read_failed: false,
        outcome,
    };
    Event::StepEnded(StepRecord {
        step: Step::TrafficOff,
        started_at: at(seconds),
        ended_at: at(seconds + 2),
        attempts: vec![attempt],
        outcome,
        share_before: None,
        decided_at: None,
    })
}

fn verified(seconds: i64, share: CheckOutcome) -> Event {
    let check = Check { name: CheckName::TrafficShare, outcome: share, detail: String::new() };
    Event::VerificationEnded(Verification {
        started_at: at(seconds),
        ended_at: at(seconds),
        verdict: Verdict::Verified,
        checks: vec![check],
    })
}

#[test]
fn a_reaction_counts_from_the_causes_alert_over_the_first_acknowledgement_to_the_verdict() {
    let mut incident = opened(attached("Latency", "warning", 0, 2, Reason::WarningAlert));
    let critical = attached("Errors", "critical", 60, 61, Reason::CriticalAlert);
    incident.apply(at(61), &Event::AlertAttached(critical.clone()));
    for (seconds, event) in [
        (61, started(Some(caused_by(&critical.alert, 61)))),
        (64, step(62, StepOutcome::Failed, None)),
        (72, step(70, StepOutcome::Done, Some(0))),
        (92, step(90, StepOutcome::Done, Some(0))),
        (95, verified(95, CheckOutcome::Pass)),
    ] {
        incident.apply(at(seconds), &event);
    }
    let expected = Reaction {
        severity: Some(Severity::Critical),
        started_at: Some(at(60)),
        received_at: Some(at(61)),
        rollback_started_at: Some(at(61)),
        traffic_off_at: Some(at(71)),
        read_off_at: Some(at(92)),
        verdict_at: Some(at(95)),
    };
    assert_eq!(incident.reaction(), expected);
    // It flaps once the canary's series vanish; that is no later beginning of what was acted upon.
    let again = attached("Errors", "critical", 100, 101, Reason::RollbackRunning);
    incident.apply(at(101), &Event::AlertAttached(again));
    assert_eq!(incident.reaction().started_at, None, "better not known than wrong");
}

#[test]
fn what_was_not_read_as_off_by_the_step_may_be_by_the_verification() {
    let mut incident = opened(attached("Errors", "critical", 0, 2, Reason::CriticalAlert));
    incident.apply(at(2), &started(None));
    incident.apply(at(5), &step(3, StepOutcome::DoneUnread, None));
    assert_eq!((incident.reaction().traffic_off_at, incident.reaction().read_off_at), (Some(at(4)), None));
    incident.apply(at(9), &verified(9, CheckOutcome::Unknown));
    assert_eq!(incident.reaction().read_off_at, None);
    incident.apply(at(19), &verified(19, CheckOutcome::Pass));
    assert_eq!(incident.reaction().read_off_at, Some(at(19)));
}

#[test]
fn a_start_that_is_not_the_troubles_is_no_start() {
    for reason in [Reason::OlderThanCanary, Reason::OlderThanResolve, Reason::MissedWhileDown] {
        let incident = opened(attached("Errors", "critical", -9_000, 2, reason));
        assert_eq!(incident.reaction(), Reaction::default(), "{reason}");
    }
    let mut by_hand = opened(attached("Latency", "warning", 0, 2, Reason::WarningAlert));
    let cause = Cause {
        trigger: Trigger::Manual { actor: "ada".to_owned() },
        alert: None,
        ..caused_by(&by_hand.alerts[0].alert, 30)
    };
    by_hand.apply(at(30), &started(Some(cause)));
    let reaction = by_hand.reaction();
    assert_eq!((reaction.started_at, reaction.severity), (None, None), "a person is the cause");
    assert_eq!(reaction.received_at, Some(at(30)));
}
