//! What holds on either side of a limit, to the second.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Command, Confirmation, Input, Mode, Reading, Refusal, Request};
use crate::incident::{
    CheckOutcome, Event, Phase, Reason, Revision, Share, Step, StepOutcome, Verdict, Verification,
};

/// Rolls back, and again `after` seconds later, of `revision`; whether that is reported as repeated.
fn again_after(world: &mut World, after: i64, revision: &str) -> bool {
    let told = world.notices().iter().filter(|kind| **kind == "repeated_rollback").count();
    world.wait(after - 1);
    world.policy.revision = Revision::new(revision);
    world.share(5);
    world.wait(1);
    assert_eq!(world.critical(&format!("After{after}")), Some(Reason::CriticalAlert));
    world.finish();
    world.notices().iter().filter(|kind| **kind == "repeated_rollback").count() > told
}

fn rolled_back() -> World {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.finish();
    world
}

#[test]
fn another_revision_is_one_too_many_for_an_hour_and_the_same_one_is_not() {
    for (after, revision, told) in [(3_599, "v1.4.1", true), (3_600, "v1.4.1", false), (600, "v1.4.0", false)]
    {
        assert_eq!(again_after(&mut rolled_back(), after, revision), told, "{revision} after {after} s");
    }
}

#[test]
fn rollbacks_are_counted_for_a_day_and_then_forgotten() {
    for (after, told, kept) in [(46_399, true, 3), (46_400, false, 3), (46_401, false, 2)] {
        let mut world = rolled_back();
        assert!(!again_after(&mut world, 40_000, "v1.4.0"));
        assert_eq!(again_after(&mut world, after, "v1.4.0"), told, "{after}");
        assert_eq!(world.state.rollbacks.len(), kept, "{after}");
    }
}

#[test]
fn rollbacks_and_the_canarys_start_move_with_the_clock() {
    for step in [-7_200, 7_200] {
        let by = TimeDelta::seconds(step);
        let mut world = rolled_back();
        world.wait(1);
        world.resolve("ErrorRate");
        world.share(0);
        let ended_at = world.state.answered_until.map(|at| at + by);
        let read_at = world.state.share_at.map(|at| at + by);
        world.now += by;
        world.send(&Input::ClockStepped { by });
        world.last_zero_at = world.last_zero_at.map(|at| at + by);
        assert_eq!((world.state.answered_until, world.state.share_at), (ended_at, read_at), "{step}");
        assert!(again_after(&mut world, 600, "v1.4.1"), "{step}: an hour lasts an hour");

        let mut running = World::with_canary();
        running.share(0);
        running.wait(60);
        running.share(5);
        running.now += by;
        running.send(&Input::ClockStepped { by });
        running.share(5);
        let old = running.alert("ErrorRate", "critical", 60);
        assert_eq!(running.fire(&old), Some(Reason::OlderThanCanary), "{step}");
        let fresh = running.alert("Csp", "critical", 59);
        assert_eq!(running.fire(&fresh), Some(Reason::CriticalAlert), "{step}");
        running.step(StepOutcome::Done);
        let due = running.now + TimeDelta::seconds(600) + by;
        running.now += by;
        running.send(&Input::ClockStepped { by });
        let verifying = Phase::Verifying { since: running.now, until: due, attempt: 1 };
        assert_eq!(running.incident().phase, verifying, "{step}");
    }
}

#[test]
fn a_set_clock_is_stored_where_times_are_remembered_and_nowhere_else() {
    let mut world = World::with_canary();
    let stored = world.journal.len();
    world.send(&Input::ClockStepped { by: TimeDelta::seconds(60) });
    assert_eq!(world.journal.len(), stored + 1);
    world.state = crate::incident::RolloutState::default();
    world.send(&Input::ClockStepped { by: TimeDelta::seconds(60) });
    assert_eq!(world.journal.len(), stored + 1);
}

#[test]
fn what_an_earlier_attempt_reports_moves_nothing_of_the_present_one() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Failed);
    let earlier = world.incident().steps[0].clone();
    world.wait(14);
    assert_eq!(world.send(&Input::Tick), None, "not before its time");
    assert_eq!(world.phase(), "failed");
    world.wait(1);
    assert_eq!(world.send(&Input::Tick), Some(Reason::Retry));
    let incident = world.id();
    let step = crate::incident::StepRecord { outcome: StepOutcome::Done, ..earlier };
    assert_eq!(world.send(&Input::StepEnded { incident: incident.clone(), attempt: 1, step }), None);
    assert_eq!(world.phase(), "rolling_back");
    world.step(StepOutcome::Done);
    let (started_at, ended_at) = (world.now, world.now);
    let check = crate::incident::Check {
        name: crate::incident::CheckName::TrafficShare,
        outcome: CheckOutcome::Pass,
        detail: String::new(),
    };
    let verification = Verification { started_at, ended_at, verdict: Verdict::Verified, checks: vec![check] };
    assert_eq!(world.send(&Input::Verified { incident, attempt: 1, verification }), None);
    assert_eq!((world.phase(), world.incident().attempt()), ("verifying", 2));
}

#[test]
fn only_what_was_sent_and_can_not_be_read_is_given_up() {
    for (outcome, readable, sent) in [
        (StepOutcome::NotEffective, false, 3),
        (StepOutcome::NotEffective, true, 10),
        (StepOutcome::Failed, false, 10),
        (StepOutcome::Failed, true, 10),
    ] {
        let mut world = World::with_canary();
        world.critical("ErrorRate");
        if !readable {
            world.reading = Reading::NotConfigured;
        }
        let mut tried = 0;
        while tried < 10 && world.phase() == "rolling_back" {
            world.step(outcome);
            tried += 1;
            world.wait(300);
            world.send(&Input::Tick);
        }
        assert_eq!(tried, sent, "{outcome:?}, readable: {readable}");
    }
}

#[test]
fn traffic_read_at_the_very_instant_at_which_it_was_taken_off_has_returned() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Done);
    assert_eq!(world.share(25), Some(Reason::TrafficReturned));
}

#[test]
fn an_episode_without_a_canary_ends_after_a_day_and_news_of_its_alert_joins_until_then() {
    let mut world = World::with_canary();
    world.share(0);
    world.critical("ErrorRate");
    let first = world.id();
    world.wait(86_399);
    world.share(0);
    assert_eq!(world.critical("ErrorRate"), Some(Reason::NoCanary), "a new start is news");
    assert_eq!(world.id(), first);
    world.wait(1);
    world.critical("ErrorRate");
    assert_ne!(world.id(), first);
    world.wait(1);
    assert_eq!(world.share(0), None, "no canary begins at 0 %");
}

#[test]
fn a_listed_alert_waits_for_no_reading_while_the_poll_says_0_percent() {
    for (share, age, reason) in [
        (Some(Share(0)), 3, Reason::Duplicate),
        (Some(Share(0)), 30, Reason::Duplicate),
        (Some(Share(0)), 31, Reason::ShareUnread),
        (Some(Share(0)), -1, Reason::ShareUnread),
        (Some(Share(25)), 31, Reason::ShareUnread),
        (None, 3, Reason::ShareUnread),
    ] {
        let mut world = World::with_canary();
        let alert = world.alert("ErrorRate", "critical", 0);
        world.fire(&alert);
        world.finish();
        world.reading = Reading::At { at: world.now - TimeDelta::seconds(age), share };
        assert_eq!(world.fire(&alert), Some(reason), "{share:?}, {age} s ago");
    }
}

#[test]
fn a_hold_and_a_verification_last_as_long_as_the_settings_say() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.person(Request::Hold { incident: world.id(), until: None });
    let until = |world: &World| match &world.incident().phase {
        Phase::Held(hold) => Some((hold.until - world.now).num_seconds()),
        _ => None,
    };
    assert_eq!(until(&world), Some(1_800));
    for _ in 0..2 {
        world.wait(1_800);
        world.confirm(Confirmation::Silenced);
        assert_eq!(until(&world), Some(300));
    }
    let mut silenced = World::with_canary();
    silenced.warning("Latency");
    silenced.wait(300);
    silenced.confirm(Confirmation::Silenced);
    assert_eq!(until(&silenced), Some(300));
    silenced.person(Request::Close { incident: silenced.id(), words: "muted".to_owned() });
    assert_eq!(silenced.phase(), "closed");
}

#[test]
fn a_request_in_the_wrong_state_is_refused_by_name() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.person(Request::Resume { incident: world.id() });
    assert!(matches!(world.refusal, Some(Refusal::WrongState { .. })), "{:?}", world.refusal);
    world.finish();
    world.person(Request::Acknowledge { incident: world.id() });
    assert_eq!(world.refusal, None, "whoever was paged says so, also when it is over");
    let unknown = crate::incident::IncidentId::new("another");
    for request in [
        Request::Acknowledge { incident: unknown.clone() },
        Request::Close { incident: unknown.clone(), words: "no".to_owned() },
    ] {
        world.person(request);
        assert_eq!(world.refusal, Some(Refusal::NotOpen(unknown.clone())));
    }
}

#[test]
fn a_canary_that_begins_acts_on_nothing_that_mode_or_severity_rule_out() {
    for (mode, severity) in [(Mode::Off, "critical"), (Mode::Armed, "page-me")] {
        let mut world = World::with_canary();
        world.share(0);
        world.policy.mode = mode;
        let alert = world.alert("ErrorRate", severity, 0);
        world.fire(&alert);
        world.wait(1);
        world.share(25);
        assert!(world.state.incident.is_none(), "{mode:?} {severity}");
    }
}

#[test]
fn a_run_begins_at_the_stored_0_percent_after_a_restart_and_goes_on_through_its_stages() {
    let mut world = World::with_canary();
    world.share(0);
    let zero_at = world.now;
    world.last_zero_at = None;
    world.wait(60);
    world.share(5);
    world.wait(60);
    world.share(25);
    assert_eq!(world.state.run.as_ref().and_then(|run| run.started_at), Some(zero_at));
    world.unreadable();
    world.policy.revision = Revision::new("v1.4.1");
    let stored = world.journal.len();
    world.unreadable();
    assert_eq!(world.journal.len(), stored, "nothing new was read");
}

#[test]
fn an_alert_that_waited_for_the_share_keeps_its_doubt() {
    let mut world = World::with_canary();
    world.share(0);
    world.wait(60);
    world.share(5);
    world.wait(31);
    let old = world.alert("ErrorRate", "critical", 100);
    assert_eq!(world.fire(&old), Some(Reason::ShareUnread));
    assert_eq!(world.state.triage.by_urgency()[0].reason, Reason::ShareUnread);
    assert_eq!(world.share(5), Some(Reason::OlderThanCanary));
    let ends_at = world.incident().grace_ends_at.map(|ends_at| (ends_at - world.now).num_seconds());
    assert_eq!(ends_at, Some(300 - 91), "from the canary's start");
}

#[test]
fn an_alert_is_kept_with_what_it_led_to_and_a_grace_moves_only_forward() {
    let mut world = World::with_canary();
    world.warning("Latency");
    world.warning("Slow");
    let reasons: Vec<_> = world.incident().alerts.iter().map(|attached| attached.reason).collect();
    assert_eq!(reasons, [Reason::WarningAlert, Reason::JoinedGrace]);
    assert!(!world.journal.iter().any(|stored| matches!(stored.event, Event::GraceMoved { .. })));
    assert_eq!(world.resolve("Slow"), Some(Reason::ResolvedElsewhere), "it ends as it begins");
    world.wait(1);
    assert_eq!(world.resolve("Slow"), Some(Reason::ResolveNotTrusted));
    assert_eq!(world.resolve("Slow"), Some(Reason::Duplicate));
}

#[test]
fn only_a_fresh_critical_hurries_a_failed_rollback() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Failed);
    world.warning("Latency");
    assert_eq!(world.phase(), "failed");
    world.critical("Csp");
    assert_eq!((world.phase(), world.incident().attempt()), ("rolling_back", 2));
    assert!(world.due().contains(&Command::RunStep {
        incident: world.id(),
        attempt: 2,
        step: Step::TrafficOff
    }));
}
