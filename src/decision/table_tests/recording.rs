//! Snapshots and evidence: asked for in their time, beside the action, and once.

use chrono::{DateTime, TimeDelta, Utc};

use crate::decision::world::World;
use crate::decision::{Command, Input, due};
use crate::incident::{CheckOutcome, EvidenceFile, SnapshotPoint, Step, StepOutcome, Verdict};

impl World {
    fn snapshot(&self, when: SnapshotPoint) -> Command {
        Command::Snapshot { incident: self.id(), when }
    }

    fn evidence(&self, complete: bool) -> Command {
        Command::WriteEvidence { incident: self.id(), complete }
    }

    fn step_command(&self) -> Command {
        Command::RunStep { incident: self.id(), attempt: 1, step: Step::TrafficOff }
    }

    fn record_snapshot(&mut self, when: SnapshotPoint) {
        let body = Err("no metrics_url is configured".to_owned());
        self.send(&Input::Snapshot { incident: self.id(), when, body });
    }

    fn record_evidence(&mut self, complete: bool) {
        let files =
            vec![EvidenceFile { name: "incident.txt".to_owned(), sha256: "0".repeat(64), directory: None }];
        self.send(&Input::EvidenceWritten { incident: self.id(), complete, files, problems: Vec::new() });
    }

    fn next(&self) -> Option<DateTime<Utc>> {
        due(&self.state, &self.policy, self.now).next
    }
}

#[test]
fn a_rollback_acts_and_is_recorded_at_once_and_its_evidence_begins_within_a_second() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    assert_eq!(world.due(), [world.step_command(), world.snapshot(SnapshotPoint::Before)]);
    assert_eq!(world.next(), Some(world.now + TimeDelta::milliseconds(800)), "a step that hangs");
    world.record_snapshot(SnapshotPoint::Before);
    assert_eq!(world.due(), [world.step_command()]);
    world.now += TimeDelta::milliseconds(799);
    assert_eq!(world.due(), [world.step_command()]);
    world.now += TimeDelta::milliseconds(1);
    assert_eq!(world.due(), [world.step_command(), world.evidence(false)]);
    world.record_evidence(false);
    assert_eq!(world.due(), [world.step_command()]);
}

#[test]
fn a_clock_that_is_set_back_puts_no_evidence_off() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.now -= TimeDelta::hours(2);
    world.send(&Input::ClockStepped { by: TimeDelta::hours(-2) });
    assert!(world.due().contains(&world.evidence(false)));
}

#[test]
fn a_step_is_recorded_with_the_time_of_the_decision_that_it_carries_out() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    let decided_at = world.now;
    world.wait(7);
    world.step(StepOutcome::Failed);
    assert_eq!(world.incident().steps[0].decided_at, Some(decided_at));
    world.wait(15);
    world.send(&Input::Tick);
    let again_at = world.now;
    world.wait(1);
    world.step(StepOutcome::Done);
    assert_eq!(world.incident().steps[1].decided_at, Some(again_at));
}

#[test]
fn evidence_waits_for_no_time_once_the_step_has_ended_and_is_completed_after_the_last_snapshot() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Done);
    assert!(world.due().contains(&world.evidence(false)));
    world.record_evidence(false);
    world.record_snapshot(SnapshotPoint::Before);
    assert!(!world.due().iter().any(|command| matches!(command, Command::Snapshot { .. })), "not over yet");
    world.share(0);
    world.verify(Verdict::Verified, CheckOutcome::Pass);
    assert_eq!(world.due(), [world.snapshot(SnapshotPoint::After)]);
    world.record_snapshot(SnapshotPoint::After);
    assert_eq!(world.due(), [world.evidence(true)]);
    world.record_evidence(true);
    assert_eq!((world.due(), world.next()), (Vec::new(), None));
}

#[test]
fn evidence_of_a_rollback_that_is_over_at_once_is_completed_when_both_snapshots_are_there() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Done);
    world.record_evidence(false);
    world.share(0);
    world.verify(Verdict::Verified, CheckOutcome::Pass);
    world.record_snapshot(SnapshotPoint::After);
    assert_eq!(world.due(), [world.snapshot(SnapshotPoint::Before)], "it is still being taken");
    world.record_snapshot(SnapshotPoint::Before);
    assert_eq!(world.due(), [world.evidence(true)]);
}

#[test]
fn what_is_wrong_with_the_evidence_is_reported_and_what_is_well_is_not() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Done);
    world.record_evidence(false);
    assert!(!world.notices().contains(&"evidence_problem"));
    let problems = vec!["the folder hangs".to_owned(), "two files are gone".to_owned()];
    let incident = world.id();
    world.send(&Input::EvidenceWritten { incident, complete: false, files: Vec::new(), problems });
    let last = world.incident().notices.last().cloned().expect("a notice");
    let (kind, text) = (last.kind, last.sentence());
    assert_eq!((kind.as_str(), text.as_str()), ("evidence_problem", "the folder hangs; two files are gone"));
}

#[test]
fn what_led_to_no_rollback_has_no_snapshots_and_no_evidence() {
    let mut world = World::with_canary();
    world.warning("Latency");
    assert_eq!(world.due(), []);
    world.share(0);
    world.critical("ErrorRate");
    assert_eq!((world.phase(), world.due()), ("cancelled", Vec::new()));
}

#[test]
fn only_a_step_acts_and_every_command_says_for_which_incident_it_is() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    let (id, at) = (world.id(), world.now);
    for (command, acts, of_incident) in [
        (Command::ReadShare, false, false),
        (Command::Tick, false, false),
        (world.step_command(), true, true),
        (Command::Verify { incident: id.clone(), attempt: 1, since: at, until: at }, false, true),
        (Command::Confirm { incident: id.clone() }, false, true),
        (world.snapshot(SnapshotPoint::Before), false, true),
        (world.evidence(true), false, true),
    ] {
        assert_eq!((command.acts(), command.incident()), (acts, of_incident.then_some(&id)), "{command:?}");
    }
}
