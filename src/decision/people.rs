//! People in the small world of tests: channels, and what came of each message.

use chrono::TimeDelta;

use super::world::World;
use super::{Command, Input, MessageId, Recipient, Sending};
use crate::incident::{
    ChannelName, DeliveryEnd, IncidentId, NoticeId, NoticeKind, Queue, References, Waiting,
};

/// A channel that wants to hear of everything.
pub(super) const CHAT: &str = "chat";

/// One that the public reads, within five minutes; it hears of rollbacks only.
pub(super) const PAGE: &str = "page";

impl World {
    pub(super) fn with_people() -> Self {
        let mut world = Self::with_canary();
        let kinds = NoticeKind::ALL.iter().copied().collect();
        let of_rollbacks = [NoticeKind::RollbackStarted, NoticeKind::RollbackEnded, NoticeKind::AlertsEnded];
        world.policy.recipients = vec![
            Recipient { channel: ChannelName::new(CHAT), kinds, first_within: None, wakes: true },
            Recipient {
                channel: ChannelName::new(PAGE),
                kinds: of_rollbacks.into_iter().collect(),
                first_within: Some(TimeDelta::minutes(5)),
                wakes: false,
            },
        ];
        world
    }

    /// The messages that are due now on a channel.
    pub(super) fn to_send(&self, channel: &str) -> Vec<MessageId> {
        let messages = self.due().into_iter().filter_map(|command| match command {
            Command::Deliver(message) => Some(message),
            _ => None,
        });
        messages.filter(|message| message.channel.as_str() == channel).collect()
    }

    pub(super) fn queue(&self, id: &IncidentId, channel: &str) -> Queue {
        let incident = self.state.known_incident(id).expect("known");
        incident.deliveries.queues.get(&ChannelName::new(channel)).cloned().unwrap_or_default()
    }

    /// The kinds that wait, in order.
    pub(super) fn waiting(&self, channel: &str) -> Vec<&'static str> {
        let queue = self.queue(&self.id(), channel);
        queue.waiting.iter().map(|Waiting { notice, .. }| notice.kind.as_str()).collect()
    }

    pub(super) fn begin(&mut self, message: &MessageId) {
        self.send(&Input::MessageBegun { message: message.clone(), call: "say".to_owned() });
    }

    pub(super) fn ended(&mut self, message: &MessageId, sending: Sending) {
        let call = "say".to_owned();
        self.send(&Input::MessageEnded { message: message.clone(), call, sending, jitter: 0.0 });
    }

    /// Begins the message that is due and ends it like this. Returns which it was.
    pub(super) fn deliver(&mut self, channel: &str, sending: Sending) -> NoticeId {
        let due = self.to_send(channel);
        let [message] = due.as_slice() else { panic!("{due:?}") };
        self.begin(message);
        self.ended(message, sending);
        message.notice
    }

    /// Delivers all that is due on a channel.
    pub(super) fn deliver_all(&mut self, channel: &str) {
        while let [message] = self.to_send(channel).as_slice() {
            self.begin(message);
            self.ended(message, sent());
        }
    }

    /// What became of the messages of a channel, in order.
    pub(super) fn ends(&self, channel: &str) -> Vec<DeliveryEnd> {
        self.queue(&self.id(), channel).delivered.iter().map(|delivered| delivered.end.clone()).collect()
    }
}

pub(super) fn sent() -> Sending {
    Sending::Sent { references: References::new(), complete: true }
}

pub(super) fn failed() -> Sending {
    Sending::Failed { error: "no route".to_owned(), retry_after: None }
}

pub(super) fn refused() -> Sending {
    Sending::Refused { error: "channel_not_found".to_owned() }
}
