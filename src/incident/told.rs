//! What became of each notice, channel by channel, and what still waits.

use chrono::{DateTime, Utc};

use super::{ChannelName, Delivered, Deliveries, DeliveryEnd, NoticeId, RolloutState, Waiting};

/// Where one notice stands on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling<'a> {
    Waiting(&'a Waiting),
    Ended(&'a Delivered),
}

impl Telling<'_> {
    /// The text used in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Ended(Delivered { end: DeliveryEnd::Sent, .. }) => "sent",
            Self::Ended(Delivered { end: DeliveryEnd::Superseded, .. }) => "superseded",
            Self::Ended(Delivered { end: DeliveryEnd::GivenUp(_), .. }) => "given_up",
        }
    }

    /// Since when it waits, or when it ended.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Waiting(waiting) => waiting.notice.at,
            Self::Ended(delivered) => delivered.at,
        }
    }

    /// How often its call was begun.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Waiting(waiting) => waiting.attempts,
            Self::Ended(delivered) => delivered.attempts,
        }
    }

    /// What was wrong last; foreign text.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Waiting(waiting) => waiting.last_error.as_deref(),
            Self::Ended(Delivered { end: DeliveryEnd::GivenUp(error), .. }) => Some(error),
            Self::Ended(_) => None,
        }
    }
}

impl Deliveries {
    /// Where the notice stands on each channel that it goes to. Of very many, those in the middle are
    /// no longer known.
    pub fn of(&self, notice: NoticeId) -> impl Iterator<Item = (&ChannelName, Telling<'_>)> {
        self.queues.iter().filter_map(move |(channel, queue)| {
            let waiting = queue.waiting.iter().find(|waiting| waiting.notice.id == Some(notice));
            let ended = || queue.delivered.iter().find(|delivered| delivered.notice == notice);
            let telling = waiting.map(Telling::Waiting).or_else(|| ended().map(Telling::Ended));
            telling.map(|telling| (channel, telling))
        })
    }
}

/// What waits for one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog<'a> {
    pub channel: &'a ChannelName,
    pub messages: usize,
    /// The one that has waited longest.
    pub oldest: &'a Waiting,
    /// The one that is tried first and was refused; none while no try failed.
    pub failed: Option<&'a Waiting>,
}

impl RolloutState {
    /// What waits for each channel, over the rollout itself and every incident that is known.
    #[must_use]
    pub fn backlogs(&self) -> Vec<Backlog<'_>> {
        let mut backlogs: Vec<Backlog<'_>> = Vec::new();
        let queues = self.deliveries().flat_map(|deliveries| &deliveries.queues);
        for (channel, waiting) in
            queues.flat_map(|(channel, queue)| queue.waiting.iter().map(move |waiting| (channel, waiting)))
        {
            let failed = Some(waiting).filter(|waiting| waiting.last_error.is_some());
            let Some(known) = backlogs.iter_mut().find(|known| known.channel == channel) else {
                backlogs.push(Backlog { channel, messages: 1, oldest: waiting, failed });
                continue;
            };
            known.messages += 1;
            if waiting.notice.at < known.oldest.notice.at {
                known.oldest = waiting;
            }
            known.failed = known.failed.or(failed);
        }
        backlogs.sort_by_key(|backlog| backlog.channel);
        backlogs
    }
}
