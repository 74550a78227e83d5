//! What became of each message is shown with it, and what waits is counted with its first error.

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::incident::fixtures::{opened_by_warning, raised};
use crate::incident::{
    Event, Incident, IncidentId, MessageOutcome, NoticeFact, References, RolloutName, RolloutState, StoredAs,
};
use crate::web::IncidentView;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn noted(number: u32, to: &[&str]) -> Event {
    raised(number, NoticeFact::Acknowledged { actor: "ada".to_owned() }, to)
}

fn begun(channel: &str, number: u32) -> Event {
    let (channel, notice) = (ChannelName::new(channel), NoticeId(number));
    Event::MessageBegun { channel, notice, call: "root".to_owned() }
}

fn ended(channel: &str, number: u32, outcome: MessageOutcome) -> Event {
    let (channel, notice) = (ChannelName::new(channel), NoticeId(number));
    Event::MessageEnded { channel, notice, call: "root".to_owned(), outcome }
}

fn failed(error: &str, seconds: i64) -> MessageOutcome {
    MessageOutcome::Failed { error: error.to_owned(), retry_at: at(seconds) }
}

#[test]
fn each_notice_says_what_became_of_it_on_each_channel() {
    let (id, rollout) = (IncidentId::new("i"), RolloutName::new("r"));
    let mut incident = Incident::open(id, rollout, at(0), opened_by_warning("Latency"));
    let superseded =
        Event::MessagesSuperseded { channel: ChannelName::new("slack"), notices: vec![NoticeId(2)] };
    for (seconds, event) in [
        (1, noted(1, &["slack", "pagerduty", "page"])),
        (2, noted(2, &["slack"])),
        (3, noted(3, &[])),
        (4, begun("slack", 1)),
        (5, ended("slack", 1, MessageOutcome::Sent { references: References::new(), complete: true })),
        (6, begun("pagerduty", 1)),
        (7, ended("pagerduty", 1, failed("no route", 60))),
        (8, begun("page", 1)),
        (9, ended("page", 1, MessageOutcome::GivenUp { error: "401".to_owned() })),
        (10, superseded),
    ] {
        incident.apply(at(seconds), &event);
    }
    let view = serde_json::to_value(IncidentView::from(&incident)).expect("JSON");
    let told = |number: usize| &view["notifications"][number];
    assert_eq!((&told(0)["id"], &told(0)["text"]), (&json!(1), &json!("ada has taken note")));
    let of = |channel, state, seconds, attempts, error, next: Option<i64>| {
        let next = next.map(at);
        json!({ "channel": channel, "state": state, "at": at(seconds), "attempts": attempts, "error": error, "next_try_at": next })
    };
    let expected = json!([
        of("page", "given_up", 9, 1, Some("401"), None),
        of("pagerduty", "waiting", 1, 1, Some("no route"), Some(60)),
        of("slack", "sent", 5, 1, None, None),
    ]);
    assert_eq!(told(0)["channels"], expected);
    assert_eq!(told(1)["channels"], json!([of("slack", "superseded", 10, 0, None, None)]));
    assert_eq!(told(2)["channels"], json!([]));
}

#[test]
fn a_rollout_lists_what_waits_for_each_channel_and_its_own_notices_that_do() {
    let mut state = RolloutState::default();
    let mut tell = |seconds, incident: Option<&str>, event| {
        let (rollout, incident) = (RolloutName::new("r"), incident.map(IncidentId::new));
        state.apply(&StoredAs { at: at(seconds), rollout, incident, event });
    };
    tell(0, Some("i"), Event::IncidentOpened(opened_by_warning("Latency")));
    tell(5, Some("i"), noted(1, &["slack"]));
    tell(3, None, raised(1, NoticeFact::WatchdogLost { silent_seconds: 180 }, &["slack", "pagerduty"]));
    tell(6, Some("i"), noted(2, &["slack"]));
    tell(7, Some("i"), begun("slack", 1));
    tell(8, Some("i"), ended("slack", 1, failed("channel_not_found", 30)));
    let undelivered: Vec<_> = state.backlogs().iter().map(UndeliveredView::from).collect();
    let of = |channel: &str, messages, error: Option<&str>, next: Option<i64>| UndeliveredView {
        channel: channel.to_owned(),
        messages,
        since: at(3),
        last_error: error.map(str::to_owned),
        next_try_at: next.map(at),
    };
    let expected = [of("pagerduty", 1, None, None), of("slack", 3, Some("channel_not_found"), Some(30))];
    assert_eq!(undelivered, expected);
    let own = own_notifications(&state.deliveries);
    assert_eq!((own.len(), own[0].kind.as_str(), own[0].channels.len()), (1, "watchdog_lost", 2));
}
