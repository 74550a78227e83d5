//! What a state remembers, for how long, and that it is the same when it is read back.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Command, Confirmation, Input, Request};
use crate::incident::{Event, Reason, RolloutState, SnapshotPoint, StoredAs};

fn is_read_back(state: &RolloutState) {
    let text = serde_json::to_string(state).expect("JSON");
    assert_eq!(serde_json::from_str::<RolloutState>(&text).expect("read"), *state);
}

#[test]
fn a_state_with_everything_in_it_is_read_back_as_it_was() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.person(Request::Hold { incident: world.id(), until: None });
    world.critical("ErrorRate");
    is_read_back(&world.state);
    world.finish();
    world.wait(100);
    assert_eq!(world.critical("Waits"), Some(Reason::ShareUnread));
    assert!(!world.state.triage.is_empty() && world.state.incident.is_some());
    is_read_back(&world.state);
}

#[test]
fn a_rollback_whose_evidence_is_not_complete_is_remembered_beside_the_next_incident() {
    for complete in [false, true] {
        let mut world = World::with_canary();
        world.critical("ErrorRate");
        world.finish();
        let first = world.id();
        for when in [SnapshotPoint::Before, SnapshotPoint::After] {
            let body = Err("nowhere".to_owned());
            world.send(&Input::Snapshot { incident: first.clone(), when, body });
        }
        let (files, problems) = (Vec::new(), Vec::new());
        world.send(&Input::EvidenceWritten { incident: first.clone(), complete, files, problems });
        world.wait(60);
        world.resolve("ErrorRate");
        world.share(25);
        world.warning("Latency");
        assert_ne!(world.id(), first);
        assert_eq!(world.state.unfinished.contains_key(&first), !complete, "{complete}");
        let asks = |world: &World| {
            world.due().iter().any(
                |command| matches!(command, Command::WriteEvidence { incident, .. } if *incident == first),
            )
        };
        assert_eq!(asks(&world), !complete);
    }
    // Without a rollback there is no evidence to complete.
    let mut world = World::with_canary();
    world.warning("Latency");
    world.resolve("Latency");
    world.confirm(Confirmation::Gone);
    world.warning("Slow");
    assert!(world.state.unfinished.is_empty());
}

#[test]
fn an_alert_is_answered_by_an_incident_that_has_closed_and_by_no_other() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    assert_eq!(world.state.answered_until, None);
    world.wait(5);
    world.finish();
    assert_eq!(world.state.answered_until, Some(world.now));
    let ended_at = world.now;
    world.wait(5);
    world.person(Request::Acknowledge { incident: world.id() });
    assert_eq!(world.state.answered_until, Some(ended_at), "nothing has ended by it");
}

#[test]
fn a_state_says_when_it_was_last_stored_and_whether_it_remembers_any_time() {
    let mut world = World::with_canary();
    let read_at = world.now;
    assert_eq!(world.state.last_stored_at(), Some(read_at));
    world.wait(30);
    world.warning("Latency");
    assert_eq!(world.state.last_stored_at(), Some(world.now));

    assert_eq!(RolloutState::default().last_stored_at(), None);
    assert!(!RolloutState::default().remembers_times());
    let full = world.state;
    let empty = RolloutState::default;
    for state in [
        RolloutState { incident: full.incident.clone(), ..empty() },
        RolloutState { run: full.run.clone(), ..empty() },
        RolloutState { share_at: full.share_at, ..empty() },
        RolloutState {
            rollbacks: [(read_at, full.run.expect("a run").revision.expect("a revision"))].into(),
            ..empty()
        },
    ] {
        assert!(state.remembers_times(), "{state:?}");
    }
}

#[test]
fn a_snapshot_is_replaced_by_another_of_the_same_moment_only() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    let taken = |world: &World| {
        world.incident().snapshots.iter().map(|(when, _, error)| (*when, error.clone())).collect::<Vec<_>>()
    };
    for (when, error) in
        [(SnapshotPoint::Before, "one"), (SnapshotPoint::After, "two"), (SnapshotPoint::Before, "three")]
    {
        let body = Err(error.to_owned());
        world.send(&Input::Snapshot { incident: world.id(), when, body });
    }
    let expected =
        [(SnapshotPoint::After, Some("two".to_owned())), (SnapshotPoint::Before, Some("three".to_owned()))];
    assert_eq!(taken(&world), expected);
}

#[test]
fn every_decision_is_noted_with_its_reason_and_the_cause_in_words() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.person(Request::RollBack { reason: "it smells".to_owned(), stage: None });
    let notes: Vec<_> = world.incident().notes.iter().map(|note| (note.reason, note.text.clone())).collect();
    let noted =
        |reason, words: &str| notes.iter().any(|(of, text)| *of == Some(reason) && text.contains(words));
    assert!(noted(Reason::CriticalAlert, "the rollback begins, for ErrorRate"), "{notes:?}");
    assert!(noted(Reason::Manual, "a further cause: ada in person: it smells"), "{notes:?}");
}

#[test]
fn the_clock_that_was_set_moves_what_alerts_are_compared_with() {
    let mut world = World::with_canary();
    world.not_before = Some(world.now - TimeDelta::seconds(20));
    world.warning("Latency");
    let known = |world: &World| {
        let known = world.state.alerts.values().next().expect("one");
        (known.not_before, known.first_reported_at)
    };
    let (not_before, reported_at) = known(&world);
    let by = TimeDelta::seconds(-600);
    let stored = StoredAs {
        at: world.now,
        rollout: crate::incident::RolloutName::new("spark-trading"),
        incident: None,
        event: Event::ClockStepped { by_milliseconds: by.num_milliseconds() },
    };
    world.state.apply(&stored);
    assert_eq!(known(&world), (not_before.map(|at| at + by), reported_at.map(|at| at + by)));
}
