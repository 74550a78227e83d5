//! A grace that was cancelled, and reopens for the same trouble.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Confirmation, Request};
use crate::incident::{Event, Reason};

/// A warning that fires while the canary is known to have traffic.
fn warns(world: &mut World, name: &str) -> Option<Reason> {
    world.share(5);
    world.warning(name)
}

/// A warning that fired, and after a minute recovered as everybody confirms.
fn recovered() -> (World, chrono::DateTime<chrono::Utc>) {
    let mut world = World::with_canary();
    // When the canary began is known.
    world.share(0);
    world.wait(10);
    world.share(5);
    world.wait(10);
    world.warning("Errors");
    let first_deadline = world.incident().grace_ends_at.expect("an end");
    world.wait(60);
    world.resolve("Errors");
    world.confirm(Confirmation::Gone);
    assert_eq!(world.phase(), "cancelled");
    (world, first_deadline)
}

#[test]
fn a_grace_that_reopens_for_the_same_trouble_keeps_its_first_deadline() {
    let (mut world, first_deadline) = recovered();
    let first = world.id();
    world.wait(60);
    assert_eq!(warns(&mut world, "Errors"), Some(Reason::WarningAlert));
    assert_ne!(world.id(), first, "what was said of the first stays as it was");
    assert_eq!(world.incident().grace_ends_at, Some(first_deadline));
}

#[test]
fn trouble_that_comes_and_goes_is_rolled_back_however_often_it_pauses() {
    let (mut world, _) = recovered();
    for _ in 0..2 {
        world.wait(60);
        warns(&mut world, "Errors");
        assert_eq!((world.phase(), world.asks_to_confirm()), ("grace", false), "its five minutes go on");
        world.wait(20);
        world.resolve("Errors");
        world.confirm(Confirmation::Gone);
        assert_eq!(world.phase(), "cancelled");
    }
    world.wait(120);
    warns(&mut world, "Errors");
    assert!(world.asks_to_confirm(), "they are over");
    world.confirm(Confirmation::StillFiring);
    assert_eq!(world.rollbacks(), 1);
}

#[test]
fn after_its_first_deadline_it_is_asked_for_at_once_and_recovers_if_it_is_gone() {
    let (mut world, _) = recovered();
    world.wait(280);
    warns(&mut world, "Errors");
    assert!(world.asks_to_confirm(), "its five minutes are over");
    let said = world.journal.iter().rev().find_map(|stored| match &stored.event {
        Event::NoticeRaised { fact: Some(fact), .. } => Some(fact.sentence(stored.at)),
        _ => None,
    });
    let expected =
        "Errors fires, and its grace was over at 03:05:20 UTC: unless it is gone, the rollback begins now";
    assert_eq!(said.as_deref(), Some(expected));
    world.resolve("Errors");
    world.confirm(Confirmation::Gone);
    assert_eq!((world.phase(), world.rollbacks()), ("cancelled", 0));
}

#[test]
fn what_is_other_trouble_gets_a_grace_of_its_own() {
    // As late as that it is another trouble.
    let (mut world, _) = recovered();
    world.wait(301);
    warns(&mut world, "Errors");
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::minutes(5)), "later");

    // Another alert.
    let (mut world, _) = recovered();
    world.wait(60);
    warns(&mut world, "Latency");
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::minutes(5)), "another alert");

    // Another canary of the same revision; also one that begins in the very second.
    for pause in [10, 0] {
        let (mut world, _) = recovered();
        world.wait(pause);
        world.share(0);
        world.wait(pause);
        world.share(5);
        world.wait(40);
        warns(&mut world, "Errors");
        let whole = Some(world.now + TimeDelta::minutes(5));
        assert_eq!(world.incident().grace_ends_at, whole, "another canary after {pause} s");
    }

    // The first may have been about the canary before this one.
    let mut world = World::with_canary();
    world.share(0);
    world.wait(60);
    let old = world.alert("Errors", "warning", 100);
    world.fire(&old);
    world.share(5);
    assert_eq!(world.incident().opened.reason, Reason::OlderThanCanary);
    world.resolve("Errors");
    world.confirm(Confirmation::Gone);
    world.wait(20);
    warns(&mut world, "Errors");
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::minutes(5)), "its predecessor");

    // A person ended it.
    let mut world = World::with_canary();
    world.warning("Errors");
    let request = Request::Close { incident: world.id(), words: "known".to_owned() };
    world.person(request);
    world.wait(10);
    world.resolve("Errors");
    world.wait(10);
    warns(&mut world, "Errors");
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::minutes(5)), "closed by a person");
}
