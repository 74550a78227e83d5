//! What an alert leads to.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Command, Confirmation, Input, Mode, Reading};
use crate::incident::{
    Alert, AlertStatus, CheckOutcome, DOCTOR_TEST, DOCTOR_TEST_LABEL, NoticeFact, Reason, StepOutcome,
    Verdict,
};

#[test]
fn a_critical_on_an_active_canary_rolls_back_now() {
    let mut world = World::with_canary();
    assert_eq!(world.critical("ErrorRate"), Some(Reason::CriticalAlert));
    assert_eq!((world.phase(), world.rollbacks()), ("rolling_back", 1));
    assert_eq!(world.incident().stage().map(crate::incident::Stage::number), Some(3));
    assert!(world.due().iter().any(|command| matches!(command, Command::RunStep { .. })));
}

#[test]
fn a_critical_rolls_back_when_the_share_can_not_be_read() {
    for reading in [Reading::NotConfigured, Reading::At { at: World::with_canary().now, share: None }] {
        let mut world = World::with_canary();
        world.reading = reading;
        assert_eq!(world.critical("ErrorRate"), Some(Reason::CriticalAlert), "{reading:?}");
    }
}

#[test]
fn a_test_alert_of_doctor_leads_to_nothing_in_any_state_whatever_its_urgency() {
    for severity in ["critical", "warning"] {
        let mut world = World::with_canary();
        let mut test = world.alert(DOCTOR_TEST, severity, 0);
        let labels = [("alertname", DOCTOR_TEST), ("severity", severity), (DOCTOR_TEST_LABEL, "12ab")];
        test.labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(world.fire(&test), Some(Reason::DoctorTest));
        assert!(world.state.open_incident().is_none() && world.due().is_empty(), "{:?}", world.due());
        let events = world.journal.len();
        assert_eq!(world.warning("Latency"), Some(Reason::WarningAlert));
        let with_a_grace = world.journal.len();
        assert!(with_a_grace > events);
        assert_eq!(world.fire(&test), Some(Reason::DoctorTest));
        assert_eq!(
            (world.phase(), world.journal.len()),
            ("grace", with_a_grace),
            "nothing is recorded of it"
        );
    }
}

#[test]
fn an_old_or_missing_reading_is_renewed_before_deciding() {
    let mut world = World::with_canary();
    world.wait(31);
    assert_eq!(world.critical("ErrorRate"), Some(Reason::ShareUnread));
    assert_eq!(world.due(), [Command::ReadShare]);
    assert_eq!(world.share(25), Some(Reason::CriticalAlert));
    assert_eq!(world.rollbacks(), 1);

    let mut unread = World::with_canary();
    unread.wait(31);
    unread.critical("ErrorRate");
    assert_eq!(unread.unreadable(), Some(Reason::CriticalAlert), "what can't be read may be active");
}

#[test]
fn a_critical_that_resolves_while_the_share_is_read_still_counts_and_a_warning_does_not() {
    for (severity, rollbacks) in [("critical", 1), ("warning", 0)] {
        let mut world = World::with_canary();
        world.wait(31);
        let alert = world.alert("A", severity, 0);
        world.fire(&alert);
        world.wait(1);
        world.resolve("A");
        world.share(25);
        assert_eq!(world.rollbacks(), rollbacks, "{severity}");
        assert_eq!(world.state.open_incident().is_some(), rollbacks > 0);
    }
}

#[test]
fn a_critical_in_a_grace_rolls_back_at_once_in_the_same_incident() {
    let mut world = World::with_canary();
    world.warning("Latency");
    let id = world.id();
    world.wait(30);
    assert_eq!(world.critical("ErrorRate"), Some(Reason::CriticalAlert));
    assert_eq!((world.id(), world.phase()), (id, "rolling_back"));
    assert_eq!(world.incident().alerts.len(), 2);
}

#[test]
fn an_alert_without_a_canary_is_declined_by_name_and_rolls_nothing_back() {
    let mut world = World::with_canary();
    world.share(0);
    assert_eq!(world.critical("ErrorRate"), Some(Reason::NoCanary));
    assert_eq!((world.phase(), world.rollbacks()), ("declined", 0));
    let same = world.alert("ErrorRate", "critical", 0);
    assert_eq!(world.fire(&same), Some(Reason::Duplicate));
}

#[test]
fn the_same_alert_again_attaches_and_acts_once() {
    let mut world = World::with_canary();
    let critical = world.alert("ErrorRate", "critical", 0);
    world.fire(&critical);
    assert_eq!(world.fire(&critical), Some(Reason::Duplicate));
    world.finish();
    world.wait(60);
    world.share(0);
    assert_eq!(world.fire(&critical), Some(Reason::Duplicate));
    assert_eq!(world.critical("Latency"), Some(Reason::AlreadyRolledBack));
    assert_eq!(world.rollbacks(), 1);
}

#[test]
fn where_the_share_can_not_be_read_only_a_new_episode_rolls_back_again() {
    let mut world = World::with_canary();
    world.reading = Reading::NotConfigured;
    let critical = world.alert("ErrorRate", "critical", 0);
    world.fire(&critical);
    world.step(StepOutcome::DoneUnread);
    world.wait(10);
    world.verify(Verdict::Verified, CheckOutcome::Pass);
    world.wait(60);
    assert_eq!(world.fire(&critical), Some(Reason::Duplicate));
    assert_eq!(world.rollbacks(), 1);
    world.resolve("ErrorRate");
    world.wait(60);
    assert_eq!(world.critical("ErrorRate"), Some(Reason::CriticalAlert));
    assert_eq!(world.rollbacks(), 2);
}

#[test]
fn an_alert_older_than_the_canary_gets_a_grace_before_it_counts_against_it() {
    let mut world = World::with_canary();
    let old = world.alert("ErrorRate", "critical", 0);
    world.fire(&old);
    world.finish();
    world.wait(120);
    world.share(0);
    world.wait(10);
    assert_eq!(
        world.share(1),
        Some(Reason::OlderThanCanary),
        "the firing alert is looked at when a canary starts"
    );
    assert_eq!((world.phase(), world.rollbacks()), ("grace", 1));
    world.wait(290);
    world.share(1);
    world.confirm(Confirmation::StillFiring);
    assert_eq!((world.phase(), world.rollbacks()), ("rolling_back", 2));
}

#[test]
fn a_fresh_critical_on_the_new_canary_does_not_wait_for_the_old_ones_grace() {
    let mut world = World::with_canary();
    let old = world.alert("ErrorRate", "critical", 0);
    world.fire(&old);
    world.finish();
    world.wait(130);
    world.share(1);
    world.wait(5);
    assert_eq!(world.critical("Csp"), Some(Reason::CriticalAlert));
    assert_eq!(world.rollbacks(), 2);
}

#[test]
fn a_firing_older_than_its_resolve_is_asked_about_at_once() {
    for (answer, phase) in [
        (Confirmation::Gone, "cancelled"),
        (Confirmation::StillFiring, "rolling_back"),
        (Confirmation::NoAnswer, "rolling_back"),
    ] {
        let mut world = World::with_canary();
        world.share(0);
        let critical = world.alert("ErrorRate", "critical", 100);
        world.fire(&critical);
        world.wait(10);
        world.resolve("ErrorRate");
        world.state.run = None;
        world.reading = Reading::NotConfigured;
        world.wait(1);
        assert_eq!(world.fire(&critical), Some(Reason::OlderThanResolve));
        assert!(world.asks_to_confirm());
        world.confirm(answer);
        assert_eq!(world.phase(), phase, "{answer:?}");
    }
}

#[test]
fn a_late_resolve_of_an_earlier_episode_leaves_the_present_one() {
    let mut world = World::with_canary();
    world.warning("Latency");
    let known = world.alert("Latency", "warning", 600);
    let stale =
        Alert { status: AlertStatus::Resolved, ends_at: Some(world.now - TimeDelta::seconds(300)), ..known };
    assert_eq!(world.fire(&stale), Some(Reason::ResolvedElsewhere));
    assert!(world.incident().has_firing_alert());
}

#[test]
fn in_shadow_mode_people_are_told_what_would_have_been_done() {
    let mut world = World::with_people();
    world.policy.mode = Mode::Shadow;
    world.critical("Errors");
    assert_eq!(world.notices(), ["would_roll_back"]);
    let mut world = World::with_people();
    world.policy.mode = Mode::Shadow;
    world.warning("Errors");
    world.wait(300);
    world.confirm(Confirmation::StillFiring);
    assert_eq!(world.notices(), ["grace_opened", "would_roll_back"]);
    let opened = world.incident().notices.first().and_then(|notice| notice.fact.clone());
    assert!(matches!(opened, Some(NoticeFact::GraceOpened { shadow: true, .. })), "{opened:?}");
    assert_eq!((world.phase(), world.rollbacks()), ("declined", 0));
}

#[test]
fn shadow_and_off_touch_nothing_and_say_why() {
    let mut shadow = World::with_canary();
    shadow.policy.mode = Mode::Shadow;
    assert_eq!(shadow.critical("ErrorRate"), Some(Reason::ShadowMode));
    assert_eq!((shadow.phase(), shadow.rollbacks()), ("declined", 0));
    let again = shadow.alert("ErrorRate", "critical", 0);
    assert_eq!(shadow.fire(&again), Some(Reason::Duplicate));

    let mut off = World::with_canary();
    off.policy.mode = Mode::Off;
    assert_eq!(off.critical("ErrorRate"), Some(Reason::ModeOff));
    assert!(off.state.incident.is_none());
}

#[test]
fn an_unknown_severity_is_recorded_and_not_acted_upon() {
    let mut world = World::with_canary();
    let odd = world.alert("Odd", "page", 0);
    assert_eq!(world.fire(&odd), Some(Reason::SeverityNotActionable));
    assert!(world.state.incident.is_none() && world.state.alerts.len() == 1);
}

#[test]
fn an_alert_that_waits_is_decided_even_if_there_is_no_longer_a_place_to_read() {
    let mut world = World::with_canary();
    world.wait(31);
    world.critical("ErrorRate");
    world.reading = Reading::NotConfigured;
    assert_eq!(world.send(&Input::ShareRead), Some(Reason::CriticalAlert));
    assert!(world.state.triage.is_empty());
}
