//! What waits, and what became of it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::fixtures::{self, opened_by_warning};
use crate::incident::{
    ChannelName, Event, IncidentId, MessageOutcome, NoticeFact, NoticeId, Reason, References, RolloutName,
    RolloutState, StoredAs,
};
use crate::metrics::Metrics;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn raised(number: u32, to: &[&str]) -> Event {
    fixtures::raised(number, NoticeFact::GraceCancelled { reason: Reason::NoCanary }, to)
}

fn ended(number: u32, outcome: MessageOutcome) -> Event {
    let (channel, notice) = (ChannelName::new("slack"), NoticeId(number));
    Event::MessageEnded { channel, notice, call: "root".to_owned(), outcome }
}

fn sent(complete: bool) -> MessageOutcome {
    MessageOutcome::Sent { references: References::new(), complete }
}

#[test]
fn what_waits_is_counted_over_incidents_and_the_rollout_itself_with_the_oldest_ones_age() {
    let metrics = Metrics::new(&[], &[]);
    metrics.channels(&[ChannelName::new("slack"), ChannelName::new("pagerduty")]);
    let mut state = RolloutState::default();
    let apply = |state: &mut RolloutState, seconds, incident: Option<&str>, event| {
        let (rollout, incident) = (RolloutName::new("spark"), incident.map(IncidentId::new));
        let stored = StoredAs { at: at(seconds), rollout, incident, event };
        state.apply(&stored);
        metrics.stored(&stored, None);
    };
    apply(&mut state, 0, Some("a"), Event::IncidentOpened(opened_by_warning("Latency")));
    apply(&mut state, 10, Some("a"), raised(1, &["slack", "gone"]));
    apply(&mut state, 20, Some("a"), Event::Cancelled { reason: Reason::NoCanary });
    apply(&mut state, 30, Some("b"), Event::IncidentOpened(opened_by_warning("Latency")));
    apply(&mut state, 40, Some("b"), raised(1, &["slack"]));
    apply(&mut state, 50, None, raised(1, &["slack"]));
    let look = |state: &RolloutState, seconds| {
        let states = [(RolloutName::new("spark"), Arc::new(state.clone()))];
        metrics.observe_states(states.iter().map(|(name, state)| (name, state)), at(seconds), 0);
        let text = metrics.render();
        move |channel: &str| {
            ["messages_undelivered", "message_oldest_undelivered_age_seconds"].map(|name| {
                let series = format!("backstop_{name}{{channel=\"{channel}\"}} ");
                text.lines().find_map(|line| line.strip_prefix(&series).map(str::to_owned))
            })
        }
    };
    let values = |count: &str, age: &str| [Some(count.to_owned()), Some(age.to_owned())];
    let seen = look(&state, 100);
    assert_eq!(seen("slack"), values("3", "90"));
    assert_eq!(seen("gone"), values("1", "90"), "a channel that is no longer configured");
    assert_eq!(seen("pagerduty"), values("0", "0"), "there at zero");
    apply(&mut state, 101, Some("a"), ended(1, sent(true)));
    assert_eq!(look(&state, 100)("slack"), values("2", "60"));
    apply(&mut state, 102, Some("b"), ended(1, sent(true)));
    apply(&mut state, 103, None, ended(1, sent(true)));
    assert_eq!(look(&state, 30)("slack"), values("0", "0"), "and a clock that was set back");
}

#[test]
fn a_configured_channel_that_refuses_for_good_shows_until_it_takes_a_message() {
    let metrics = Metrics::new(&[], &[]);
    metrics.channels(&[ChannelName::new("slack"), ChannelName::new("pagerduty")]);
    let mut states = [RolloutState::default(), RolloutState::default()];
    let tell = |state: &mut RolloutState, seconds, event| {
        let (rollout, incident) = (RolloutName::new("spark"), Some(IncidentId::new("a")));
        state.apply(&StoredAs { at: at(seconds), rollout, incident, event });
    };
    let look = |states: &[RolloutState; 2]| {
        let states = states.clone().map(|state| (RolloutName::new("spark"), Arc::new(state)));
        metrics.observe_states(states.iter().map(|(name, state)| (name, state)), at(100), 0);
        let text = metrics.render();
        let value = |channel: &str| {
            let series = format!("backstop_channel_refusing{{channel=\"{channel}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&series).map(str::to_owned))
        };
        [value("slack"), value("pagerduty"), value("gone")]
    };
    let values = |slack: &str| [Some(slack.to_owned()), Some("0".to_owned()), None];
    assert_eq!(look(&states), values("0"));
    let given_up = || MessageOutcome::GivenUp { error: "token_revoked".to_owned() };
    tell(&mut states[0], 1, ended(1, given_up()));
    let elsewhere = Event::MessageEnded {
        channel: ChannelName::new("gone"),
        notice: NoticeId(1),
        call: "root".to_owned(),
        outcome: given_up(),
    };
    tell(&mut states[0], 1, elsewhere);
    assert_eq!(look(&states), values("1"));
    tell(&mut states[1], 2, ended(1, sent(true)));
    assert_eq!(look(&states), values("0"), "a message about the other rollout arrived");
}

#[test]
fn a_message_is_sent_with_its_last_call_and_every_try_that_failed_is_counted() {
    let metrics = Metrics::new(&[], &[]);
    metrics.channels(&[ChannelName::new("slack")]);
    let (error, retry_at) = (String::new(), at(0));
    let superseded = Event::MessagesSuperseded {
        channel: ChannelName::new("slack"),
        notices: vec![NoticeId(4), NoticeId(5)],
    };
    for event in [
        ended(1, MessageOutcome::Failed { error: error.clone(), retry_at }),
        ended(1, MessageOutcome::Failed { error: error.clone(), retry_at }),
        ended(1, MessageOutcome::Unknown { error: error.clone(), retry_at }),
        ended(1, sent(false)),
        ended(1, sent(true)),
        superseded,
    ] {
        let (rollout, incident) = (RolloutName::new("spark"), Some(IncidentId::new("a")));
        metrics.stored(&StoredAs { at: at(0), rollout, incident, event }, None);
    }
    let text = metrics.render();
    for (outcome, count) in [("sent", 1), ("failed", 2), ("unknown", 1), ("given_up", 0), ("superseded", 2)] {
        let line = format!("backstop_messages_total{{channel=\"slack\",outcome=\"{outcome}\"}} {count}\n");
        assert!(text.contains(&line), "{line} in\n{text}");
    }
}
