//! What people were told, and what they were not, as the API shows it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::incident::{Backlog, ChannelName, Deliveries, GivenUp, Notice, NoticeId, Telling};

/// A notice: what was reported to people, in the log, as a metric, and through each channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationView {
    /// Its number within the incident, or within the rollout's own; none in those of old versions.
    #[serde(default)]
    pub id: Option<u32>,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub text: String,
    /// What became of it on each channel that it goes to.
    #[serde(default)]
    pub channels: Vec<ChannelView>,
}

/// What became of a notice on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelView {
    pub channel: String,
    /// `waiting`, `sent`, `given_up`, or `superseded` by a later one that says how it stands.
    pub state: String,
    /// Since when it waits, or when that state was reached.
    pub at: DateTime<Utc>,
    /// How often its call was begun.
    pub attempts: u32,
    pub error: Option<String>,
    /// Before then it is not tried again; none: at once, or not at all.
    pub next_try_at: Option<DateTime<Utc>>,
}

/// What waits for one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndeliveredView {
    pub channel: String,
    pub messages: usize,
    /// When the oldest of them was raised.
    pub since: DateTime<Utc>,
    /// None while no try has failed.
    pub last_error: Option<String>,
    pub next_try_at: Option<DateTime<Utc>>,
}

/// What a channel has refused for good since it last took a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUpView {
    pub channel: String,
    pub messages: u32,
    /// When the first of them was given up.
    pub since: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    /// Why the last one was.
    pub error: String,
}

impl From<(&ChannelName, &GivenUp)> for GivenUpView {
    fn from((channel, given_up): (&ChannelName, &GivenUp)) -> Self {
        let GivenUp { messages, since, last_at, error } = given_up.clone();
        Self { channel: channel.to_string(), messages, since, last_at, error }
    }
}

impl NotificationView {
    pub(super) fn of(notice: &Notice, deliveries: &Deliveries) -> Self {
        let told = notice.id.into_iter().flat_map(|id| deliveries.of(id));
        Self {
            id: notice.id.map(|NoticeId(number)| number),
            at: notice.at,
            kind: notice.kind.to_string(),
            text: notice.sentence(),
            channels: told.map(ChannelView::from).collect(),
        }
    }
}

impl From<(&ChannelName, Telling<'_>)> for ChannelView {
    fn from((channel, telling): (&ChannelName, Telling<'_>)) -> Self {
        Self {
            channel: channel.to_string(),
            state: telling.as_str().to_owned(),
            at: telling.at(),
            attempts: telling.attempts(),
            error: telling.error().map(str::to_owned),
            next_try_at: match telling {
                Telling::Waiting(waiting) => waiting.not_before,
                Telling::Ended(_) => None,
            },
        }
    }
}

impl From<&Backlog<'_>> for UndeliveredView {
    fn from(backlog: &Backlog<'_>) -> Self {
        Self {
            channel: backlog.channel.to_string(),
            messages: backlog.messages,
            since: backlog.oldest.notice.at,
            last_error: backlog.failed.and_then(|failed| failed.last_error.clone()),
            next_try_at: backlog.failed.and_then(|failed| failed.not_before),
        }
    }
}

/// The rollout's own notices that some channel has yet to deliver, each once.
pub(super) fn own_notifications(deliveries: &Deliveries) -> Vec<NotificationView> {
    let waiting = deliveries.queues.values().flat_map(|queue| &queue.waiting);
    let by_id: BTreeMap<_, _> = waiting.map(|waiting| (waiting.notice.id, &waiting.notice)).collect();
    by_id.into_values().map(|notice| NotificationView::of(notice, deliveries)).collect()
}

#[cfg(test)]
mod tests;
