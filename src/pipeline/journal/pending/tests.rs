//! What is not durable yet, without a store.

use chrono::DateTime;
use tokio::sync::{oneshot, watch};

use super::*;
use crate::incident::Event;
use crate::incident::fixtures::firing;
use crate::pipeline::fixtures::name;
use crate::pipeline::journal::{JournalError, Receipt, Ruling};

type Answered = oneshot::Receiver<Result<Receipt, JournalError>>;

fn pending() -> (Pending, watch::Receiver<States>) {
    let (shown, states) = watch::channel(States::new());
    (Pending::new(Publisher::new(shown), HeldBlobs::default()), states)
}

/// A submission of so many events.
fn decision(events: usize, wants: Wants) -> (Decision, Answered) {
    let (caller, answered) = oneshot::channel();
    let answer = Answer::new(Vec::<Ruling>::new(), caller);
    let (at, event) = (DateTime::UNIX_EPOCH, Event::WatchdogBack);
    let stored = StoredAs { at, rollout: name(), incident: None, event };
    (Decision::new(vec![stored; events], Vec::new(), Some((answer, wants))), answered)
}

/// Adds one submission of one event, which waits from this time on.
fn push(pending: &mut Pending, wants: Wants, is_urgent: bool, since: Instant) -> Answered {
    let (decision, answered) = decision(1, wants);
    pending.push(vec![decision], &States::new(), is_urgent, Some(since));
    answered
}

/// `None`: nobody has answered yet; else whether it was said to be durable.
fn said(answered: &mut Answered) -> Option<bool> {
    answered.try_recv().ok().map(|answer| answer.expect("it was decided").durable)
}

#[tokio::test(start_paused = true)]
async fn each_caller_is_answered_when_their_own_time_is_over() {
    let (mut pending, _states) = pending();
    let start = Instant::now();
    let gone = push(&mut pending, Wants::Durability, false, start);
    pending.settle(1);
    drop(gone);
    let second = Duration::from_secs(1);
    let mut first = push(&mut pending, Wants::Durability, false, start);
    let mut later = push(&mut pending, Wants::Durability, false, start + second);
    assert_eq!(pending.next_deadline(), Some(start + ANSWER_WITHIN));
    assert!(!pending.answer_if_due(start + ANSWER_WITHIN - second));
    assert!(pending.answer_if_due(start + ANSWER_WITHIN));
    assert_eq!((said(&mut first), said(&mut later)), (Some(false), None));
    assert_eq!(pending.next_deadline(), Some(start + second + ANSWER_WITHIN));
    assert!(pending.answer_if_due(start + second + ANSWER_WITHIN));
    assert_eq!(said(&mut later), Some(false));
    assert_eq!(pending.next_deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_deed_is_answered_with_it_and_nobody_who_came_later_is() {
    let (mut pending, _states) = pending();
    let start = Instant::now();
    let gone = push(&mut pending, Wants::Durability, false, start);
    pending.settle(1);
    drop(gone);
    let second = Duration::from_secs(1);
    let mut webhook = push(&mut pending, Wants::Durability, true, start);
    let mut person = push(&mut pending, Wants::Action, true, start);
    let mut later = push(&mut pending, Wants::Action, true, start + second);
    assert!(!pending.act_if_due(start));
    assert!(pending.act_if_due(start + ACT_AFTER));
    assert_eq!((said(&mut webhook), said(&mut person), said(&mut later)), (None, Some(false), None));
    assert!(!pending.act_if_due(start + ACT_AFTER), "it is done once");
    assert_eq!(pending.untold().len(), 2, "the webhook's event and the person's");
    assert!(pending.untold().is_empty());
    assert!(pending.act_if_due(start + second + ACT_AFTER));
    assert_eq!(said(&mut later), Some(false));
    assert_eq!(pending.untold().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn room_is_left_for_what_is_decided_and_not_pending_yet() {
    let (mut pending, _states) = pending();
    let (decision, _answered) = decision(15_000, Wants::Durability);
    pending.push(vec![decision], &States::new(), false, None);
    let alert = firing("Warning", &[("severity", "warning")], DateTime::UNIX_EPOCH);
    let warning = Input::Alert { alert, body: None };
    let has_room = |decided| pending.has_room_for(decided, std::iter::once(&warning));
    assert!(has_room(0) && has_room(4_999));
    assert!(!has_room(5_000));
}

#[tokio::test(start_paused = true)]
async fn what_was_acted_upon_is_kept_however_often_somebody_else_writes_and_what_is_shown_is_new() {
    let (mut pending, mut states) = pending();
    let start = Instant::now();
    let mut critical = push(&mut pending, Wants::Durability, true, start);
    let mut another = push(&mut pending, Wants::Durability, true, start);
    let mut warning = push(&mut pending, Wants::Durability, false, start);
    assert!(pending.act_if_due(start + ACT_AFTER));
    for _ in 0..3 {
        states.mark_unchanged();
        assert_eq!(pending.keep_acted("another writer").len(), 2);
        pending.show(&States::new());
        assert!(states.has_changed().expect("it lives"), "what they wrote is published");
    }
    assert!(warning.try_recv().expect("answered").is_err(), "it has not happened");
    let mut later = push(&mut pending, Wants::Durability, true, start);
    assert!(pending.act_if_due(start + ACT_AFTER));
    assert_eq!(pending.keep_acted("another writer").len(), 3);
    pending.settle(3);
    for answered in [&mut critical, &mut another, &mut later] {
        assert_eq!(said(answered), Some(true));
    }
    assert!(pending.is_empty());
}
