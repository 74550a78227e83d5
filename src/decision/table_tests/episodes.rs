//! What leads to nothing is recorded once, and what repeats for weeks does not grow without bound.

use crate::decision::world::World;
use crate::decision::{Confirmation, Input, Mode};
use crate::incident::{Event, Reason};

fn opened(world: &World) -> usize {
    world.journal.iter().filter(|stored| matches!(stored.event, Event::IncidentOpened(_))).count()
}

#[test]
fn two_alerts_in_one_message_at_0_percent_are_one_declined_incident() {
    let mut world = World::with_canary();
    world.share(0);
    world.wait(20);
    // Both wait for the share to be read, as from one webhook.
    world.critical("ErrorRate");
    world.critical("Latency");
    assert_eq!(world.share(0), Some(Reason::NoCanary));
    assert_eq!((opened(&world), world.phase(), world.incident().alerts.len()), (1, "declined", 2));
    assert!(world.state.triage.is_empty());
}

#[test]
fn incidents_that_open_in_one_second_have_different_ids() {
    let mut world = World::with_canary();
    let mut ids = Vec::new();
    for number in 0..300 {
        let name = format!("Latency{number}");
        world.warning(&name);
        ids.push(world.id());
        world.confirm(Confirmation::Gone);
    }
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), 300);
}

#[test]
fn in_shadow_mode_two_criticals_that_are_listed_at_every_poll_are_one_incident() {
    let mut world = World::with_canary();
    world.policy.mode = Mode::Shadow;
    let alerts = [world.alert("ErrorRate", "critical", 0), world.alert("Csp", "critical", 0)];
    for _ in 0..500 {
        for alert in &alerts {
            world.fire(alert);
        }
        world.wait(20);
        world.share(25);
    }
    assert_eq!((opened(&world), world.incident().alerts.len()), (1, 2));
    assert!(world.journal.len() < 20, "{} events", world.journal.len());
    // The next canary is another episode.
    world.share(0);
    world.wait(20);
    world.share(5);
    world.critical("Latency");
    assert_eq!(opened(&world), 2);
}

#[test]
fn alerts_that_flap_at_0_percent_open_one_incident_a_day() {
    let mut world = World::with_canary();
    world.share(0);
    for _ in 0..(2 * 24 * 12) {
        world.share(0);
        world.warning("Latency");
        world.wait(150);
        world.resolve("Latency");
        world.wait(150);
    }
    assert_eq!(opened(&world), 2);
    assert!(world.incident().notes.len() <= 200);
}

#[test]
fn a_weeks_silence_is_reported_once_and_stores_little() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.wait(300);
    world.share(25);
    let before = world.journal.len();
    for _ in 0..(7 * 24 * 12) {
        world.confirm(Confirmation::Silenced);
        world.wait(300);
        assert!(world.asks_to_confirm());
    }
    let held = world.notices().iter().filter(|kind| **kind == "grace_held").count();
    assert_eq!(held, 1);
    assert!(world.journal.len() - before <= 7 * 24 * 12 + 3, "{}", world.journal.len() - before);
    let incident = serde_json::to_string(world.incident()).expect("serialised");
    assert!(incident.len() < 100_000, "{} bytes", incident.len());
}

#[test]
fn ten_thousand_alerts_that_wait_are_one_decision_whose_cost_does_not_grow_with_their_square() {
    let cost = |count: usize| {
        let mut world = World::with_canary();
        world.share(0);
        world.wait(20);
        for number in 0..count {
            world.critical(&format!("A{number}"));
        }
        let before = world.journal.len();
        world.send(&Input::Tick);
        world.share(0);
        assert_eq!((opened(&world), world.state.triage.is_empty()), (1, true));
        world.journal.len() - before
    };
    let (few, many) = (cost(500), cost(2_500));
    assert!(many <= few + 600, "{few} events for 500 alerts, {many} for 2,500: an incident is full at 1,000");
}
