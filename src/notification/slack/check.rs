//! Says whether Slack can be used, before it is needed; each problem with its remedy.

use chrono::{DateTime, Utc};
use serde_json::Value;
use slack_morphism::prelude::*;
use tokio::time::Instant;

use super::Slack;
use super::text::escaped;
use super::trouble::Trouble;
use crate::notification::SendError;
use crate::text::shown;

impl Slack {
    /// Posts a message that nobody can take for an alarm.
    pub(super) async fn send_test(&self, now: DateTime<Utc>, until: Instant) -> Result<String, SendError> {
        let on =
            self.place.environment.as_ref().map_or_else(String::new, |name| format!(" on {}", shown(name)));
        let at = now.format("%Y-%m-%d %H:%M:%S UTC");
        let text = format!("TEST: Backstop{on} can post here. Nothing has happened. Sent at {at}.");
        let content = SlackMessageContent::new().with_text(escaped(&text, 1_000));
        let posted = self.post(&self.channel, content, None, until).await?;
        let arguments = [("channel", posted.channel.as_str()), ("message_ts", posted.ts.as_str())];
        let link = self.api.get("chat.getPermalink", &arguments, until).await.ok();
        let link = link.as_ref().and_then(|answer| answer["permalink"].as_str()).map(shown);
        let link = link.unwrap_or_else(|| "it has no link that Slack would tell".to_owned());
        Ok(format!("posted to {} ({}): {link}", shown(&self.channel), shown(&posted.channel)))
    }

    /// Looks at everything that the configuration needs, and sends nothing.
    pub(super) async fn check_all(&self, until: Instant) -> Result<Vec<String>, SendError> {
        let mut found = vec![self.check_token(until).await?];
        found.extend(self.check_channel(until).await?);
        if let Some(group) = &self.operator_group {
            let members = self.api.members(group, until).await.map_err(|trouble| {
                wrong(&trouble, "slack.operator_group can't be read, so nobody of it may press a button")
            })?;
            found.push(format!("{} users of {group} may press buttons", members.len()));
        }
        if self.has_app_token {
            let opened = self.api.socket_url(until).await;
            opened.map_err(|trouble| {
                const REMEDY: &str = "put the app's token (xapp-…) into slack.app_token_file";
                let error = match &trouble {
                    Trouble::Refused { code, .. } if trouble.is_of_token() => {
                        format!("Socket Mode can't be opened: Slack says {code}: {REMEDY}")
                    }
                    _ => return wrong(&trouble, "Socket Mode can't be opened by slack.app_token_file"),
                };
                SendError::Refused { error }
            })?;
            found.push("Socket Mode can be opened".to_owned());
        }
        Ok(found)
    }

    async fn check_token(&self, until: Instant) -> Result<String, SendError> {
        let answer = self.api.get("auth.test", &[], until).await;
        let answer = answer.map_err(|trouble| {
            let is_of_token = trouble.is_of_token();
            let what = if is_of_token {
                "slack.token_file is refused"
            } else {
                "Slack does not say whose the token is"
            };
            wrong(&trouble, what)
        })?;
        let text = |member: &str| shown(answer[member].as_str().unwrap_or("?"));
        Ok(format!("the token is good: bot {} of the workspace {}", text("user"), text("team")))
    }

    async fn check_channel(&self, until: Instant) -> Result<Vec<String>, SendError> {
        let name = shown(&self.channel);
        let info = match self.known_channel() {
            Some(id) => self.channel_info(&id, until).await,
            None => self.listed_channel(until).await,
        };
        let info = match info {
            // Posting needs no more than the name.
            Err(trouble) if trouble.is(&["missing_scope", "no_permission"]) => {
                return Ok(vec![format!("{name} can't be looked at: {trouble}; try `backstop notify test`")]);
            }
            other => other.map_err(|trouble| wrong(&trouble, &format!("{name} can't be looked at")))?,
        };
        let Some(info) = info else {
            let error = format!(
                "there is no {name}, or it is private and the bot is no member: check slack.channel, and invite the bot"
            );
            return Err(SendError::Refused { error });
        };
        if info["is_archived"].as_bool() == Some(true) {
            return Err(SendError::Refused {
                error: format!("{name} is archived: choose another slack.channel"),
            });
        }
        if info["is_member"].as_bool() == Some(false) {
            let error = format!("the bot is no member of {name}: invite it there with /invite");
            return Err(SendError::Refused { error });
        }
        let id = info["id"].as_str().unwrap_or_default();
        Ok(vec![
            format!("the bot is a member of {name} ({})", shown(id)),
            self.check_history(id, until).await?,
        ])
    }

    async fn channel_info(&self, id: &str, until: Instant) -> Result<Option<Value>, Trouble> {
        let answer = self.api.get("conversations.info", &[("channel", id)], until).await?;
        Ok(Some(answer["channel"].clone()))
    }

    /// Without it everything works but one thing, which is said.
    async fn check_history(&self, id: &str, until: Instant) -> Result<String, SendError> {
        match self.api.get("conversations.history", &[("channel", id), ("limit", "1")], until).await {
            Ok(_) => Ok("a message that may have arrived can be looked for".to_owned()),
            Err(trouble @ Trouble::Refused { .. }) => Ok(format!(
                "a message that may have arrived can't be looked for: what pages is sent again then, the rest is not. {trouble}"
            )),
            Err(trouble) => Err(wrong(&trouble, "the channel's history can't be read")),
        }
    }
}

/// What is wrong, by its kind: only a refusal says anything of what was asked for. `what` names that.
fn wrong(trouble: &Trouble, what: &str) -> SendError {
    let said = match trouble {
        Trouble::Refused { .. } => format!("{what}: {trouble}"),
        Trouble::NoAnswer { .. } => {
            format!("{trouble}: check the network, proxies and slack.api_url, and ask again")
        }
        Trouble::Limited { .. } => format!("{trouble}: nothing is known to be wrong, ask again then"),
        // Each of these says what to do where something can be done.
        Trouble::NotSlack { .. } | Trouble::NotSent(_) | Trouble::Unclear(_) => trouble.to_string(),
    };
    match SendError::from(trouble.clone()) {
        SendError::Refused { .. } => SendError::Refused { error: said },
        SendError::Failed { retry_after, .. } => SendError::Failed { error: said, retry_after },
        SendError::Unknown { .. } => SendError::Unknown { error: said },
    }
}
