//! What is on its way to people: for each channel the notices that wait, in order, and what became of
//! those before them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Bounded, ChannelName, Event, Notice, NoticeId};

/// What a channel needs to go on with what it began: ids of messages on the other side, by name.
pub type References = BTreeMap<String, String>;

/// How one call to a channel came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum MessageOutcome {
    /// Acknowledged, or found there.
    Sent {
        /// What to remember of it, beside what is known.
        #[serde(default, skip_serializing_if = "References::is_empty")]
        references: References,
        /// Whether the notice needs nothing more of this channel.
        complete: bool,
    },
    /// It did not arrive, and is tried again.
    Failed { error: String, retry_at: DateTime<Utc> },
    /// It may have arrived: it is looked for before it is sent again.
    Unknown { error: String, retry_at: DateTime<Utc> },
    /// Trying again would be of no use.
    GivenUp { error: String },
}

/// A notice that a channel has yet to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub notice: Arc<Notice>,
    /// The calls that are done, by name.
    #[serde(default)]
    pub done: Vec<String>,
    /// How often the next call was begun.
    pub attempts: u32,
    /// Whether a try of the next call was begun of which no end is known yet.
    pub in_flight: bool,
    /// Whether a try of it ended without an answer. Later ones that surely failed don't change that.
    pub unanswered: bool,
    /// Before then it is not tried.
    pub not_before: Option<DateTime<Utc>>,
    #[serde(default)]
    pub last_error: Option<String>,
}

impl Waiting {
    /// Whether the next call may have been made before: it has to be looked for before it is made again.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        self.in_flight || self.unanswered
    }
}

/// What became of a notice on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    pub notice: NoticeId,
    pub at: DateTime<Utc>,
    /// How often its last call was begun.
    pub attempts: u32,
    pub end: DeliveryEnd,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryEnd {
    Sent,
    /// A later one took its place while the channel could not be reached.
    Superseded,
    GivenUp(String),
}

/// One channel's queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    pub waiting: Vec<Waiting>,
    #[serde(default)]
    pub references: References,
    pub delivered: Bounded<Delivered>,
    /// Whether it was reported elsewhere that this channel fails.
    #[serde(default)]
    pub failure_reported: bool,
}

impl Queue {
    /// When it first delivered something.
    #[must_use]
    pub fn first_sent_at(&self) -> Option<DateTime<Utc>> {
        self.delivered.iter().find(|delivered| delivered.end == DeliveryEnd::Sent).map(|sent| sent.at)
    }

    fn end(&mut self, index: usize, at: DateTime<Utc>, end: DeliveryEnd) {
        let Waiting { notice, attempts, .. } = self.waiting.remove(index);
        if let Some(notice) = notice.id {
            self.delivered.push(Delivered { notice, at, attempts, end });
        }
    }
}

/// The queues of one incident, or of a rollout's own notices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// The number of the last notice.
    pub last_notice: u32,
    pub queues: BTreeMap<ChannelName, Queue>,
}

impl Deliveries {
    /// Whether nothing waits to be delivered.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.queues.values().all(|queue| queue.waiting.is_empty())
    }

    /// The id of the next notice.
    #[must_use]
    pub fn next_id(&self) -> NoticeId {
        NoticeId(self.last_notice.saturating_add(1))
    }

    /// Applies one event of a message; any other changes nothing here.
    pub(super) fn apply(&mut self, at: DateTime<Utc>, event: &Event) {
        match event {
            Event::NoticeRaised { to, .. } => {
                if let Some(notice) = Notice::of(at, event) {
                    self.raise(&notice, to);
                }
            }
            Event::MessageBegun { channel, notice, .. } => self.begin(channel, *notice),
            Event::MessageEnded { channel, notice, call, outcome } => {
                self.end(at, channel, *notice, call, outcome);
            }
            Event::MessagesSuperseded { channel, notices } => self.supersede(at, channel, notices),
            _ => {}
        }
    }

    fn raise(&mut self, notice: &Notice, to: &[ChannelName]) {
        let Some(NoticeId(number)) = notice.id else { return };
        self.last_notice = self.last_notice.max(number);
        let notice = Arc::new(notice.clone());
        for channel in to {
            let queue = self.queues.entry(channel.clone()).or_default();
            queue.waiting.push(Waiting {
                notice: Arc::clone(&notice),
                done: Vec::new(),
                attempts: 0,
                in_flight: false,
                unanswered: false,
                not_before: None,
                last_error: None,
            });
        }
    }

    /// Marks a call as begun: if no end of it is recorded, it may have arrived.
    fn begin(&mut self, channel: &ChannelName, notice: NoticeId) {
        if let Some((_, waiting)) = self.find(channel, notice) {
            waiting.attempts += 1;
            // A process that ended in between leaves it so, and what it sent is not known.
            waiting.unanswered |= waiting.in_flight;
            waiting.in_flight = true;
        }
    }

    fn end(
        &mut self,
        at: DateTime<Utc>,
        channel: &ChannelName,
        notice: NoticeId,
        call: &str,
        outcome: &MessageOutcome,
    ) {
        let Some((index, waiting)) = self.find(channel, notice) else { return };
        waiting.in_flight = false;
        let mut end = None;
        match outcome {
            MessageOutcome::Sent { references: _, complete: true } => end = Some(DeliveryEnd::Sent),
            MessageOutcome::Sent { .. } => {
                waiting.done.push(call.to_owned());
                (waiting.attempts, waiting.unanswered, waiting.not_before) = (0, false, None);
            }
            MessageOutcome::Failed { error, retry_at } => {
                waiting.not_before = Some(*retry_at);
                waiting.last_error = Some(error.clone());
            }
            MessageOutcome::Unknown { error, retry_at } => {
                (waiting.unanswered, waiting.not_before) = (true, Some(*retry_at));
                waiting.last_error = Some(error.clone());
            }
            MessageOutcome::GivenUp { error } => end = Some(DeliveryEnd::GivenUp(error.clone())),
        }
        let Some(queue) = self.queues.get_mut(channel) else { return };
        if let MessageOutcome::Sent { references, .. } = outcome {
            queue.references.extend(references.clone());
            queue.failure_reported = false;
        }
        if let Some(end) = end {
            queue.end(index, at, end);
        }
    }

    fn supersede(&mut self, at: DateTime<Utc>, channel: &ChannelName, notices: &[NoticeId]) {
        for notice in notices {
            let Some((index, _)) = self.find(channel, *notice) else { continue };
            if let Some(queue) = self.queues.get_mut(channel) {
                queue.end(index, at, DeliveryEnd::Superseded);
            }
        }
    }

    pub(super) fn failure_reported(&mut self, channel: &ChannelName) {
        if let Some(queue) = self.queues.get_mut(channel) {
            queue.failure_reported = true;
        }
    }

    pub(super) fn clock_stepped(&mut self, by: TimeDelta) {
        let waiting = self.queues.values_mut().flat_map(|queue| &mut queue.waiting);
        waiting.filter_map(|waiting| waiting.not_before.as_mut()).for_each(|at| *at += by);
    }

    fn find(&mut self, channel: &ChannelName, notice: NoticeId) -> Option<(usize, &mut Waiting)> {
        let waiting = &mut self.queues.get_mut(channel)?.waiting;
        waiting.iter_mut().enumerate().find(|(_, waiting)| waiting.notice.id == Some(notice))
    }
}
