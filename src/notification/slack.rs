//! Slack: one message for each incident, which always says how it stands now, and a thread below it
//! with what happened when.
//!
//! The first notice only posts the message: a reply that says the same would be noise. Every later one
//! changes the message, which tells nobody, and replies in the thread. What needs a person is also shown
//! in the channel, and mentions whoever is on call. Slack has no key by which it would take a message
//! only once, so each carries its id, and one that may have arrived is looked for.

mod api;
mod blocks;
mod buttons;
mod calls;
mod check;
mod connector;
mod lookup;
mod pacing;
mod socket;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod trouble;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::time::Instant;

pub use api::{Api, MessagePlace};
pub use buttons::{Button, HOLD, RampButton};
pub use socket::{Connection, SocketMode, kind};
pub use trouble::Trouble;

use super::{CALL_TIMEOUT, Channel, Message, Place, SendError, Sent, Words};
use crate::config::{SlackButtons, SlackConfig};
use crate::incident::{ChannelName, Notice, NoticeFact, NoticeKind, References};

/// The channel's name in configuration, log, metrics and API.
pub const NAME: &str = "slack";

/// The calls that a notice may need.
const ROOT: &str = "root";
const UPDATE: &str = "update";
const REPLY: &str = "reply";

/// What is remembered of a subject: where its message is.
const CHANNEL: &str = "channel";
const TS: &str = "root";

/// Slack as a channel to people.
#[derive(Debug)]
pub struct Slack {
    api: Api,
    /// As configured: a name or an id.
    channel: String,
    /// Its id, once it is known.
    channel_id: Mutex<Option<String>>,
    place: Place,
    pressable: SlackButtons,
    /// Who is mentioned at the levels 1 to 3.
    mentions: [String; 3],
    operator_group: Option<String>,
    has_app_token: bool,
}

impl Slack {
    /// The configured Slack; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no usable cryptography.
    pub fn new(config: &SlackConfig, place: Place) -> std::io::Result<Self> {
        Ok(Self {
            api: Api::new(config)?,
            channel: config.channel.clone(),
            channel_id: Mutex::new(is_id(&config.channel).then(|| config.channel.clone())),
            place,
            pressable: config.buttons(),
            mentions: mentions(&config.mentions),
            operator_group: config.operator_group.clone(),
            has_app_token: config.app_token.is_some(),
        })
    }

    fn known_channel(&self) -> Option<String> {
        self.channel_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember_channel(&self, id: &str) {
        *self.channel_id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.to_owned());
    }

    /// Who is mentioned in what says this; nobody in what only informs.
    fn mentioned(&self, message: &Message) -> &str {
        let [first, second, third] = &self.mentions;
        match &message.notice.fact {
            Some(NoticeFact::Escalated { level, .. }) if level.0 >= 3 => third,
            Some(NoticeFact::Escalated { .. }) => second,
            _ if is_loud(&message.notice) => first,
            _ => "",
        }
    }
}

/// Whether a person has to act on it: it is shown in the channel too, and mentions somebody. That a
/// rollback has begun needs nobody here: PagerDuty wakes for it, in case it does not end well.
fn is_loud(notice: &Notice) -> bool {
    match (notice.kind, &notice.fact) {
        (NoticeKind::RollbackStarted, _) => false,
        (NoticeKind::PublicUpdateLate, _) | (_, Some(NoticeFact::ChannelFailed { matters: true, .. })) => {
            true
        }
        (kind, _) => kind.pages(),
    }
}

/// A level for which nobody is named mentions those of the level below: somebody has to look.
fn mentions(configured: &[Vec<String>; 3]) -> [String; 3] {
    let [first, second, third] = configured.each_ref().map(|level| level.join(" "));
    let second = if second.is_empty() { first.clone() } else { second };
    let third = if third.is_empty() { second.clone() } else { third };
    [first, second, third]
}

/// An id of a channel, which no name can be: names are in lower case.
fn is_id(channel: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    channel.starts_with(['C', 'G']) && channel.len() > 6 && channel.chars().all(plain)
}

/// Where the subject's message is.
#[must_use]
pub fn root_of(references: &References) -> Option<MessagePlace> {
    let (channel, ts) = references.get(CHANNEL).zip(references.get(TS))?;
    Some(MessagePlace { channel: channel.clone(), ts: ts.clone() })
}

/// Whether the subject's message, posted for this notice, says all of it.
fn is_told_by_root(message: &Message) -> bool {
    Words::are_of_state(message)
}

/// Whether the notice begins something new, for which the old message is no place: a rollout has one
/// name for ever, and what was once said of its Watchdog is weeks old. While a ramp runs there is one message,
/// and its buttons are nowhere else.
fn begins_anew(message: &Message) -> bool {
    match message.notice.kind {
        NoticeKind::RampStarted => true,
        NoticeKind::WatchdogLost => message.subject.running_ramp().is_none(),
        _ => false,
    }
}

#[async_trait]
impl Channel for Slack {
    fn name(&self) -> ChannelName {
        ChannelName::new(NAME)
    }

    fn wants(&self, _: NoticeKind) -> bool {
        true
    }

    fn next_call(&self, message: &Message) -> Option<&'static str> {
        if message.has_done(REPLY) {
            return None;
        }
        if message.has_done(ROOT) {
            return (!is_told_by_root(message)).then_some(REPLY);
        }
        if message.has_done(UPDATE) {
            return Some(REPLY);
        }
        let is_known = root_of(&message.references).is_some();
        Some(if is_known && !begins_anew(message) { UPDATE } else { ROOT })
    }

    async fn send(&self, call: &str, message: &Message) -> Result<Sent, SendError> {
        let until = Instant::now() + CALL_TIMEOUT;
        match call {
            ROOT => self.root(message, until).await,
            UPDATE => self.update(message, until).await,
            _ => self.reply(message, until).await,
        }
    }

    async fn test(&self, now: DateTime<Utc>) -> Result<String, SendError> {
        self.send_test(now, Instant::now() + CALL_TIMEOUT).await
    }

    async fn check(&self) -> Result<Vec<String>, SendError> {
        self.check_all(Instant::now() + CALL_TIMEOUT).await
    }
}
