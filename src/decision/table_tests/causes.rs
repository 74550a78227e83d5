//! Who or what a rollback is recorded for.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Confirmation, Input, Mode, Reading, Refusal, Request};
use crate::incident::{Reason, Share, Stage, StepOutcome};

fn by_hand(words: &str, stage: Option<u8>) -> Request {
    let stage = stage.map(|number| Stage::try_from(number).expect("a stage"));
    Request::RollBack { reason: words.to_owned(), stage }
}

/// The protocol's `Reason` and `Triggered By`, and the decision's name.
fn cause(world: &World) -> (String, String, Reason) {
    let cause = world.incident().cause();
    (cause.words, cause.trigger.to_string(), cause.reason)
}

fn expected(words: &str, trigger: &str, reason: Reason) -> (String, String, Reason) {
    (words.to_owned(), trigger.to_owned(), reason)
}

#[test]
fn a_critical_that_ends_a_warnings_grace_is_the_cause_and_not_the_warning() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.wait(30);
    world.critical("ErrorRate");
    assert_eq!(cause(&world), expected("ErrorRate", "Automatic", Reason::CriticalAlert));
    assert_eq!(world.incident().opened.cause, "Latency", "the opening stays what it was");
}

#[test]
fn a_person_in_any_state_before_the_rollback_is_its_cause_with_their_words_and_their_stage() {
    for state in ["grace", "held", "none"] {
        let mut world = World::with_canary();
        if state != "none" {
            world.warning("Latency");
        }
        if state == "held" {
            world.person(Request::Hold { incident: world.id(), until: None });
        }
        world.person(by_hand("checkout is broken", Some(4)));
        let told = expected("checkout is broken", "Manual (ada)", Reason::Manual);
        assert_eq!(cause(&world), told, "{state}");
        assert_eq!(world.incident().stage().map(Stage::number), Some(4), "{state}");
    }
}

#[test]
fn the_warning_itself_is_the_cause_when_its_grace_ends() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.wait(10);
    world.warning("Slow");
    world.wait(290);
    world.resolve("Latency");
    world.share(25);
    world.confirm(Confirmation::StillFiring);
    assert_eq!(cause(&world), expected("Slow", "Automatic", Reason::StillFiring), "the one that still fires");
}

#[test]
fn the_first_cause_that_acted_stays_the_reason_and_the_others_are_listed() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.person(by_hand("I see it too", None));
    world.critical("Csp");
    world.step(StepOutcome::Failed);
    world.person(by_hand("again, now", None));
    assert_eq!(world.phase(), "rolling_back");
    assert_eq!(cause(&world), expected("ErrorRate", "Automatic", Reason::CriticalAlert));
    let further: Vec<_> = world.incident().further_causes().map(|cause| cause.words.as_str()).collect();
    assert_eq!(further, ["I see it too", "Csp", "again, now"]);
}

#[test]
fn in_shadow_mode_the_one_it_would_have_rolled_back_for_is_named() {
    let mut world = World::with_canary();
    world.policy.mode = Mode::Shadow;
    world.warning("Latency");
    world.critical("ErrorRate");
    assert_eq!(world.phase(), "declined");
    assert_eq!(cause(&world), expected("ErrorRate", "Automatic", Reason::CriticalAlert));
}

#[test]
fn how_old_the_share_was_that_a_decision_rested_on_is_stored_with_it() {
    let mut world = World::with_canary();
    world.wait(12);
    world.critical("ErrorRate");
    let cause = world.incident().cause();
    assert_eq!((cause.share, cause.share_age()), (Some(Share(25)), Some(TimeDelta::seconds(12))));
    assert_eq!(cause.share_words(), "25 %, read 12.0 s before");
    let mut unread = World::with_canary();
    unread.reading = Reading::NotConfigured;
    unread.critical("ErrorRate");
    assert_eq!(unread.incident().cause().share_words(), "unread");
}

#[test]
fn an_alert_that_waits_for_the_share_behind_a_warning_is_still_the_cause() {
    let mut world = World::with_canary();
    world.wait(31);
    world.warning("Latency");
    world.critical("ErrorRate");
    world.send(&Input::Tick);
    assert_eq!(world.share(25), Some(Reason::CriticalAlert));
    assert_eq!(cause(&world), expected("ErrorRate", "Automatic", Reason::CriticalAlert));
    assert_eq!(world.incident().alerts.len(), 2, "the warning is in the same incident");
}

#[test]
fn a_name_that_would_forge_a_line_can_not() {
    let mut world = World::with_canary();
    world.send(&Input::Person {
        actor: "ada)\nTriggered By: Automatic (".to_owned(),
        request: by_hand("words\nReason: none", None),
    });
    let (_, trigger, _) = cause(&world);
    assert!(!trigger.contains('\n'), "{trigger}");
    for note in world.incident().notes.iter() {
        assert!(!note.text.contains('\n'), "{}", note.text);
    }
    for notice in world.incident().notices.iter() {
        let text = notice.sentence();
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn a_rollback_that_is_meant_for_one_incident_strikes_nothing_else() {
    let of = |incident| Request::RollBackIncident { incident, reason: "a button".to_owned() };
    let mut world = World::with_canary();
    world.warning("Latency");
    let pressed = world.id();
    assert_eq!(world.person(of(pressed.clone())), Some(Reason::Manual));
    assert_eq!(cause(&world), expected("a button", "Manual (ada)", Reason::Manual));
    assert_eq!(world.person(of(pressed.clone())), None, "twice is once");
    assert!(world.refusal.as_ref().is_some_and(|refusal| refusal.to_string().contains("under way already")));
    world.step(StepOutcome::Failed);
    assert_eq!(world.person(of(pressed.clone())), Some(Reason::Manual), "what failed is tried again");
    world.finish();
    for phase in ["rolled_back", "grace"] {
        if phase == "grace" {
            // The same revision runs again, and warns again: that is another incident.
            world.wait(60);
            world.share(25);
            world.warning("ErrorRate");
        }
        assert_eq!(world.person(of(pressed.clone())), None);
        assert!(matches!(&world.refusal, Some(Refusal::NotOpen(id)) if *id == pressed), "{phase}");
        assert_eq!((world.rollbacks(), world.phase()), (1, phase));
    }
}
