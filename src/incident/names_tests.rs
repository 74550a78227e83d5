//! What has a name and words: the name is the stored one, and no two share their words.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, to_value};

use super::fixtures::{firing, opened_by_warning};
use super::words::time;
use super::{
    Answer, AttachedAlert, Attempt, BlobRef, CheckName, CheckOutcome, Event, Incident, IncidentId, Labels,
    NoticeKind, Reason, RolloutName, SnapshotPoint, Stage, Step, StepOutcome, StepRecord, Verdict,
};

const CHECKS: [CheckName; 6] = [
    CheckName::TrafficShare,
    CheckName::StablePods,
    CheckName::StableVersion,
    CheckName::AlertExpression,
    CheckName::CanaryRequests,
    CheckName::Metrics,
];
const OUTCOMES: [CheckOutcome; 5] = [
    CheckOutcome::Pass,
    CheckOutcome::Fail,
    CheckOutcome::Unknown,
    CheckOutcome::NotConfigured,
    CheckOutcome::Gone,
];
const VERDICTS: [Verdict; 3] = [Verdict::Verified, Verdict::NotVerified, Verdict::Inconclusive];
const STEP_OUTCOMES: [StepOutcome; 5] = [
    StepOutcome::Done,
    StepOutcome::DoneUnread,
    StepOutcome::NotEffective,
    StepOutcome::Failed,
    StepOutcome::Unknown,
];

fn step(outcome: StepOutcome) -> StepRecord {
    let (started_at, ended_at) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
    StepRecord {
        step: Step::TrafficOff,
        started_at,
        ended_at,
        attempts: Vec::new(),
        outcome,
        share_before: None,
        decided_at: None,
    }
}

fn attached(body: Option<BlobRef>) -> AttachedAlert {
    let alert = firing("f", &[], DateTime::UNIX_EPOCH);
    AttachedAlert { alert, received_at: DateTime::UNIX_EPOCH, reason: Reason::WarningAlert, body }
}

#[test]
fn a_name_in_logs_and_evidence_is_the_one_that_is_stored() {
    let names = [
        (to_value(Step::TrafficOff), Step::TrafficOff.as_str()),
        (to_value(SnapshotPoint::Before), SnapshotPoint::Before.as_str()),
        (to_value(SnapshotPoint::After), SnapshotPoint::After.as_str()),
    ];
    let checks = CHECKS.map(|check| (to_value(check), check.as_str()));
    let outcomes = OUTCOMES.map(|outcome| (to_value(outcome), outcome.as_str()));
    let verdicts = VERDICTS.map(|verdict| (to_value(verdict), verdict.as_str()));
    for (stored, name) in names.into_iter().chain(checks).chain(outcomes).chain(verdicts) {
        assert_eq!(stored.expect("JSON"), Value::from(name));
    }
    for event in
        [Event::WatchdogBack, Event::TriageEnded, Event::RolledBack, Event::CauseAdded(opened_cause())]
    {
        assert_eq!(to_value(&event).expect("JSON")["type"], Value::from(event.name()));
    }
    assert_eq!(to_value(Stage::from_share(25)).expect("JSON"), Value::from(3));
}

fn opened_cause() -> super::Cause {
    opened().cause()
}

fn opened() -> Incident {
    let at = DateTime::UNIX_EPOCH;
    let share = Some(super::Share(25));
    let opened = super::OpenedIncident { share, alert: Some(attached(None)), ..opened_by_warning("Latency") };
    Incident::open(IncidentId::new("i"), RolloutName::new("r"), at, opened)
}

#[test]
fn no_two_words_for_people_are_the_same() {
    let distinct = |words: Vec<String>| {
        let set: BTreeSet<_> = words.iter().filter(|words| !words.is_empty()).collect();
        assert_eq!(set.len(), words.len(), "{words:?}");
    };
    distinct(CHECKS.iter().map(|check| check.words().to_owned()).collect());
    distinct(OUTCOMES.iter().map(|outcome| outcome.words().to_owned()).collect());
    distinct(VERDICTS.iter().map(|verdict| verdict.sentence().to_owned()).collect());
    distinct(STEP_OUTCOMES.iter().map(|outcome| step(*outcome).sentence()).collect());
}

#[test]
fn a_step_and_a_time_are_said_in_full() {
    let sentence = step(StepOutcome::Done).sentence();
    assert_eq!(sentence, "take the traffic off the canary: done, and read back as wanted (0 attempts)");
    let later = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(61_500);
    assert_eq!(time(later), "1970-01-01T00:01:01Z");
}

#[test]
fn a_step_whose_read_back_failed_is_not_said_to_have_nowhere_to_be_read() {
    for (outcome, read_failed, words) in [
        (StepOutcome::DoneUnread, true, "acknowledged, but NOT confirmed: it could not be read back"),
        (StepOutcome::DoneUnread, false, "acknowledged; there is nowhere to read it back"),
        (StepOutcome::Failed, true, "not carried out"),
    ] {
        let attempt = Attempt {
            started_at: DateTime::UNIX_EPOCH,
            ended_at: DateTime::UNIX_EPOCH,
            request: "POST".to_owned(),
            answer: Answer { status: None, text: String::new() },
            read_back: None,
            observed: None,
            read_failed,
            outcome,
        };
        assert_eq!(attempt.words(), words);
        let step = StepRecord { attempts: vec![attempt], ..step(outcome) };
        assert_eq!(step.sentence(), format!("take the traffic off the canary: {words} (1 attempt)"));
    }
}

#[test]
fn a_step_that_begins_over_a_second_and_a_half_after_its_decision_was_begun_before() {
    for (late_milliseconds, is_late) in
        [(0, false), (1_499, false), (1_500, false), (1_501, true), (9_000, true)]
    {
        let late = TimeDelta::milliseconds(late_milliseconds);
        let step = step(StepOutcome::Done);
        let step = StepRecord { decided_at: Some(step.started_at - late), ..step };
        assert_eq!(step.begun_late_by(), is_late.then_some(late), "{late_milliseconds}");
    }
    assert_eq!(step(StepOutcome::Done).begun_late_by(), None);
}

#[test]
fn somebody_is_woken_for_what_needs_a_person_and_for_nothing_else() {
    let all = [
        (NoticeKind::GraceOpened, false),
        (NoticeKind::RollbackStarted, true),
        (NoticeKind::WouldRollBack, false),
        (NoticeKind::RollbackEnded, false),
        (NoticeKind::RollbackNotVerified, true),
        (NoticeKind::RollbackFailed, true),
        (NoticeKind::RollbackOverdue, true),
        (NoticeKind::RollbackWaits, true),
        (NoticeKind::GraceCancelled, false),
        (NoticeKind::GraceHeld, false),
        (NoticeKind::IncidentSuperseded, false),
        (NoticeKind::IncidentClosed, false),
        (NoticeKind::EvidenceProblem, false),
        (NoticeKind::RampRecordProblem, false),
        (NoticeKind::RepeatedRollback, true),
        (NoticeKind::WatchdogLost, true),
        (NoticeKind::WatchdogBack, false),
    ];
    for (kind, pages) in all {
        assert_eq!(kind.pages(), pages, "{kind}");
    }
}

#[test]
fn bytes_that_an_event_refers_to_are_named_by_it() {
    let blob = || BlobRef { sha256: "a".repeat(64), bytes: 1 };
    let opened =
        super::OpenedIncident { alert: Some(attached(Some(blob()))), ..opened_by_warning("Latency") };
    for event in [
        Event::IncidentOpened(opened),
        Event::TriageStarted { alert: attached(Some(blob())) },
        Event::AlertAttached(attached(Some(blob()))),
        Event::SnapshotTaken { when: SnapshotPoint::Before, body: Some(blob()), error: None },
    ] {
        assert_eq!(event.blob(), Some(&blob()), "{}", event.name());
    }
    assert_eq!(Event::RolledBack.blob(), None);
}

#[test]
fn an_incident_knows_its_share_and_which_alerts_it_carries() {
    let incident = opened();
    assert_eq!(incident.share(), Some(super::Share(25)));
    assert!(incident.carries(&super::Fingerprint::new("f")));
    assert!(!incident.carries(&super::Fingerprint::new("another")));
}

#[test]
fn labels_are_the_pairs_that_they_were_made_of() {
    let pairs = std::collections::BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    let labels = Labels::from(pairs.clone());
    assert_eq!(*labels, pairs);
    assert_eq!((&labels).into_iter().collect::<Vec<_>>(), pairs.iter().collect::<Vec<_>>());
}
