//! Looks for a message that may have arrived, by the id that it carries; and for the channel's id, which
//! is what looking needs.

use serde_json::Value;
use tokio::time::Instant;

use super::Slack;
use super::api::MessagePlace;
use super::blocks::{CALL, EVENT_TYPE, MESSAGE};
use super::trouble::Trouble;
use crate::notification::Message;

/// Pages that are read at most of a channel or of the list of channels, and how much is on each.
const MOST_PAGES: usize = 5;
const PAGE: &str = "200";

/// How long before its notice a message is looked for: clocks differ.
const LOOK_BACK_SECONDS: i64 = 600;

/// What the bot may not do to look: it has no permission, or the channel's id can't be known.
const UNREADABLE: &[&str] = &["missing_scope", "no_permission", "not_in_channel", "channel_not_found"];

/// What came of looking for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    At(MessagePlace),
    /// It is not there.
    Nowhere,
    /// The bot may not look.
    Unreadable,
}

impl Slack {
    /// Looks for the message that this call made: in the channel, or in the thread where `root` is given.
    pub(super) async fn find(
        &self,
        message: &Message,
        call: &str,
        root: Option<&MessagePlace>,
        until: Instant,
    ) -> Result<Found, Trouble> {
        let found = match root {
            Some(root) => self.find_in(message, call, &root.channel, Some(&root.ts), until).await,
            None => match self.channel_id(until).await {
                Ok(Some(channel)) => self.find_in(message, call, &channel, None, until).await,
                Ok(None) => Ok(Found::Unreadable),
                Err(trouble) => Err(trouble),
            },
        };
        match found {
            Err(trouble) if trouble.is(UNREADABLE) => Ok(Found::Unreadable),
            // A thread that is gone holds nothing.
            Err(trouble) if trouble.is(&["thread_not_found", "message_not_found"]) => Ok(Found::Nowhere),
            other => other,
        }
    }

    async fn find_in(
        &self,
        message: &Message,
        call: &str,
        channel: &str,
        thread_ts: Option<&str>,
        until: Instant,
    ) -> Result<Found, Trouble> {
        let oldest = (message.notice.at.timestamp() - LOOK_BACK_SECONDS).to_string();
        let mut arguments = vec![
            ("channel", channel),
            ("oldest", &oldest),
            ("limit", PAGE),
            ("include_all_metadata", "true"),
        ];
        arguments.extend(thread_ts.map(|ts| ("ts", ts)));
        let method = if thread_ts.is_some() { "conversations.replies" } else { "conversations.history" };
        let is_it = |found: &Value| is_it(found, &message.id(), call);
        let found = self.find_on_pages(method, &arguments, "messages", is_it, until).await?;
        let ts = found.as_ref().and_then(|found| found["ts"].as_str());
        Ok(ts.map_or(Found::Nowhere, |ts| {
            Found::At(MessagePlace { channel: channel.to_owned(), ts: ts.to_owned() })
        }))
    }

    /// The id of the configured channel, if it can be known: it is configured, was learned from a message,
    /// or stands in the list of channels.
    pub(super) async fn channel_id(&self, until: Instant) -> Result<Option<String>, Trouble> {
        if let Some(known) = self.known_channel() {
            return Ok(Some(known));
        }
        let listed = self.listed_channel(until).await?;
        let id = listed.and_then(|channel| channel["id"].as_str().map(str::to_owned));
        if let Some(id) = &id {
            self.remember_channel(id);
        }
        Ok(id)
    }

    /// The configured channel as it stands in the list of channels.
    pub(super) async fn listed_channel(&self, until: Instant) -> Result<Option<Value>, Trouble> {
        let name = self.channel.trim_start_matches('#');
        let arguments =
            [("types", "public_channel,private_channel"), ("exclude_archived", "true"), ("limit", PAGE)];
        let is_it = |channel: &Value| channel["name"].as_str() == Some(name);
        self.find_on_pages("conversations.list", &arguments, "channels", is_it, until).await
    }

    async fn find_on_pages(
        &self,
        method: &str,
        arguments: &[(&str, &str)],
        member: &str,
        is_it: impl Fn(&Value) -> bool,
        until: Instant,
    ) -> Result<Option<Value>, Trouble> {
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let mut arguments = arguments.to_vec();
            if !cursor.is_empty() {
                arguments.push(("cursor", &cursor));
            }
            let page = self.api.get(method, &arguments, until).await?;
            let items = page[member].as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(found) = items.iter().find(|item| is_it(item)) {
                return Ok(Some(found.clone()));
            }
            let next = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            if next.is_empty() {
                break;
            }
            cursor = next;
        }
        Ok(None)
    }
}

fn is_it(found: &Value, id: &str, call: &str) -> bool {
    let metadata = &found["metadata"];
    let of_payload = |member: &str| metadata["event_payload"][member].as_str();
    metadata["event_type"].as_str() == Some(EVENT_TYPE)
        && of_payload(MESSAGE) == Some(id)
        && of_payload(CALL) == Some(call)
}
