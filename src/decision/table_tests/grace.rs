//! How a grace goes and ends, and what people do with one.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Confirmation, Input, Mode, OnUnverified, Request};
use crate::incident::{Hold, NotedBefore, Phase, Reason, StepOutcome};

#[test]
fn a_warning_opens_a_grace_of_five_minutes_from_its_start() {
    let mut world = World::with_canary();
    let warning = world.alert("Latency", "warning", 60);
    assert_eq!(world.fire(&warning), Some(Reason::WarningAlert));
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::minutes(4)));
    assert_eq!(world.notices(), ["grace_opened"]);
    world.wait(239);
    assert!(!world.asks_to_confirm());
    world.wait(1);
    assert!(world.asks_to_confirm());
}

#[test]
fn a_start_in_the_future_does_not_lengthen_the_grace() {
    let mut world = World::with_canary();
    let warning = world.alert("Latency", "warning", -600);
    world.fire(&warning);
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::minutes(5)));
}

#[test]
fn several_warnings_share_one_grace_that_ends_with_the_earliest() {
    let mut world = World::with_canary();
    world.warning("Latency");
    let id = world.id();
    world.wait(60);
    assert_eq!(world.warning("Slow"), Some(Reason::JoinedGrace));
    let first_end = world.incident().grace_ends_at;
    let earlier = world.alert("Errors", "warning", 120);
    world.fire(&earlier);
    assert_eq!(world.id(), id);
    assert_eq!(first_end, Some(world.now + TimeDelta::minutes(4)));
    assert_eq!(world.incident().grace_ends_at, Some(world.now + TimeDelta::minutes(3)));
}

#[test]
fn a_start_that_moves_back_brings_the_end_forward_and_never_the_other_way() {
    let mut world = World::with_canary();
    world.warning("Latency");
    let end = world.incident().grace_ends_at.expect("an end");
    let earlier = world.alert("Latency", "warning", 100);
    world.fire(&earlier);
    assert_eq!(world.incident().grace_ends_at, Some(end - TimeDelta::seconds(100)));
    world.wait(10);
    world.warning("Latency");
    assert_eq!(world.incident().grace_ends_at, Some(end - TimeDelta::seconds(100)));
}

#[test]
fn a_resolve_in_a_grace_cancels_only_when_it_is_confirmed() {
    for (answer, phase) in [
        (Confirmation::Gone, "cancelled"),
        (Confirmation::NobodyToAsk, "cancelled"),
        (Confirmation::StillFiring, "grace"),
        (Confirmation::Silenced, "grace"),
        (Confirmation::NoAnswer, "grace"),
    ] {
        let mut world = World::with_canary();
        world.warning("Latency");
        world.wait(60);
        world.resolve("Latency");
        assert!(world.asks_to_confirm(), "asked as soon as it resolves");
        world.confirm(answer);
        assert_eq!(world.phase(), phase, "{answer:?}");
        assert!(!world.asks_to_confirm(), "asked once, not in a loop");
    }
}

#[test]
fn one_of_two_warnings_resolving_does_not_end_the_grace() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.warning("Slow");
    world.wait(60);
    world.resolve("Latency");
    assert!(!world.asks_to_confirm());
    assert_eq!(world.phase(), "grace");
}

#[test]
fn every_answer_at_the_end_of_a_grace_has_its_consequence() {
    for (answer, phase, reason) in [
        (Confirmation::StillFiring, "rolling_back", Reason::StillFiring),
        (Confirmation::Silenced, "held", Reason::HeldBySilence),
        (Confirmation::Gone, "cancelled", Reason::ResolvedConfirmed),
        (Confirmation::NoAnswer, "rolling_back", Reason::Unverified),
        (Confirmation::NobodyToAsk, "rolling_back", Reason::NobodyToAsk),
    ] {
        let mut world = World::with_canary();
        world.warning("Latency");
        world.wait(300);
        world.share(25);
        assert_eq!(world.confirm(answer), Some(reason), "{answer:?}");
        assert_eq!(world.phase(), phase, "{answer:?}");
    }
}

#[test]
fn nobody_answering_holds_where_the_setting_says_so() {
    let mut world = World::with_canary();
    world.policy.on_unverified = OnUnverified::Hold;
    world.warning("Latency");
    world.wait(300);
    assert_eq!(world.confirm(Confirmation::NoAnswer), Some(Reason::HeldUnverified));
    assert_eq!((world.phase(), world.rollbacks()), ("held", 0));
}

#[test]
fn a_canary_taken_off_by_hand_during_the_grace_is_not_rolled_back() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.wait(300);
    world.share(0);
    world.confirm(Confirmation::StillFiring);
    assert_eq!((world.phase(), world.rollbacks()), ("cancelled", 0));
}

#[test]
fn a_person_holds_a_grace_and_its_expiry_asks_again() {
    let mut world = World::with_canary();
    world.warning("Latency");
    let incident = world.id();
    let until = Some(world.now + TimeDelta::minutes(20));
    assert_eq!(world.person(Request::Hold { incident, until }), Some(Reason::HeldByPerson));
    world.wait(600);
    assert!(!world.asks_to_confirm(), "the grace's own end no longer counts");
    assert_eq!(world.warning("Slow"), Some(Reason::JoinedHold));
    world.wait(600);
    assert!(world.asks_to_confirm());
    world.share(25);
    world.confirm(Confirmation::StillFiring);
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn a_hold_that_is_shorter_than_the_grace_brings_no_rollback_forward() {
    for seconds in [0, 3, 299, 300] {
        let mut world = World::with_canary();
        world.warning("Latency");
        let (incident, grace_ends_at) = (world.id(), world.incident().grace_ends_at);
        let until = Some(world.now + TimeDelta::seconds(seconds));
        world.person(Request::Hold { incident, until });
        let held = Phase::Held(Hold {
            actor: "ada".to_owned(),
            reason: Reason::HeldByPerson,
            until: grace_ends_at.expect("a grace"),
        });
        assert_eq!(world.incident().phase, held, "{seconds}");
        world.wait(299);
        assert!(!world.asks_to_confirm(), "{seconds}");
        world.wait(1);
        assert!(world.asks_to_confirm(), "{seconds}");
    }
    // Once the grace's own end has passed, a person may shorten a hold as they like.
    let mut world = World::with_canary();
    world.warning("Latency");
    world.person(Request::Hold { incident: world.id(), until: None });
    world.wait(400);
    let until = Some(world.now + TimeDelta::seconds(3));
    world.person(Request::Hold { incident: world.id(), until });
    world.wait(3);
    assert!(world.asks_to_confirm());
}

#[test]
fn a_critical_breaks_a_hold_and_a_resume_goes_back_to_the_grace() {
    let mut world = World::with_canary();
    world.warning("Latency");
    let incident = world.id();
    world.person(Request::Hold { incident: incident.clone(), until: None });
    world.wait(400);
    assert_eq!(world.person(Request::Resume { incident: incident.clone() }), Some(Reason::ResumedByPerson));
    assert!(world.asks_to_confirm(), "its end has passed meanwhile");
    world.person(Request::Hold { incident, until: None });
    world.share(25);
    assert_eq!(world.critical("ErrorRate"), Some(Reason::CriticalAlert));
}

#[test]
fn only_a_hold_that_ran_out_is_said_to_have_run_out() {
    let expired =
        |world: &World| world.incident().notes.iter().any(|note| note.reason == Some(Reason::HoldExpired));
    let mut grace = World::with_canary();
    grace.warning("Latency");
    grace.wait(300);
    grace.share(25);
    grace.confirm(Confirmation::StillFiring);
    assert!(!expired(&grace), "it was never held");

    let mut held = World::with_canary();
    held.warning("Latency");
    held.person(Request::Hold { incident: held.id(), until: None });
    held.wait(1_800);
    held.share(25);
    held.confirm(Confirmation::StillFiring);
    assert!(expired(&held));
    let notes = &held.incident().notes;
    let text = &notes.iter().find(|note| note.reason == Some(Reason::HoldExpired)).expect("noted").text;
    assert!(!text.contains("ends the hold"), "nobody did: {text}");

    let mut early = World::with_canary();
    early.warning("Latency");
    early.person(Request::Hold { incident: early.id(), until: None });
    early.resolve("Latency");
    early.confirm(Confirmation::Gone);
    assert_eq!((early.phase(), expired(&early)), ("cancelled", false));
}

#[test]
fn a_person_can_not_hold_what_is_no_grace() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    let incident = world.id();
    assert_eq!(world.person(Request::Hold { incident: incident.clone(), until: None }), None);
    assert_eq!(world.person(Request::Resume { incident: incident.clone() }), None);
    assert_eq!(world.phase(), "rolling_back");
    world.person(Request::Acknowledge { incident });
    assert_eq!(world.incident().acknowledged_by.as_deref(), Some("ada"));
}

#[test]
fn the_first_who_takes_note_stands_until_a_person_is_needed_anew() {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    let acknowledge = |world: &mut World, actor: &str| {
        let incident = world.id();
        world.send(&Input::Person { actor: actor.to_owned(), request: Request::Acknowledge { incident } })
    };
    let by = |world: &World| world.incident().acknowledged_by.clone();
    assert_eq!(acknowledge(&mut world, "Ana (PagerDuty)"), Some(Reason::Acknowledged));
    let stored = world.journal.len();
    for (actor, words) in [
        ("zoe", "Ana (PagerDuty) has acknowledged it already"),
        ("Ana (PagerDuty)", "you have acknowledged it already"),
    ] {
        assert_eq!(acknowledge(&mut world, actor), None);
        assert_eq!(world.refusal.as_ref().map(ToString::to_string).as_deref(), Some(words));
        assert_eq!((by(&world).as_deref(), world.journal.len()), (Some("Ana (PagerDuty)"), stored));
    }
    world.step(StepOutcome::Failed);
    assert_eq!(by(&world), None);
    let before = world.incident().noted_before.as_ref().map(NotedBefore::words);
    assert_eq!(before.as_deref(), Some("Ana (PagerDuty) took note, before attempt 1 failed"));
    assert_eq!(acknowledge(&mut world, "zoe"), Some(Reason::Acknowledged));
    assert_eq!(by(&world).as_deref(), Some("zoe"));
}

#[test]
fn who_rolls_back_by_hand_has_taken_note_unless_somebody_has_before() {
    for (first, expected) in [(None, "ada"), (Some("Ana (PagerDuty)"), "Ana (PagerDuty)")] {
        let mut world = World::with_canary();
        world.warning("Latency");
        if let Some(first) = first {
            let request = Request::Acknowledge { incident: world.id() };
            world.send(&Input::Person { actor: first.to_owned(), request });
        }
        world.person(Request::RollBack { reason: "looks bad".to_owned(), stage: None });
        assert_eq!(world.incident().acknowledged_by.as_deref(), Some(expected));
    }
}

#[test]
fn a_person_rolls_back_in_every_mode_but_not_onto_nothing() {
    for mode in [Mode::Armed, Mode::Shadow, Mode::Off] {
        let mut world = World::with_canary();
        world.policy.mode = mode;
        let request = Request::RollBack { reason: "looks bad".to_owned(), stage: None };
        assert_eq!(world.person(request), Some(Reason::Manual), "{mode:?}");
        assert_eq!(world.incident().trigger().to_string(), "Manual (ada)");
    }
    let mut nothing = World::with_canary();
    nothing.share(0);
    let request = Request::RollBack { reason: "looks bad".to_owned(), stage: None };
    assert_eq!(nothing.person(request), Some(Reason::NoCanary));
    assert_eq!((nothing.phase(), nothing.rollbacks()), ("declined", 0));
}

#[test]
fn an_alert_that_joins_while_the_others_are_asked_about_is_not_cancelled_with_them() {
    for answer in [Confirmation::Gone, Confirmation::Silenced] {
        let mut world = World::with_canary();
        world.warning("Latency");
        world.wait(300);
        let asked = world.asked();
        world.warning("ErrorRate");
        assert_eq!(world.answer(asked, answer), None);
        assert!(world.phase() == "grace" && world.asks_to_confirm(), "it is asked again, with all of them");
    }
}

#[test]
fn an_alert_that_fires_again_while_it_is_asked_about_is_not_cancelled() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.wait(10);
    world.resolve("Latency");
    let asked = world.asked();
    world.wait(1);
    world.warning("Latency");
    assert_eq!(world.answer(asked, Confirmation::Gone), None);
    assert_eq!(world.phase(), "grace");
}
