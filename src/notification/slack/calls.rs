//! The three calls: post the subject's message, change it, reply to it.

use slack_morphism::prelude::*;
use tokio::time::Instant;

use super::api::MessagePlace;
use super::blocks::{self, Told};
use super::lookup::Found;
use super::trouble::Trouble;
use super::{CHANNEL, REPLY, ROOT, Slack, TS, UPDATE, is_loud, is_told_by_root, root_of};
use crate::incident::References;
use crate::notification::{Message, SendError, Sent};

/// Why the subject's message can't be changed: it was deleted, or is another app's, or lies where the
/// bot has no place any more. How it stands has to be said somewhere, so it is posted anew.
const GONE: &[&str] = &[
    "message_not_found",
    "cant_update_message",
    "edit_window_closed",
    "channel_not_found",
    "is_archived",
    "not_in_channel",
];

/// Why nothing can be added to the thread; the message is sent outside of it then.
const THREAD_GONE: &[&str] =
    &["thread_not_found", "invalid_thread_ts", "message_not_found", "channel_not_found", "is_archived"];

/// What is done about a message that may have arrived.
enum Again {
    Send,
    /// It is there.
    Arrived(MessagePlace),
    /// Nobody can look, and a second one would be worse than none.
    LeaveIt,
}

impl Slack {
    pub(super) async fn root(&self, message: &Message, until: Instant) -> Result<Sent, SendError> {
        self.post_root(message, ROOT, until).await
    }

    /// Changes the subject's message to how it stands now. Repeating it is harmless.
    pub(super) async fn update(&self, message: &Message, until: Instant) -> Result<Sent, SendError> {
        let Some(root) = root_of(&message.references) else {
            return self.post_root(message, UPDATE, until).await;
        };
        let content = blocks::root(message, &self.place, self.pressable, None);
        match self.change(&root, content, until).await {
            Ok(()) => Ok(Sent::default()),
            Err(trouble) if trouble.is(GONE) => self.post_root(message, UPDATE, until).await,
            Err(trouble) => Err(in_doubt(message, trouble.into())),
        }
    }

    pub(super) async fn reply(&self, message: &Message, until: Instant) -> Result<Sent, SendError> {
        let root = root_of(&message.references);
        match self.again(message, REPLY, root.as_ref(), until).await? {
            Again::Arrived(_) | Again::LeaveIt => return Ok(Sent::default()),
            Again::Send => {}
        }
        let told = Told { mentions: self.mentioned(message), left_out: message.left_out };
        let content = blocks::marked(blocks::reply(message, &self.place, told), message, REPLY);
        let posted = match &root {
            Some(root) => {
                let loud = is_loud(&message.notice);
                self.post(&root.channel, content.clone(), Some((&root.ts, loud)), until).await
            }
            None => self.post(&self.channel, content.clone(), None, until).await,
        };
        match posted {
            Err(trouble) if root.is_some() && trouble.is(THREAD_GONE) => {
                self.post(&self.channel, content, None, until).await?;
            }
            other => drop(other?),
        }
        Ok(Sent::default())
    }

    /// Posts the subject's message and remembers where it is.
    async fn post_root(&self, message: &Message, call: &str, until: Instant) -> Result<Sent, SendError> {
        let place = match self.again(message, call, None, until).await? {
            Again::Arrived(place) => place,
            Again::LeaveIt => return Ok(Sent::default()),
            Again::Send => {
                // Else the reply says it.
                let tells = call == ROOT && is_told_by_root(message);
                let told = Told { mentions: self.mentioned(message), left_out: message.left_out };
                let content = blocks::root(message, &self.place, self.pressable, tells.then_some(told));
                self.post(&self.channel, blocks::marked(content, message, call), None, until).await?
            }
        };
        self.remember_channel(&place.channel);
        let references = [(CHANNEL, place.channel), (TS, place.ts)];
        let references: References =
            references.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Sent { references })
    }

    /// Whether a message is to be sent. While that is not known, nothing may be sent.
    async fn again(
        &self,
        message: &Message,
        call: &str,
        root: Option<&MessagePlace>,
        until: Instant,
    ) -> Result<Again, SendError> {
        if !message.may_have_arrived {
            return Ok(Again::Send);
        }
        match self.find(message, call, root, until).await {
            Ok(Found::At(place)) => Ok(Again::Arrived(place)),
            Ok(Found::Nowhere) => Ok(Again::Send),
            Ok(Found::Unreadable) if message.notice.kind.pages() => Ok(Again::Send),
            Ok(Found::Unreadable) => Ok(Again::LeaveIt),
            Err(trouble) => Err(in_doubt(message, trouble.into())),
        }
    }

    /// Posts a message; as plain text where Slack finds something wrong with it. `thread`: below which
    /// message, and whether it is shown in the channel too.
    pub(super) async fn post(
        &self,
        channel: &str,
        content: SlackMessageContent,
        thread: Option<(&str, bool)>,
        until: Instant,
    ) -> Result<MessagePlace, Trouble> {
        let request = |content| {
            SlackApiChatPostMessageRequest::new(channel.into(), content)
                .with_unfurl_links(false)
                .with_unfurl_media(false)
                .opt_thread_ts(thread.map(|(ts, _)| ts.into()))
                .opt_reply_broadcast(thread.filter(|(_, is_loud)| *is_loud).map(|_| true))
        };
        match self.api.post(&request(content.clone()), until).await {
            Err(trouble) if trouble.may_be_about_content() => {
                let plain = blocks::plain(content, &refused(&trouble));
                self.api.post(&request(plain), until).await
            }
            other => other,
        }
    }

    async fn change(
        &self,
        place: &MessagePlace,
        content: SlackMessageContent,
        until: Instant,
    ) -> Result<(), Trouble> {
        let request = |content| {
            let (channel, ts) = (place.channel.as_str().into(), place.ts.as_str().into());
            // What is not said here is taken for "client", which makes links of names.
            SlackApiChatUpdateRequest::new(channel, content, ts).with_parse("none".to_owned())
        };
        match self.api.update(&request(content.clone()), until).await {
            Err(trouble) if trouble.may_be_about_content() => {
                // Left out, the old blocks would stay, and say what is no longer so.
                let plain = blocks::plain(content, &refused(&trouble)).with_blocks(Vec::new());
                self.api.update(&request(plain), until).await
            }
            other => other,
        }
    }
}

/// Says in the log for what Slack refused a message: it is sent as plain text, and looks poor.
fn refused(trouble: &Trouble) -> String {
    tracing::warn!(error = %trouble, "Slack refused a message as it was; it is sent as plain text");
    trouble.to_string()
}

/// A try that failed says nothing about the one before it: what may have arrived then still may.
fn in_doubt(message: &Message, error: SendError) -> SendError {
    match error {
        SendError::Failed { error, .. } if message.may_have_arrived => SendError::Unknown { error },
        other => other,
    }
}
