//! What went wrong with a request to Slack, and what that says about the message: did it arrive, may
//! it have arrived, can it ever.

use std::time::Duration;

use serde_json::Value;
use slack_morphism::errors::SlackClientError;

use crate::notification::SendError;
use crate::text::kept;

/// How long Slack is left alone where it says that it is asked too much, and not for how long.
const DEFAULT_REST: Duration = Duration::from_secs(5);

/// Said where a connection ended before its answer.
const BROKE_OFF: &str = "the connection to Slack broke off";

/// Slack's names for a token that it does not take.
const TOKEN_REFUSED: &[&str] = &[
    "invalid_auth",
    "not_authed",
    "token_revoked",
    "token_expired",
    "account_inactive",
    "not_allowed_token_type",
    "invalid_token",
];

/// Why a request gave no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Slack is asked too much. Not before the time is over again.
    #[error("Slack asks to be left alone for {} s", retry_after.as_secs())]
    Limited { retry_after: Duration },
    /// Nothing came back, which says nothing of the token or the channel.
    #[error("{error}")]
    NoAnswer { error: &'static str, may_have_arrived: bool },
    /// What answers is not Slack's API, but a proxy's, a portal's or another address.
    #[error("{error}")]
    NotSlack { error: String, may_have_arrived: bool },
    /// Nothing of it reached Slack.
    #[error("{0}")]
    NotSent(String),
    /// It may have been carried out.
    #[error("{0}")]
    Unclear(String),
    /// Slack has refused it, by name.
    #[error("{}", says(code, needed.as_deref()))]
    Refused {
        code: String,
        /// The scope that is missing.
        needed: Option<String>,
    },
}

impl Trouble {
    /// Whether Slack refuses it for this.
    #[must_use]
    pub fn is(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Refused { code, .. } if codes.contains(&code.as_str()))
    }

    /// Whether Slack refuses the token itself, and no place and no content.
    #[must_use]
    pub(super) fn is_of_token(&self) -> bool {
        self.is(TOKEN_REFUSED)
    }

    /// Whether another content might be taken: unless it is known that the token, the place or the
    /// permission is what is wrong. An alarm must not be lost to a block, whatever the error is called.
    #[must_use]
    pub(super) fn may_be_about_content(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if remedy(code).is_none())
    }
}

impl From<Trouble> for SendError {
    fn from(trouble: Trouble) -> Self {
        let error = trouble.to_string();
        match trouble {
            Trouble::Limited { retry_after } => Self::Failed { error, retry_after: Some(retry_after) },
            Trouble::NotSent(_)
            | Trouble::NoAnswer { may_have_arrived: false, .. }
            | Trouble::NotSlack { may_have_arrived: false, .. } => Self::Failed { error, retry_after: None },
            Trouble::Unclear(_) | Trouble::NoAnswer { .. } | Trouble::NotSlack { .. } => {
                Self::Unknown { error }
            }
            Trouble::Refused { .. } => Self::Refused { error },
        }
    }
}

/// What an answer came to. Slack's own words go nowhere but into `code`: a body may carry what was sent.
///
/// # Errors
/// See [`Trouble`].
pub(super) fn understood(answer: Result<Value, SlackClientError>) -> Result<Value, Trouble> {
    match answer {
        // It was carried out, and only this side can't read the answer as it expects it.
        Ok(answer) => accepted(answer),
        Err(SlackClientError::ProtocolError(error)) => {
            let answer = error.json_body.as_deref().and_then(|body| serde_json::from_str(body).ok());
            answer.map_or_else(|| Err(unreadable()), accepted)
        }
        Err(SlackClientError::RateLimitError(error)) => {
            Err(Trouble::Limited { retry_after: error.retry_after.unwrap_or(DEFAULT_REST) })
        }
        Err(SlackClientError::ApiError(error)) => {
            let body = error.http_response_body.as_deref().and_then(|body| serde_json::from_str(body).ok());
            let needed = body.as_ref().and_then(|body: &Value| body["needed"].as_str());
            Err(of_code(&error.code, needed))
        }
        Err(SlackClientError::HttpError(error)) if error.status_code.is_server_error() => {
            Err(Trouble::Unclear(format!("Slack answers {}", error.status_code.as_u16())))
        }
        // Slack itself says 200 to what it refuses: this is somebody in between, who may mend.
        Err(SlackClientError::HttpError(error)) => {
            let status = error.status_code.as_u16();
            let error = format!(
                "something that is not Slack's API answers {status}: check slack.api_url and proxies"
            );
            Err(Trouble::NotSlack { error, may_have_arrived: false })
        }
        Err(SlackClientError::HttpProtocolError(error)) => {
            let cause = error.cause.as_deref().and_then(|cause| cause.downcast_ref());
            let is_connect = cause.is_some_and(hyper_util::client::legacy::Error::is_connect);
            Err(if is_connect {
                Trouble::NoAnswer { error: "Slack can't be reached", may_have_arrived: false }
            } else {
                Trouble::NoAnswer { error: BROKE_OFF, may_have_arrived: true }
            })
        }
        Err(
            SlackClientError::SystemError(_)
            | SlackClientError::EndOfStream(_)
            | SlackClientError::SocketModeProtocolError(_),
        ) => Err(Trouble::NoAnswer { error: BROKE_OFF, may_have_arrived: true }),
    }
}

fn accepted(answer: Value) -> Result<Value, Trouble> {
    match (answer["ok"].as_bool(), answer["error"].as_str()) {
        (_, Some(code)) => Err(of_code(code, answer["needed"].as_str())),
        (Some(true), None) => Ok(answer),
        (_, None) => Err(unreadable()),
    }
}

fn unreadable() -> Trouble {
    let error = "what answers is not Slack's API: check slack.api_url and proxies".to_owned();
    Trouble::NotSlack { error, may_have_arrived: true }
}

fn of_code(code: &str, needed: Option<&str>) -> Trouble {
    let (code, needed) = (kept(code), needed.map(kept));
    match code.as_str() {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            Trouble::Limited { retry_after: DEFAULT_REST }
        }
        "service_unavailable" | "request_timeout" | "accesslimited" => Trouble::NotSent(says(&code, None)),
        // "It's possible some aspect of the operation succeeded" (Slack's reference of its methods).
        "fatal_error" | "internal_error" => Trouble::Unclear(says(&code, None)),
        _ => Trouble::Refused { code, needed },
    }
}

fn says(code: &str, needed: Option<&str>) -> String {
    let remedy = remedy(code).map_or_else(String::new, |remedy| format!(": {remedy}"));
    let needed = needed.map_or_else(String::new, |needed| format!(" (needed: {needed})"));
    format!("Slack says {code}{remedy}{needed}")
}

/// What a person has to do; `None` for what is not about the token, the place or the permission.
fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        code if TOKEN_REFUSED.contains(&code) => "put the bot's token (xoxb-…) into slack.token_file",
        "missing_scope" | "no_permission" => "give the app the scope, and install it again",
        "channel_not_found" => "check slack.channel, and invite the bot where the channel is private",
        "not_in_channel" => "invite the bot into slack.channel: /invite @…",
        "is_archived" => "slack.channel is archived: choose another one",
        "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel"
        | "restricted_action_non_threadable_channel"
        | "restricted_action_thread_locked"
        | "ekm_access_denied"
        | "access_denied"
        | "team_access_not_granted" => "the workspace's settings don't let the bot post there",
        "org_login_required" | "team_added_to_org" | "two_factor_setup_required" => {
            "an administrator of the workspace has to act"
        }
        // Of an update or a reply: it is sent as a new message.
        "message_not_found"
        | "thread_not_found"
        | "invalid_thread_ts"
        | "cant_update_message"
        | "edit_window_closed" => "the message can't be changed any more",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
