//! The escalation path: 0, 15 and 30 minutes, as stored times.

use crate::decision::people::{CHAT, PAGE, failed, sent};
use crate::decision::world::World;
use crate::decision::{Command, Input, Request};
use crate::incident::{Event, NoticeFact, StepOutcome};

/// A rollback that can't be carried out.
fn stuck() -> World {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    world
}

/// Lets minutes pass, second by second as a clock does, and does what is due of it.
fn pass(world: &mut World, seconds: i64) {
    for _ in 0..seconds {
        world.wait(1);
        if world.due().contains(&Command::Tick) {
            world.send(&Input::Tick);
        }
    }
}

/// The levels that were told, each after how many seconds of the rollback.
fn levels(world: &World) -> Vec<(u8, i64)> {
    let began = world.incident().rollback_started_at.expect("it began");
    let told = world.journal.iter().filter_map(|stored| match &stored.event {
        Event::NoticeRaised { fact: Some(fact), .. } => match fact.as_ref() {
            NoticeFact::Escalated { level, .. } => Some((level.0, (stored.at - began).num_seconds())),
            _ => None,
        },
        _ => None,
    });
    told.collect()
}

fn acknowledge(world: &mut World) {
    world.person(Request::Acknowledge { incident: world.id() });
}

#[test]
fn level_2_is_told_after_15_and_level_3_after_30_minutes_and_nobody_after_that() {
    let mut world = stuck();
    pass(&mut world, 899);
    assert_eq!(levels(&world), []);
    pass(&mut world, 1);
    assert_eq!(levels(&world), [(2, 900)]);
    pass(&mut world, 4_000);
    assert_eq!(levels(&world), [(2, 900), (3, 1_800)]);
}

#[test]
fn a_rollback_that_ends_in_time_wakes_nobody_else() {
    let mut world = stuck();
    pass(&mut world, 600);
    world.finish();
    pass(&mut world, 3_600);
    assert_eq!(levels(&world), []);
}

#[test]
fn a_grace_escalates_only_once_its_rollback_has_begun() {
    let mut world = World::with_people();
    world.warning("Latency");
    world
        .person(Request::Hold { incident: world.id(), until: Some(world.now + chrono::TimeDelta::hours(2)) });
    pass(&mut world, 3_600);
    assert!(!world.notices().contains(&"escalated"));
    world.person(Request::RollBack { reason: "enough".to_owned(), stage: None });
    pass(&mut world, 900);
    assert_eq!(levels(&world), [(2, 900)]);
}

#[test]
fn taking_note_puts_the_next_level_off_by_15_minutes_once() {
    let mut world = stuck();
    pass(&mut world, 890);
    acknowledge(&mut world);
    pass(&mut world, 20);
    assert_eq!(levels(&world), [], "at 14:50 it was put off");
    pass(&mut world, 600);
    acknowledge(&mut world);
    pass(&mut world, 280);
    assert_eq!(levels(&world), [(2, 890 + 900)], "a second time puts nothing off");
    pass(&mut world, 900);
    assert_eq!(levels(&world), [(2, 1_790), (3, 2_690)]);
}

#[test]
fn an_early_note_brings_no_level_forward_and_a_new_level_can_be_put_off_again() {
    let mut world = stuck();
    pass(&mut world, 60);
    acknowledge(&mut world);
    pass(&mut world, 900);
    assert_eq!(levels(&world), [(2, 960)]);
    pass(&mut world, 600);
    acknowledge(&mut world);
    pass(&mut world, 899);
    assert_eq!(levels(&world).len(), 1);
    pass(&mut world, 1);
    assert_eq!(levels(&world), [(2, 960), (3, 960 + 600 + 900)]);
}

#[test]
fn after_downtime_only_the_highest_level_that_is_due_is_told() {
    for (down_seconds, expected) in
        [(14 * 60 + 59, vec![]), (15 * 60, vec![2]), (31 * 60, vec![3]), (86_400, vec![3])]
    {
        let mut world = stuck();
        world.wait(down_seconds);
        world.send(&Input::Tick);
        world.send(&Input::Tick);
        let told: Vec<_> = levels(&world).into_iter().map(|(level, _)| level).collect();
        assert_eq!(told, expected, "down for {down_seconds} s");
    }
}

#[test]
fn after_a_restart_at_14_59_the_level_is_told_a_second_later() {
    let mut world = stuck();
    pass(&mut world, 899);
    world.state = serde_json::from_str(&serde_json::to_string(&world.state).expect("saved")).expect("loaded");
    pass(&mut world, 1);
    assert_eq!(levels(&world), [(2, 900)]);
}

#[test]
fn a_clock_that_is_set_moves_the_levels_with_it() {
    let mut world = stuck();
    pass(&mut world, 600);
    let by = chrono::TimeDelta::hours(5);
    world.now += by;
    world.send(&Input::ClockStepped { by });
    pass(&mut world, 299);
    assert_eq!(levels(&world), []);
    pass(&mut world, 1);
    assert_eq!(levels(&world).len(), 1);
}

#[test]
fn the_message_says_who_took_note_or_that_nobody_did() {
    for (notes, expected) in [(false, "nobody has taken note"), (true, "ada took note and has not ended it")]
    {
        let mut world = stuck();
        if notes {
            acknowledge(&mut world);
        }
        pass(&mut world, 1_000);
        let said = world.incident().notices.iter().rev().find(|notice| notice.kind.as_str() == "escalated");
        let said = said.expect("escalated").sentence();
        assert!(said.contains(expected) && said.contains("level 2"), "{said}");
    }
}

#[test]
fn a_failed_rollback_forgets_who_took_note_and_goes_on_escalating() {
    let mut world = stuck();
    acknowledge(&mut world);
    world.step(StepOutcome::Failed);
    assert_eq!(world.incident().acknowledged_by, None);
    pass(&mut world, 901);
    assert_eq!(levels(&world).len(), 1);
}

#[test]
fn a_level_that_is_told_may_take_note_itself() {
    let mut world = stuck();
    acknowledge(&mut world);
    pass(&mut world, 900);
    assert_eq!(levels(&world), [(2, 900)]);
    assert_eq!(world.incident().acknowledged_by, None);
    let before = world.incident().noted_before.as_ref().map(crate::incident::NotedBefore::words);
    assert_eq!(before.as_deref(), Some("ada took note, before level 2 was told"));
    acknowledge(&mut world);
    assert_eq!(world.refusal, None);
}

#[test]
fn a_status_page_without_an_update_is_reported_after_four_minutes_once() {
    let mut world = stuck();
    world.wait(1);
    world.deliver_all(CHAT);
    let late = |world: &World| world.notices().iter().filter(|kind| **kind == "public_update_late").count();
    pass(&mut world, 238);
    assert_eq!(late(&world), 0);
    pass(&mut world, 1);
    assert_eq!(late(&world), 1);
    assert!(
        world.waiting(CHAT).contains(&"public_update_late")
            && !world.waiting(PAGE).contains(&"public_update_late")
    );
    pass(&mut world, 600);
    assert_eq!(late(&world), 1);
}

#[test]
fn a_status_page_that_was_updated_in_time_is_not_late() {
    let mut world = stuck();
    world.wait(1);
    world.deliver(PAGE, failed());
    pass(&mut world, 100);
    world.deliver(PAGE, sent());
    pass(&mut world, 600);
    assert!(!world.notices().contains(&"public_update_late"));
}
