//! The protocol's lines, and hostile text in every member.

use serde_json::Value;

use super::*;
use crate::evidence::directory::tests::{at, finished, incident};
use crate::incident::{
    Answer, Attempt, Check, CheckName, CheckOutcome, Event, Reason, Share, Step, StepOutcome, Trigger,
};

/// What a hostile text tries: to end the line and forge the next, to steer a terminal, to reorder.
const HOSTILE: &str =
    "x\nTriggered By: Manual (the boss)\r\n== Steps\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\u{85}\u{7}";

/// An incident with something in every list.
fn full() -> Incident {
    let mut incident = incident(1, "CanaryErrorRateCritical", Trigger::Manual { actor: "ada".to_owned() });
    let attempt = Attempt {
        started_at: at(),
        ended_at: at(),
        request: "POST http://flags/rollout".to_owned(),
        answer: Answer { status: Some(503), text: "busy".to_owned() },
        read_back: Some(Share(25)),
        observed: None,
        read_failed: false,
        outcome: StepOutcome::Failed,
    };
    let step = StepRecord {
        step: Step::TrafficOff,
        started_at: at(),
        ended_at: at(),
        attempts: vec![attempt],
        outcome: StepOutcome::Done,
        share_before: Some(Share(25)),
        decided_at: None,
    };
    let alert: Alert = serde_json::from_value(serde_json::json!({
        "fingerprint": "00000000000000aa", "status": "firing", "starts_at": at(),
        "labels": { "alertname": "PgBouncerSaturation", "pod": "a" },
        "annotations": { "summary": "slow" }, "generator_url": "http://prometheus/graph",
    }))
    .expect("an alert");
    let attached = AttachedAlert { alert, received_at: at(), reason: Reason::RollbackRunning, body: None };
    let further = Cause { words: "me too".to_owned(), reason: Reason::Manual, ..incident.cause() };
    let check =
        Check { name: CheckName::Metrics, outcome: CheckOutcome::Unknown, detail: "no answer".to_owned() };
    for event in [
        Event::StepEnded(step),
        Event::AlertAttached(attached),
        Event::CauseAdded(further),
        Event::SnapshotTaken { when: SnapshotPoint::Before, body: None, error: Some("no answer".to_owned()) },
        Event::NoticeRaised {
            kind: crate::incident::NoticeKind::RollbackStarted,
            text: "begun".to_owned(),
            id: None,
            fact: None,
            stage: None,
            share: None,
            to: Vec::new(),
        },
        Event::Acknowledged { actor: "bob".to_owned() },
    ] {
        incident.apply(at(), &event);
    }
    let mut incident = finished(incident);
    incident.verification.as_mut().expect("verified").checks.push(check);
    incident
}

/// Every text in a JSON value, and what may be put in its place.
fn texts(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(path.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| texts(item, &format!("{path}/{index}"), found));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, item)| texts(item, &format!("{path}/{name}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn hostile_text_in_any_member_of_an_incident_forges_no_line_and_leaves_no_control_character() {
    let stored = serde_json::to_value(full()).expect("JSON");
    let honest = render_text(&full(), Version::Complete, &[]);
    let mut members = Vec::new();
    texts(&stored, "", &mut members);
    let mut taken = Vec::new();
    for member in members {
        let mut hostile = stored.clone();
        *hostile.pointer_mut(&member).expect("there") = HOSTILE.into();
        // Times and names of a closed list refuse it: nothing foreign gets in there.
        let Ok(incident) = serde_json::from_value::<Incident>(hostile) else { continue };
        let text = render_text(&incident, Version::Complete, &[]);
        assert!(
            !text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}' || c == '\u{2028}')),
            "{member}\n{text}"
        );
        assert_eq!(text.lines().count(), honest.lines().count(), "{member}\n{text}");
        for start in ["Triggered By:", "== Steps", "Reason:", "Rollback Executed:"] {
            let count = text.lines().filter(|line| line.trim_start().starts_with(start)).count();
            assert_eq!(count, 1, "{start} after {member}\n{text}");
        }
        taken.push(member);
    }
    for member in
        ["/rollout", "/id", "/opened/cause", "/causes/0/words", "/alerts", "/notes", "/acknowledged_by"]
    {
        assert!(taken.iter().any(|taken| taken.starts_with(member)), "{member} was not tried: {taken:#?}");
    }
}

#[test]
fn the_lines_name_the_rollbacks_cause_the_further_ones_and_how_old_the_share_was() {
    let text = render_text(&full(), Version::Complete, &[]);
    for expected in [
        "\nReason: CanaryErrorRateCritical\nTriggered By: Manual (ada)\nAlso: me too, Manual (ada) (A person asked for it.), ",
        "\nShare It Rested On: 25 %",
        "\n- take the traffic off the canary: done, and read back as wanted (1 attempt); ",
        "\n- the application's metrics: not known: no answer\n",
        "\nAcknowledged By: bob\n",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    assert!(!text.contains("Done") && !text.contains("step_ended"), "{text}");
}

#[test]
fn a_grace_that_a_critical_ended_did_not_end_in_the_future() {
    let mut incident = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    let planned = incident.rollback_started_at.expect("begun") + chrono::TimeDelta::minutes(4);
    incident.grace_ends_at = Some(planned);
    let text = render_text(&incident, Version::written(false, at()), &[]);
    let line = text.lines().find(|line| line.starts_with("Grace Ended: ")).expect("a line");
    let begun = time(incident.rollback_started_at.expect("begun"));
    assert_eq!(line, format!("Grace Ended: {begun}, before its time, which was {}", time(planned)));
    incident.rollback_started_at = Some(planned);
    assert!(
        render_text(&incident, Version::written(false, at()), &[])
            .contains(&format!("Grace Ended: {}\n", time(planned)))
    );
}

#[test]
fn a_step_whose_end_was_never_recorded_is_not_called_none() {
    let mut incident = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    let steps = |incident: &Incident| {
        let text = render_text(incident, Version::written(incident.phase.is_closed(), at()), &[]);
        text.lines().skip_while(|line| *line != "== Steps").nth(1).expect("a line").to_owned()
    };
    assert!(
        steps(&incident).ends_with(" had not ended when this was written: its requests are not listed here"),
        "{}",
        steps(&incident)
    );
    incident.apply(at(), &Event::Superseded { by: crate::incident::Revision::new("v1.5.0") });
    assert!(steps(&incident).contains("requests MAY HAVE BEEN SENT"), "{}", steps(&incident));
}

#[test]
fn evidence_that_is_never_completed_says_as_of_when_it_was_written() {
    let mut incident = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    let until = at() + chrono::TimeDelta::seconds(3);
    incident.apply(at(), &Event::VerificationStarted { until });
    let first = render_text(&incident, Version::First { at: Some(at()) }, &[]);
    let id = incident.id.to_string();
    for expected in [
        "\nState at 2026-11-04T03:04:05.678Z: verifying until 2026-11-04T03:04:08Z at the latest that the traffic is off\n",
        "\nVerdict: none when this was written\n",
        "\nClosed: not when this was written\n",
        "\nAcknowledged By: nobody when this was written\n",
        &format!("; what came since: backstop incident show {id}\n"),
    ] {
        assert!(first.contains(expected), "{expected} in\n{first}");
    }
    assert!(!first.contains(" yet"), "{first}");
    let undated = render_text(&incident, Version::First { at: None }, &[]);
    assert!(undated.contains("\nState when this was written: verifying"), "{undated}");
    let complete = render_text(&finished(incident), Version::Complete, &[]);
    assert!(complete.contains("\nState: rolled back"), "{complete}");
}

#[test]
fn a_share_that_could_not_be_read_back_is_said_to_be_unconfirmed_with_the_reason() {
    let mut incident = full();
    let mut step = incident.steps.last().expect("a step").clone();
    step.outcome = StepOutcome::DoneUnread;
    step.attempts[0].outcome = StepOutcome::DoneUnread;
    step.attempts[0].read_back = None;
    step.attempts[0].read_failed = true;
    step.attempts[0].answer.text = "ok; read-back failed: no share".to_owned();
    incident.apply(at(), &Event::StepEnded(step));
    let text = render_text(&incident, Version::Complete, &[]);
    for expected in [
        "answer 2026-11-04T03:04:05.678Z 503: ok; read-back failed: no share\n",
        "read back: it could not be read; acknowledged, but NOT confirmed: it could not be read back\n",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    assert!(!text.contains("nowhere to read"), "{text}");
}

#[test]
fn a_step_that_began_long_after_its_decision_does_not_hide_what_an_earlier_process_may_have_sent() {
    let step = full().steps.last().expect("a step").clone();
    let text_of_step_begun_after = |milliseconds| {
        let mut incident = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
        let started_at = at() + chrono::TimeDelta::milliseconds(milliseconds);
        let step = StepRecord { started_at, share_before: Some(Share::ZERO), ..step.clone() };
        incident.apply(at(), &Event::StepEnded(step));
        render_text(&incident, Version::Complete, &[])
    };
    let again = text_of_step_begun_after(2_024);
    for expected in [
        "(1 attempt); the canary had no traffic any more when this began; it began 2 s after it was decided on: what an \
         earlier process may have sent before it ended is not listed here, and may have taken the traffic off",
        "\n  just before the first request that is listed here the canary had 0 %\n",
    ] {
        assert!(again.contains(expected), "{expected} in\n{again}");
    }
    let at_once = text_of_step_begun_after(600);
    assert!(!at_once.contains("earlier process"), "{at_once}");
    assert!(at_once.contains("\n  just before the first request the canary had 0 %\n"), "{at_once}");
}
