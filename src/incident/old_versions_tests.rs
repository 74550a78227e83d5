//! What older versions stored folds for ever.

use super::{Event, Incident, IncidentId, Phase, Reason, RolloutName, RolloutState, StoredAs, Trigger};

/// Events as version 0.1.0 wrote them before rollbacks had a cause of their own.
const EVENTS: &str = r#"
{"at":"2026-11-24T03:00:00Z","rollout":"r","event":{"type":"share_read","share":25,"changed_after":null}}
{"at":"2026-11-24T03:00:01Z","rollout":"r","incident":"r-20261124-030001-0a0b","event":{"type":"incident_opened","revision":"v1.4.0","stage":3,"share":25,"severity":"critical","reason":"manual","cause":"by hand","trigger":{"kind":"manual","actor":"ada"},"alert":null}}
{"at":"2026-11-24T03:00:01Z","rollout":"r","incident":"r-20261124-030001-0a0b","event":{"type":"rollback_started","reason":"manual","attempt":1}}
{"at":"2026-11-24T03:00:02Z","rollout":"r","incident":"r-20261124-030001-0a0b","event":{"type":"failed","reason":"step_failed","detail":"no","retry_at":"2026-11-24T03:00:17Z"}}
"#;

/// A fold as version 0.1.0 saved it.
const SAVED: &str = r#"{"alerts":{},"triage":[],"share":25,"share_at":"2026-11-24T03:00:00Z","run":{"started_at":null},
"incident":{"id":"r-20261124-030001-0a0b","rollout":"r","opened":{"revision":"v1.4.0","stage":3,"share":25,"severity":"critical","reason":"manual","cause":"by hand","trigger":{"kind":"manual","actor":"ada"},"alert":null},
"opened_at":"2026-11-24T03:00:01Z","closed_at":null,"phase":{"state":"failed","reason":"step_failed","attempt":1,"retry_at":"2026-11-24T03:00:17Z"},"severity":"critical","grace_ends_at":null,
"rollback_started_at":"2026-11-24T03:00:01Z","rollback_due_at":null,"alerts":[],"steps":[],"verification":null,"evidence":[],"evidence_complete":false,"snapshots":[],
"notices":[["2026-11-24T03:00:01Z","rollback_started","rolling back"]],"acknowledged_by":null,"notes":[{"at":"2026-11-24T03:00:01Z","event":"incident_opened","reason":"manual","text":"by hand"}]},
"unfinished_evidence":{},"answered_until":null,"rollbacks":[["2026-11-24T03:00:01Z","v1.4.0"]],"watchdog_lost":false}"#;

fn is_as_it_was(incident: &Incident) {
    let cause = incident.cause();
    assert_eq!((cause.words.as_str(), cause.reason), ("by hand", Reason::Manual));
    assert_eq!(cause.trigger, Trigger::Manual { actor: "ada".to_owned() });
    assert_eq!(incident.stage().map(super::Stage::number), Some(3));
    assert!(
        matches!(incident.phase, Phase::Failed { retry_at: Some(_), attempt: 1, .. }),
        "{:?}",
        incident.phase
    );
}

#[test]
fn events_from_before_rollbacks_had_a_cause_fold_with_the_openings() {
    let mut state = RolloutState::default();
    for line in EVENTS.lines().filter(|line| !line.is_empty()) {
        state.apply(&serde_json::from_str::<StoredAs>(line).expect(line));
    }
    is_as_it_was(state.incident.as_deref().expect("an incident"));
    assert_eq!(state.last_number, Some(0x0a0b));
    assert_eq!(state.run.and_then(|run| run.revision), None);
}

#[test]
fn a_fold_saved_by_an_older_version_is_understood() {
    let state: RolloutState = serde_json::from_str(SAVED).expect("understood");
    let incident = state.incident.as_deref().expect("an incident");
    is_as_it_was(incident);
    assert_eq!((incident.notices.len(), incident.notes.len()), (1, 1));
}

#[test]
fn what_a_rollback_began_for_outlives_being_stored() {
    let at = "2026-11-24T03:00:00Z".parse().expect("a time");
    let cause = super::Cause {
        at,
        reason: Reason::CriticalAlert,
        trigger: Trigger::Automatic,
        words: "ErrorRate".to_owned(),
        alert: None,
        stage: None,
        share: None,
        share_read_at: None,
    };
    let event = Event::RollbackStarted {
        reason: cause.reason,
        attempt: 1,
        due_at: None,
        cause: Some(cause),
        plan: None,
    };
    let incident = Some(IncidentId::new("i"));
    let stored = StoredAs { at, rollout: RolloutName::new("r"), incident, event };
    let text = serde_json::to_string(&stored).expect("serialised");
    assert_eq!(serde_json::from_str::<StoredAs>(&text).expect("read"), stored);
}
