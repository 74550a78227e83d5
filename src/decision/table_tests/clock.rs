//! Clocks that are set, and clocks that differ.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Command, Confirmation, Input, Request};
use crate::incident::{Alert, Reason, StepOutcome};

impl World {
    /// The wall clock is set, and the journal notices before it decides anything else.
    fn set_clock(&mut self, seconds: i64) {
        self.wait(seconds);
        self.send(&Input::ClockStepped { by: TimeDelta::seconds(seconds) });
    }
}

#[test]
fn a_grace_lasts_as_long_as_before_whichever_way_the_clock_is_set() {
    for step in [-7_200, -60, 60, 7_200] {
        let mut world = World::with_canary();
        world.warning("Latency");
        world.wait(100);
        world.set_clock(step);
        world.wait(199);
        assert!(!world.asks_to_confirm(), "{step}: early");
        world.wait(1);
        assert!(world.asks_to_confirm(), "{step}: late");
        world.share(25);
        assert_eq!(world.confirm(Confirmation::StillFiring), Some(Reason::StillFiring), "{step}");
    }
}

#[test]
fn an_answer_that_came_because_the_clock_was_set_forward_ends_no_grace() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.wait(7_200);
    assert!(world.asks_to_confirm(), "the worker looks at the new time");
    world.send(&Input::ClockStepped { by: TimeDelta::seconds(7_200) });
    assert_eq!(world.confirm(Confirmation::StillFiring), Some(Reason::ResolveNotTrusted));
    assert_eq!(world.phase(), "grace");
}

#[test]
fn holds_retries_and_the_deadline_of_a_rollback_move_with_the_clock() {
    let mut held = World::with_canary();
    held.warning("Latency");
    let until = held.now + TimeDelta::seconds(600);
    held.person(Request::Hold { incident: held.id(), until: Some(until) });
    held.set_clock(3_600);
    held.wait(599);
    assert!(!held.asks_to_confirm());
    held.wait(1);
    assert!(held.asks_to_confirm());

    let mut failed = World::with_canary();
    failed.critical("ErrorRate");
    failed.step(StepOutcome::Failed);
    failed.set_clock(-3_600);
    failed.wait(14);
    assert!(!failed.due().contains(&Command::Tick));
    failed.wait(1);
    assert!(failed.due().contains(&Command::Tick));
    failed.set_clock(3_600);
    assert!(!failed.incident().is_overdue(failed.now));
}

#[test]
fn a_fresh_critical_is_not_taken_for_older_than_the_canary_because_the_senders_clock_is_behind() {
    let mut world = World::with_canary();
    world.share(0);
    world.wait(60);
    world.share(5);
    world.wait(60);
    world.share(5);
    let dated_back = world.alert("ErrorRate", "critical", 360);
    world.not_before = Some(world.now - TimeDelta::seconds(20));
    assert_eq!(world.fire(&dated_back), Some(Reason::CriticalAlert));
}

#[test]
fn a_warning_whose_senders_clock_is_behind_gets_its_whole_grace_and_keeps_it() {
    let mut world = World::with_canary();
    let dated_back = world.alert("Latency", "warning", 360);
    world.not_before = Some(world.now - TimeDelta::seconds(20));
    world.fire(&dated_back);
    let ends_at = world.incident().grace_ends_at;
    assert_eq!(ends_at, Some(world.now + TimeDelta::seconds(280)));
    // Listed meanwhile: what counts is when it was first met.
    world.not_before = None;
    world.wait(30);
    world.fire(&dated_back);
    assert_eq!(world.incident().grace_ends_at, ends_at);
}

#[test]
fn a_new_episode_whose_predecessors_resolve_was_lost_gets_its_whole_grace_from_a_clock_that_is_behind() {
    let mut world = World::with_canary();
    world.share(0);
    let first = world.alert("Latency", "warning", 0);
    world.fire(&first);
    world.wait(60);
    world.share(5);
    world.send(&Input::Person {
        actor: "ada".to_owned(),
        request: Request::Close { incident: world.id(), words: "seen".to_owned() },
    });
    world.wait(600);
    world.share(5);
    // Dated by a clock that is 400 s behind ours.
    let dated_back = world.alert("Latency", "warning", 400);
    world.not_before = Some(world.now);
    world.fire(&dated_back);
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::seconds(300)));
}

#[test]
fn a_sender_whose_clock_is_ahead_lengthens_no_grace() {
    let mut world = World::with_canary();
    let ahead = world.alert("Latency", "warning", -360);
    world.fire(&ahead);
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::seconds(300)));
}

#[test]
fn a_rollback_that_has_not_ended_in_time_is_told_once_and_goes_on() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Done);
    world.share(0);
    world.wait(719);
    assert!(!world.due().contains(&Command::Tick));
    world.wait(1);
    for _ in 0..3 {
        world.send(&Input::Tick);
        world.wait(10);
    }
    let told = world.notices().iter().filter(|kind| **kind == "rollback_overdue").count();
    assert_eq!((told, world.phase()), (1, "verifying"));
    assert!(!world.due().contains(&Command::Tick));
}

#[test]
fn a_rollback_that_ended_in_time_is_never_overdue() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.finish();
    world.wait(100_000);
    world.send(&Input::Tick);
    assert!(!world.notices().contains(&"rollback_overdue"));
}

#[test]
fn an_alert_that_was_reported_before_the_canary_is_older_whatever_the_clocks_show_by_then() {
    // A clock of ours that is set back, and a sender whose clock is ahead.
    for (set_by, dated_ahead) in [(-3_600, 0), (0, 600), (3_600, 0), (-3_600, 600)] {
        let mut world = World::with_canary();
        world.share(0);
        let old = world.alert("ErrorRate", "critical", -dated_ahead);
        assert_eq!(world.fire(&old), Some(Reason::NoCanary));
        world.set_clock(set_by);
        world.wait(60);
        world.share(0);
        world.wait(10);
        let context = format!("set by {set_by} s, dated {dated_ahead} s ahead");
        assert_eq!(world.share(25), Some(Reason::OlderThanCanary), "{context}");
        assert_eq!(world.phase(), "grace", "{context}");
        assert_eq!(world.fire(&old), Some(Reason::Duplicate), "{context}: the same message again");

        let starts_at = world.now.max(old.starts_at + TimeDelta::seconds(5));
        let new = Alert { starts_at, ..old };
        assert_eq!(world.fire(&new), Some(Reason::CriticalAlert), "{context}: it fires anew");
    }
}
