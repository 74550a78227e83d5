//! What follows after an incident has closed: the end of its alerts, and people who take note.

use crate::decision::people::CHAT;
use crate::decision::world::World;
use crate::decision::{Input, Request};

fn ended(world: &World) -> usize {
    world.notices().iter().filter(|kind| **kind == "alerts_ended").count()
}

#[test]
fn the_alerts_end_is_told_once_after_the_rollback_and_when_the_last_has_resolved() {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    world.critical("Latency");
    world.wait(1);
    world.resolve("ErrorRate");
    assert_eq!(ended(&world), 0);
    world.finish();
    assert_eq!(ended(&world), 0, "one still fires");
    world.resolve("Latency");
    assert_eq!(ended(&world), 1);
    world.wait(60);
    world.send(&Input::Tick);
    assert_eq!(ended(&world), 1);
}

#[test]
fn alerts_that_resolved_before_the_traffic_was_off_end_with_the_rollback() {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    world.wait(1);
    world.resolve("ErrorRate");
    world.finish();
    assert_eq!(ended(&world), 1);
    let order: Vec<_> = world.notices().into_iter().rev().take(2).collect();
    assert_eq!(order, ["alerts_ended", "rollback_ended"], "never before the rollback");
}

#[test]
fn a_persons_rollback_without_alerts_ends_at_once() {
    let mut world = World::with_people();
    world.person(Request::RollBack { reason: "it smells".to_owned(), stage: None });
    world.finish();
    assert_eq!(ended(&world), 1);
}

#[test]
fn a_persons_rollback_is_not_over_while_an_alert_of_the_rollout_fires() {
    let mut world = World::with_people();
    world.warning("Errors");
    let incident = world.id();
    world.person(Request::Close { incident, words: "noise".to_owned() });
    world.person(Request::RollBack { reason: "no, it is real".to_owned(), stage: None });
    world.finish();
    assert_eq!(ended(&world), 0, "a page that is ended now would say that there is no trouble");
    world.wait(60);
    world.resolve("Errors");
    assert_eq!(ended(&world), 1);
}

#[test]
fn a_grace_that_was_cancelled_has_nothing_to_end() {
    let mut world = World::with_people();
    world.warning("Latency");
    world.wait(1);
    world.resolve("Latency");
    world.confirm(crate::decision::Confirmation::Gone);
    assert_eq!((world.phase(), ended(&world)), ("cancelled", 0));
}

#[test]
fn an_incident_waits_for_its_alerts_also_after_another_took_its_place() {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    world.finish();
    world.deliver_all(CHAT);
    let first = world.id();
    world.policy.revision = crate::incident::Revision::new("v1.5.0");
    world.wait(3_600);
    world.share(25);
    world.warning("Other");
    assert_ne!(world.id(), first);
    world.resolve("ErrorRate");
    let about = world.journal.iter().rev().find(|stored| stored.event.name() == "notice_raised");
    assert_eq!(about.and_then(|stored| stored.incident.clone()), Some(first), "the first one's alert ended");
}

#[test]
fn whoever_takes_note_of_a_closed_incident_is_recorded_and_told() {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    world.finish();
    world.person(Request::Acknowledge { incident: world.id() });
    assert_eq!(world.refusal, None);
    assert_eq!(world.incident().acknowledged_by.as_deref(), Some("ada"));
    assert_eq!(world.notices().last(), Some(&"acknowledged"));
}

#[test]
fn a_canary_without_people_to_tell_leaves_nothing_unfinished() {
    let mut world = World::with_canary();
    for _ in 0..60 {
        world.person(Request::RollBack { reason: "drill".to_owned(), stage: None });
        world.finish();
        let files = Vec::new();
        let incident = world.id();
        world.send(&Input::EvidenceWritten { incident, complete: true, files, problems: Vec::new() });
        world.wait(60);
        world.share(25);
    }
    assert_eq!(world.state.unfinished.len(), 0);
}
