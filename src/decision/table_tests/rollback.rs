//! What follows from steps, read-backs, time and the Watchdog.

use crate::decision::world::World;
use crate::decision::{Command, Input, Reading, Request};
use crate::incident::{
    Check, CheckName, CheckOutcome, Event, Phase, Reason, Revision, Share, StepOutcome, Verdict, Verification,
};

#[test]
fn a_running_rollback_is_not_interrupted_by_a_resolve() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.wait(1);
    assert_eq!(world.resolve("ErrorRate"), Some(Reason::RollbackRunning));
    assert_eq!(world.phase(), "rolling_back");
    world.step(StepOutcome::Done);
    assert_eq!(world.phase(), "verifying");
}

#[test]
fn a_second_revision_within_an_hour_still_rolls_back_and_pages() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.finish();
    world.wait(600);
    world.policy.revision = Revision::new("v1.4.1");
    world.share(1);
    world.wait(1);
    assert_eq!(world.critical("Latency"), Some(Reason::CriticalAlert));
    assert_eq!(world.rollbacks(), 2);
    assert!(world.notices().contains(&"repeated_rollback"));
}

#[test]
fn the_third_rollback_in_a_day_pages_and_the_second_of_one_revision_does_not() {
    let mut world = World::with_canary();
    for round in 1..=3 {
        world.critical(&format!("Alert{round}"));
        world.finish();
        let paged = world.notices().contains(&"repeated_rollback");
        assert_eq!(paged, round == 3, "rollback {round}");
        world.wait(4_000);
        world.share(0);
        world.wait(1);
        world.share(5);
        world.wait(1);
    }
}

#[test]
fn a_failed_step_says_the_status_of_its_last_answer_also_of_one_without_a_body() {
    for (status, text, expected) in [
        (Some(503), "", "(1 attempt): status 503"),
        (Some(403), "no", "(1 attempt): status 403: no"),
        (None, "no route to host", "(1 attempt): no route to host"),
    ] {
        let mut world = World::with_canary();
        world.critical("ErrorRate");
        world.answered(status, text, StepOutcome::Failed);
        let detail = world.journal.iter().find_map(|stored| match &stored.event {
            Event::Failed { detail, .. } => Some(detail.clone()),
            _ => None,
        });
        assert!(detail.as_ref().is_some_and(|detail| detail.ends_with(expected)), "{detail:?}");
    }
}

#[test]
fn a_share_that_could_not_be_read_has_no_time_at_which_it_was() {
    let mut world = World::with_canary();
    world.unreadable();
    world.critical("ErrorRate");
    let cause = world.incident().cause();
    assert_eq!((cause.share, cause.share_read_at), (None, None));
    assert_eq!(world.incident().opened.share_read_at, None);
}

#[test]
fn a_failed_step_stays_open_is_loud_and_is_tried_again() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    assert_eq!(world.step(StepOutcome::NotEffective), Some(Reason::StepFailed));
    assert_eq!(world.phase(), "failed");
    assert!(world.notices().contains(&"rollback_failed"));
    world.wait(14);
    assert!(!world.due().contains(&Command::Tick));
    world.wait(1);
    assert!(world.due().contains(&Command::Tick));
    assert_eq!(world.send(&Input::Tick), Some(Reason::Retry));
    assert_eq!((world.phase(), world.incident().attempt()), ("rolling_back", 2));
    world.finish();
    assert_eq!(world.rollbacks(), 1, "an attempt is not another rollback");
}

#[test]
fn only_traffic_that_was_read_back_off_makes_a_rollback() {
    for (verdict, share, phase) in [
        (Verdict::Verified, CheckOutcome::Pass, "rolled_back"),
        (Verdict::Inconclusive, CheckOutcome::Pass, "rolled_back"),
        (Verdict::Inconclusive, CheckOutcome::Unknown, "failed"),
        (Verdict::Inconclusive, CheckOutcome::NotConfigured, "failed"),
        (Verdict::NotVerified, CheckOutcome::Fail, "failed"),
        (Verdict::NotVerified, CheckOutcome::Pass, "rolled_back"),
    ] {
        let mut world = World::with_canary();
        world.critical("ErrorRate");
        world.step(StepOutcome::Done);
        world.verify(verdict, share);
        assert_eq!(world.phase(), phase, "{verdict:?} {share:?}");
    }
}

#[test]
fn what_a_verification_found_wrong_is_said_in_words() {
    for (share, kind) in
        [(CheckOutcome::Pass, "rollback_not_verified"), (CheckOutcome::Fail, "rollback_failed")]
    {
        let mut world = World::with_canary();
        world.critical("ErrorRate");
        world.step(StepOutcome::Done);
        world.share(0);
        let check = |name, outcome, detail: &str| Check { name, outcome, detail: detail.to_owned() };
        let checks = vec![
            check(CheckName::TrafficShare, share, "read as 25 %"),
            check(CheckName::StableVersion, CheckOutcome::Fail, "1.3.8 answers"),
            check(CheckName::AlertExpression, CheckOutcome::Unknown, "no data"),
        ];
        let (started_at, ended_at) = (world.now, world.now);
        let verification = Verification { started_at, ended_at, verdict: Verdict::NotVerified, checks };
        world.send(&Input::Verified { incident: world.id(), attempt: 1, verification });
        let last = world.incident().notices.last().cloned().expect("a notice");
        let (said, text) = (last.kind, last.sentence());
        assert_eq!(said.as_str(), kind);
        let version = format!("{} is wrong: 1.3.8 answers", CheckName::StableVersion.words());
        assert!(text.contains(&version) && !text.contains("no data"), "{text}");
        assert_eq!(text.contains("read as 25 %; "), share == CheckOutcome::Fail, "{text}");
    }
}

#[test]
fn without_a_place_to_read_a_rollback_that_is_never_verified_is_not_repeated_for_ever() {
    let mut world = World::with_canary();
    world.reading = Reading::NotConfigured;
    world.critical("ErrorRate");
    for attempt in 1..=3 {
        assert_eq!(world.incident().attempt(), attempt);
        world.step(StepOutcome::DoneUnread);
        world.verify(Verdict::NotVerified, CheckOutcome::NotConfigured);
        world.wait(300);
        world.send(&Input::Tick);
    }
    assert!(
        matches!(world.incident().phase, Phase::Failed { attempt: 3, retry_at: None, .. }),
        "{:?}",
        world.incident().phase
    );
    assert_eq!(world.due().iter().filter(|command| command.acts()).count(), 0);
}

#[test]
fn with_the_traffic_off_whatever_else_is_wrong_is_loud_and_never_acted_upon_again() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Done);
    world.share(0);
    assert_eq!(world.verify(Verdict::NotVerified, CheckOutcome::Pass), Some(Reason::NotVerified));
    assert_eq!(world.notices().last(), Some(&"rollback_not_verified"));
    world.wait(1);
    world.resolve("ErrorRate");
    // The next canary of the same revision gets traffic, and no alert fires.
    for _ in 0..100 {
        world.wait(60);
        world.share(25);
        world.send(&Input::Tick);
        assert!(
            !world.due().iter().any(|command| matches!(command, Command::RunStep { .. } | Command::Tick))
        );
    }
    assert_eq!((world.phase(), world.rollbacks()), ("rolled_back", 1));
}

#[test]
fn without_a_place_to_read_a_sent_rollback_is_repeated_a_few_times_and_then_waits_for_a_person() {
    let mut world = World::with_canary();
    world.reading = Reading::NotConfigured;
    world.critical("ErrorRate");
    let mut sent = 0;
    for _ in 0..50 {
        if world.phase() == "rolling_back" {
            world.step(StepOutcome::DoneUnread);
            sent += 1;
            world.verify(Verdict::Inconclusive, CheckOutcome::NotConfigured);
        }
        world.wait(600);
        world.send(&Input::Tick);
    }
    assert_eq!((sent, world.phase()), (3, "failed"));
    assert_eq!(world.due().len(), 2, "only snapshot and evidence are left: {:?}", world.due());
    let fresh = world.alert("Csp", "critical", 0);
    assert_eq!(
        world.fire(&fresh),
        Some(Reason::CriticalAlert),
        "a fresh critical doesn't wait for the person"
    );
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn what_was_never_carried_out_is_tried_for_as_long_as_it_takes_and_reported_ever_rarer() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    for _ in 0..40 {
        world.step(StepOutcome::Failed);
        world.wait(300);
        world.send(&Input::Tick);
        assert_eq!(world.phase(), "rolling_back");
    }
    let reported = world.notices().iter().filter(|kind| **kind == "rollback_failed").count();
    assert_eq!(reported, 6, "after attempts 1, 2, 4, 8, 16 and 32");
}

#[test]
fn traffic_that_keeps_coming_back_is_taken_off_three_times_and_then_waits_for_a_person() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    for round in 1..=4 {
        world.step(StepOutcome::Done);
        world.wait(1);
        world.share(25);
        assert_eq!(world.phase(), "failed", "round {round}");
        world.wait(300);
        world.send(&Input::Tick);
        assert_eq!(world.phase(), if round <= 3 { "rolling_back" } else { "failed" }, "round {round}");
    }
}

#[test]
fn a_reading_that_was_asked_for_before_the_traffic_was_off_is_not_its_return() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    let asked_at = world.now;
    world.wait(2);
    world.step(StepOutcome::Done);
    world.reading = Reading::At { at: asked_at, share: Some(Share(25)) };
    assert_eq!(world.send(&Input::ShareRead), None);
    assert_eq!(world.phase(), "verifying");
}

#[test]
fn traffic_that_returns_during_verification_fails_the_rollback() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.step(StepOutcome::Done);
    world.share(0);
    world.wait(5);
    assert_eq!(world.share(25), Some(Reason::TrafficReturned));
    assert_eq!(world.phase(), "failed");
}

#[test]
fn a_silent_watchdog_is_told_once_and_only_while_a_canary_runs() {
    let mut world = World::with_canary();
    world.watchdog_silent_seconds = 179;
    world.send(&Input::Tick);
    assert!(!world.state.watchdog_lost);
    world.watchdog_silent_seconds = 180;
    world.send(&Input::Tick);
    let events = world.journal.len();
    world.send(&Input::Tick);
    assert!(world.state.watchdog_lost && world.journal.len() == events);
    assert_eq!(world.rollbacks(), 0, "missing data never rolls back");
    world.watchdog_silent_seconds = 0;
    world.send(&Input::Tick);
    assert!(!world.state.watchdog_lost);
    let mut idle = World::with_canary();
    idle.share(0);
    idle.watchdog_silent_seconds = 9_999;
    idle.send(&Input::Tick);
    assert!(!idle.state.watchdog_lost);
}

#[test]
fn a_critical_that_fired_while_backstop_was_down_rolls_back_the_canary_it_is_about() {
    let mut world = World::with_canary();
    let missed = world.alert("ErrorRate", "critical", 30);
    assert_eq!(world.send(&Input::Missed { alert: missed.clone() }), Some(Reason::MissedWhileDown));
    world.finish();
    assert_eq!(world.send(&Input::Missed { alert: missed }), Some(Reason::AlreadyAnswered));

    let mut newer = World::with_canary();
    newer.share(0);
    newer.wait(60);
    newer.share(5);
    let old = newer.alert("ErrorRate", "critical", 90);
    assert_eq!(newer.send(&Input::Missed { alert: old }), Some(Reason::OlderThanCanary));
}

#[test]
fn a_critical_that_fired_while_backstop_was_down_ends_a_warnings_grace_or_hold() {
    for held in [false, true] {
        let mut world = World::with_canary();
        world.warning("Latency");
        if held {
            world.person(Request::Hold { incident: world.id(), until: None });
        }
        world.wait(20);
        let missed = world.alert("ErrorRate", "critical", 10);
        assert_eq!(
            world.send(&Input::Missed { alert: missed }),
            Some(Reason::MissedWhileDown),
            "held: {held}"
        );
        assert_eq!((world.phase(), world.incident().cause().words.as_str()), ("rolling_back", "ErrorRate"));
    }
}

#[test]
fn a_missed_critical_joins_a_rollback_that_runs() {
    let mut world = World::with_canary();
    world.critical("ErrorRate");
    world.wait(20);
    let missed = world.alert("Csp", "critical", 10);
    assert_eq!(world.send(&Input::Missed { alert: missed }), Some(Reason::RollbackRunning));
    assert_eq!(world.rollbacks(), 1);
}

#[test]
fn a_reading_taken_before_the_clock_was_set_back_is_not_relied_upon() {
    let mut world = World::with_canary();
    world.wait(-3_600);
    assert_eq!(world.critical("ErrorRate"), Some(Reason::ShareUnread));
    world.reading = Reading::At { at: world.now, share: Some(Share(25)) };
    assert_eq!(world.send(&Input::ShareRead), Some(Reason::CriticalAlert));
}
