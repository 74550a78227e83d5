//! Messages to people: stored before they are sent, in order, tried again, given up, left out.

use chrono::TimeDelta;

use crate::decision::people::{CHAT, PAGE, failed, refused, sent};
use crate::decision::world::World;
use crate::decision::{Input, Sending};
use crate::incident::{DeliveryEnd, Event, NoticeFact, NoticeKind, References, StepOutcome};

/// A rollback that has begun, long enough ago for people to be told.
fn rolling_back() -> World {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    world.wait(1);
    world
}

#[test]
fn what_people_are_to_know_is_stored_with_whom_it_goes_to_in_the_decision_itself() {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    let raised = world.journal.iter().find_map(|stored| match &stored.event {
        Event::NoticeRaised { to, id, fact, .. } => Some((to.clone(), *id, fact.clone())),
        _ => None,
    });
    let (to, id, fact) = raised.expect("a notice");
    assert_eq!(to.iter().map(|name| name.as_str()).collect::<Vec<_>>(), [CHAT, PAGE]);
    assert_eq!(id.map(|id| id.0), Some(1));
    assert!(matches!(fact.as_deref(), Some(NoticeFact::RollbackStarted { .. })), "{fact:?}");
}

#[test]
fn a_rollback_that_begins_is_acted_upon_before_anybody_is_told() {
    let mut world = World::with_people();
    world.critical("ErrorRate");
    assert!(world.due().iter().any(|command| command.acts()));
    assert_eq!(world.to_send(CHAT), [], "not in the same moment");
    world.now += TimeDelta::milliseconds(200);
    assert_eq!(world.to_send(CHAT).len(), 1, "but without waiting for the step, which may hang");
}

#[test]
fn a_channel_without_an_answer_holds_up_no_other() {
    let mut world = rolling_back();
    let message = world.to_send(CHAT).remove(0);
    world.begin(&message);
    assert_eq!(world.deliver(PAGE, sent()).0, 1);
    assert_eq!(world.ends(PAGE), [DeliveryEnd::Sent]);
    assert_eq!(world.waiting(CHAT), ["rollback_started"]);
}

#[test]
fn messages_of_one_channel_go_in_order_and_a_later_one_waits_for_a_retried_one() {
    let mut world = rolling_back();
    world.deliver(CHAT, failed());
    world.finish();
    assert_eq!(world.waiting(CHAT), ["rollback_started", "rollback_ended"]);
    assert_eq!(world.to_send(CHAT), [], "the first is due in a second");
    world.wait(1);
    assert_eq!(world.deliver(CHAT, sent()).0, 1);
    assert_eq!(world.deliver(CHAT, sent()).0, 2);
}

#[test]
fn a_page_is_tried_after_1_5_30_30_30_and_then_every_60_seconds() {
    let mut world = rolling_back();
    world.deliver_all(CHAT);
    world.step(StepOutcome::Failed);
    let mut gaps = Vec::new();
    for _ in 0..7 {
        world.deliver(CHAT, failed());
        let began = world.now;
        while world.to_send(CHAT).is_empty() {
            world.wait(1);
        }
        gaps.push((world.now - began).num_seconds());
    }
    assert_eq!(gaps, [1, 5, 30, 30, 30, 60, 60]);
}

#[test]
fn a_channel_that_fails_three_times_is_reported_through_the_others_once() {
    let mut world = rolling_back();
    let told = |world: &World| world.notices().iter().filter(|kind| **kind == "channel_failed").count();
    for (tries, reported) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1)] {
        world.wait(301);
        if !world.to_send(PAGE).is_empty() {
            world.deliver(PAGE, failed());
        }
        assert_eq!(told(&world), reported, "after {tries} tries");
    }
    assert!(world.waiting(CHAT).contains(&"channel_failed"));
    let fact = world.incident().notices.iter().find_map(|notice| {
        notice.fact.clone().filter(|fact| matches!(fact, NoticeFact::ChannelFailed { .. }))
    });
    assert!(matches!(fact, Some(NoticeFact::ChannelFailed { matters: true, .. })), "the public reads it");
    assert!(!world.waiting(PAGE).contains(&"channel_failed"), "not to itself");
}

#[test]
fn what_is_refused_for_good_is_not_tried_again_and_is_said_elsewhere() {
    let mut world = rolling_back();
    world.deliver(PAGE, refused());
    assert_eq!(world.ends(PAGE), [DeliveryEnd::GivenUp("channel_not_found".to_owned())]);
    assert_eq!(world.waiting(CHAT), ["rollback_started", "channel_failed"]);
    // Two that are down don't report each other's reports without end.
    world.deliver(CHAT, refused());
    world.deliver(CHAT, refused());
    assert_eq!(world.notices().iter().filter(|kind| **kind == "channel_failed").count(), 2);
    assert!(world.to_send(CHAT).is_empty() && world.to_send(PAGE).is_empty());
}

#[test]
fn a_channel_that_asks_to_be_left_alone_is_but_for_five_minutes_at_most() {
    for (asked, waits) in [(0, 1), (7, 7), (86_400, 300)] {
        let mut world = rolling_back();
        let retry_after = Some(TimeDelta::seconds(asked));
        world.deliver(CHAT, Sending::Failed { error: "429".to_owned(), retry_after });
        world.wait(waits - 1);
        assert_eq!(world.to_send(CHAT), [], "{asked}");
        world.wait(1);
        assert_eq!(world.to_send(CHAT).len(), 1, "{asked}");
    }
}

#[test]
fn a_call_without_a_known_end_may_have_arrived_also_after_a_restart() {
    let mut world = rolling_back();
    let message = world.to_send(CHAT).remove(0);
    let may_have = |world: &World| world.queue(&world.id(), CHAT).waiting[0].may_have_arrived();
    assert!(!may_have(&world));
    world.begin(&message);
    assert!(may_have(&world), "what is stored before it is sent says so");
    world.ended(&message, failed());
    assert!(!may_have(&world), "it did not");
    world.wait(1);
    world.begin(&message);
    world.ended(&message, Sending::Unknown { error: "timeout".to_owned() });
    assert!(may_have(&world));
    world.wait(5);
    world.begin(&message);
    world.ended(&message, failed());
    assert!(may_have(&world), "the try before may have arrived all the same");
}

#[test]
fn a_notice_that_needs_two_calls_goes_on_with_the_second() {
    let mut world = rolling_back();
    let references = References::from([("ts".to_owned(), "1.2".to_owned())]);
    world.deliver(CHAT, Sending::Sent { references: references.clone(), complete: false });
    let queue = world.queue(&world.id(), CHAT);
    assert_eq!((queue.waiting[0].done.as_slice(), queue.waiting[0].attempts), (&["say".to_owned()][..], 0));
    assert_eq!(queue.references, references);
    world.deliver(CHAT, sent());
    assert!(world.waiting(CHAT).is_empty());
    assert_eq!(world.queue(&world.id(), CHAT).references, references, "remembered for later notices");
}

#[test]
fn after_an_outage_people_get_the_state_and_not_its_history() {
    let mut world = World::with_people();
    world.warning("Latency");
    for _ in 0..20 {
        world.person(crate::decision::Request::Hold { incident: world.id(), until: None });
        world.wait(10);
    }
    world.person(crate::decision::Request::Close { incident: world.id(), words: "seen".to_owned() });
    let waiting = world.waiting(CHAT).len();
    assert_eq!(waiting, 22);
    world.wait(130);
    let message = world.to_send(CHAT).remove(0);
    world.begin(&message);
    assert_eq!(world.waiting(CHAT), ["incident_closed"]);
    assert_eq!(world.ends(CHAT), vec![DeliveryEnd::Superseded; 21]);
    world.deliver(CHAT, sent());
    assert!(world.to_send(CHAT).is_empty());
}

#[test]
fn a_page_is_left_out_only_for_another_page_or_for_the_end() {
    let mut world = rolling_back();
    world.step(StepOutcome::Failed);
    world.person(crate::decision::Request::Acknowledge { incident: world.id() });
    world.wait(130);
    let message = world.to_send(CHAT).remove(0);
    world.begin(&message);
    assert_eq!(world.waiting(CHAT), ["rollback_failed", "acknowledged"], "only the start is left out");
    world.deliver(CHAT, sent());
    world.deliver(CHAT, sent());
}

#[test]
fn that_a_rollback_began_is_told_also_after_it_has_ended_while_its_alerts_fire() {
    let mut world = rolling_back();
    world.finish();
    world.wait(300);
    let first = world.to_send(CHAT).remove(0);
    world.begin(&first);
    assert_eq!(world.waiting(CHAT)[0], "rollback_started", "nobody was woken yet");

    let mut world = rolling_back();
    world.finish();
    world.wait(300);
    world.resolve("ErrorRate");
    let first = world.to_send(CHAT).remove(0);
    world.begin(&first);
    assert_eq!(world.waiting(CHAT), ["alerts_ended"], "there is nothing left to look at");
}

#[test]
fn what_the_public_waits_for_is_tried_as_often_as_a_page_until_its_first_update() {
    let mut world = rolling_back();
    world.finish();
    world.resolve("ErrorRate");
    let mut gaps = Vec::new();
    for _ in 0..6 {
        let first = world.to_send(PAGE).remove(0);
        let before = world.now;
        world.begin(&first);
        world.ended(&first, Sending::Failed { error: "down".to_owned(), retry_after: None });
        let retry_at = world.queue(&world.id(), PAGE).waiting[0].not_before.expect("a time");
        gaps.push((retry_at - before).num_seconds());
        world.now = retry_at;
    }
    assert_eq!(gaps, [1, 5, 30, 30, 30, 60]);
}

#[test]
fn what_is_fresh_or_under_way_is_never_left_out() {
    let mut world = rolling_back();
    let message = world.to_send(CHAT).remove(0);
    world.begin(&message);
    world.finish();
    world.wait(130);
    world.begin(&message);
    assert_eq!(world.waiting(CHAT), ["rollback_started", "rollback_ended"], "it may have arrived");
    let mut fresh = rolling_back();
    fresh.finish();
    let message = fresh.to_send(CHAT).remove(0);
    fresh.begin(&message);
    assert_eq!(fresh.waiting(CHAT), ["rollback_started", "rollback_ended"]);
}

#[test]
fn only_the_first_of_a_queue_may_be_sent_and_what_is_done_is_not_sent_again() {
    let mut world = rolling_back();
    let first = world.to_send(CHAT).remove(0);
    world.finish();
    let mut second = first.clone();
    second.notice.0 += 1;
    let begun =
        |world: &World| world.journal.iter().filter(|stored| stored.event.name() == "message_begun").count();
    world.begin(&second);
    assert_eq!(begun(&world), 0);
    world.begin(&first);
    world.ended(&first, sent());
    world.begin(&first);
    assert_eq!(begun(&world), 1);
    world.ended(&first, failed());
    assert_eq!(world.waiting(CHAT), ["rollback_ended"]);
}

#[test]
fn what_could_not_be_delivered_within_a_day_is_given_up() {
    let mut world = rolling_back();
    world.wait(86_401);
    world.deliver(PAGE, failed());
    assert!(
        matches!(world.ends(PAGE).as_slice(), [DeliveryEnd::GivenUp(error)] if error.contains("within a day"))
    );
}

#[test]
fn messages_of_an_incident_that_closed_and_was_replaced_are_still_delivered() {
    let mut world = rolling_back();
    world.finish();
    world.resolve("ErrorRate");
    let first = world.id();
    world.wait(3_600);
    world.share(25);
    world.warning("Latency");
    assert_ne!(world.id(), first);
    let due: Vec<_> = world.to_send(PAGE);
    assert_eq!(due.iter().map(|message| message.incident.clone()).collect::<Vec<_>>(), [Some(first.clone())]);
    world.begin(&due[0]);
    let due = world.to_send(PAGE).remove(0);
    world.begin(&due);
    world.ended(&due, sent());
    assert_eq!(world.queue(&first, PAGE).waiting.len(), 0);
}

#[test]
fn a_notice_of_a_version_that_sent_nothing_is_never_sent() {
    let old = r#"{"type":"notice_raised","kind":"rollback_started","text":"rolling back"}"#;
    let event: Event = serde_json::from_str(old).expect("read");
    let mut world = World::with_people();
    world.policy.recipients.clear();
    world.critical("ErrorRate");
    let incident = Some(world.id());
    let rollout = crate::incident::RolloutName::new("spark-trading");
    world.state.apply(&crate::incident::StoredAs { at: world.now, rollout, incident, event });
    world.wait(1);
    assert_eq!(world.to_send(CHAT), []);
    let last = world.incident().notices.last().map(|notice| (notice.kind, notice.sentence()));
    assert_eq!(last, Some((NoticeKind::RollbackStarted, "rolling back".to_owned())));
}

#[test]
fn a_watchdog_that_falls_silent_is_told_although_it_has_no_incident() {
    let mut world = World::with_people();
    world.watchdog_silent_seconds = 180;
    world.send(&Input::Tick);
    let due = world.to_send(CHAT);
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].incident, None);
    world.begin(&due[0]);
    world.ended(&due[0], sent());
    assert_eq!(world.to_send(CHAT), []);
    assert!(world.state.deliveries.is_settled());
}

#[test]
fn a_clock_that_is_set_moves_when_a_message_is_tried_again() {
    let mut world = rolling_back();
    for _ in 0..4 {
        world.wait(300);
        world.deliver(CHAT, failed());
    }
    let by = TimeDelta::hours(-3);
    world.now += by;
    world.send(&Input::ClockStepped { by });
    world.wait(29);
    assert_eq!(world.to_send(CHAT), []);
    world.wait(1);
    assert_eq!(world.to_send(CHAT).len(), 1);
}
