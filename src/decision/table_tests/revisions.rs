//! An incident is about one revision, and nothing acts on another.

use crate::decision::world::World;
use crate::decision::{Command, Input, Request};
use crate::incident::{Reason, Revision, StepOutcome};

fn deploy(world: &mut World, revision: &str) {
    world.policy.revision = Revision::new(revision);
}

#[test]
fn an_open_incident_whose_revision_is_gone_asks_for_nothing_but_its_end_and_closes_as_superseded() {
    for state in ["grace", "held", "rolling_back", "verifying", "failed"] {
        let mut world = World::with_canary();
        match state {
            "grace" => drop(world.warning("Latency")),
            "held" => {
                world.warning("Latency");
                world.person(Request::Hold { incident: world.id(), until: None });
            }
            _ => drop(world.critical("ErrorRate")),
        }
        match state {
            "verifying" => drop(world.step(StepOutcome::Done)),
            "failed" => drop(world.step(StepOutcome::Failed)),
            _ => {}
        }
        assert_eq!(world.phase(), state);
        deploy(&mut world, "v1.5.0");
        world.wait(86_400);
        let acts = |command: &Command| {
            matches!(command, Command::RunStep { .. } | Command::Verify { .. } | Command::Confirm { .. })
        };
        assert!(!world.due().iter().any(acts), "{state}: {:?}", world.due());
        assert!(world.due().contains(&Command::Tick), "{state}");
        world.send(&Input::Tick);
        assert_eq!(world.phase(), "superseded", "{state}");
        assert_eq!(world.notices().last(), Some(&"incident_superseded"), "{state}");
        assert!(!world.due().iter().any(|command| acts(command) || *command == Command::Tick));
    }
}

#[test]
fn a_result_that_comes_late_for_a_superseded_incident_moves_nothing() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    let id = world.id();
    deploy(&mut world, "v1.5.0");
    assert_eq!(world.step(StepOutcome::Done), None);
    assert_eq!((world.phase(), world.id()), ("superseded", id));
}

#[test]
fn an_alert_that_fired_for_the_old_revision_gets_a_grace_on_the_new_one() {
    let mut world = World::with_canary();
    let old = world.alert("ErrorRate", "critical", 0);
    world.fire(&old);
    world.step(StepOutcome::Failed);
    deploy(&mut world, "v1.5.0");
    world.wait(60);
    world.share(25);
    assert_eq!(world.phase(), "grace", "it may be about its predecessor");
    assert_eq!(world.incident().revision().as_str(), "v1.5.0");
    world.wait(1);
    world.fire(&old);
    assert_eq!((world.phase(), world.rollbacks()), ("grace", 1));
    assert_eq!(world.critical("Csp"), Some(Reason::CriticalAlert), "a fresh one does not wait");
}

#[test]
fn a_person_can_close_what_does_not_run_and_the_same_episode_stays_closed() {
    let mut world = World::with_canary();
    let critical = world.alert("ErrorRate", "critical", 0);
    world.fire(&critical);
    let close =
        |world: &World| Request::Close { incident: world.id(), words: "switched off by hand".to_owned() };
    let request = close(&world);
    assert_eq!(world.person(request), None, "a rollback that runs is never interrupted");
    world.step(StepOutcome::Failed);
    let request = close(&world);
    assert_eq!(world.person(request), Some(Reason::ClosedByPerson));
    assert_eq!(world.phase(), "closed");
    assert!(world.incident().phase.sentence().contains("ada: switched off by hand"));
    world.wait(20);
    world.share(25);
    assert_eq!(world.fire(&critical), Some(Reason::Duplicate));
    world.resolve("ErrorRate");
    world.wait(20);
    world.share(25);
    assert_eq!(world.critical("ErrorRate"), Some(Reason::CriticalAlert), "a new episode is news");
}
