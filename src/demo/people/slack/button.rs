//! Buttons: what is on a message, what Slack sends when one is pressed, and what it takes back.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::Sha256;

use super::workspace::{BOT_USER, Button, Channel, Ephemeral, Post, Press, TEAM, Version};
use super::{SIGNING_SECRET, Slack};
use crate::demo::people::{Shared, form, now};

/// A `response_url` takes so many messages in so long a time (docs.slack.dev, "Handling user
/// interaction").
const RESPONSE_URL_USES: u32 = 5;
const RESPONSE_URL_LIFE: TimeDelta = TimeDelta::minutes(30);

/// Why a button can't be pressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PressError {
    #[error("there is no message {0}")]
    NoMessage(String),
    #[error("the message has no button {wanted}, only {there:?}")]
    NoButton { wanted: String, there: Vec<String> },
    #[error("no socket is open")]
    NoSocket,
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// What was answered to a press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    pub body: String,
}

#[derive(Debug)]
pub(super) struct ResponseUrl {
    path: String,
    channel: String,
    ts: String,
    user: String,
    made_at: DateTime<Utc>,
    uses: u32,
}

impl Version {
    /// The buttons on it, in order.
    #[must_use]
    pub fn buttons(&self) -> Vec<Button> {
        let of_block = |block: &Value| {
            let elements = block["elements"].as_array().cloned().unwrap_or_default();
            let all = elements.into_iter().chain(std::iter::once(block["accessory"].clone()));
            let block_id = text(&block["block_id"]);
            let buttons = all.filter(|element| element["type"] == "button");
            buttons.map(move |element| button(&element, &block_id)).collect::<Vec<_>>()
        };
        self.blocks.iter().flat_map(of_block).collect()
    }

    /// The button of that action.
    ///
    /// # Errors
    /// When it is not there.
    pub fn button(&self, action_id: &str) -> Result<Button, PressError> {
        let buttons = self.buttons();
        let there = buttons.iter().map(|button| button.action_id.clone()).collect();
        let found = buttons.into_iter().find(|button| button.action_id == action_id);
        found.ok_or_else(|| PressError::NoButton { wanted: action_id.to_owned(), there })
    }
}

fn button(element: &Value, block_id: &str) -> Button {
    let optional = |name: &str| element[name].as_str().map(str::to_owned);
    Button {
        action_id: text(&element["action_id"]),
        block_id: block_id.to_owned(),
        value: text(&element["value"]),
        text: text(&element["text"]["text"]),
        style: optional("style"),
        url: optional("url"),
        is_confirmed: element["confirm"].is_object(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An interaction as Slack posts it (docs.slack.dev, "Verifying requests from Slack": `v0=` and the
/// HMAC-SHA256 of `v0:<timestamp>:<body>`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    pub timestamp: i64,
    pub signature: String,
    pub body: String,
}

impl SignedRequest {
    /// Signs a payload; a test may sign with another secret, or as of another time.
    #[must_use]
    pub fn sign(payload: &Value, secret: &str, at: DateTime<Utc>) -> Self {
        let body = form::encode(&[("payload", &payload.to_string())]);
        let timestamp = at.timestamp();
        // An HMAC takes keys of any length.
        let signature = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_or_else(
            |_| String::new(),
            |mut mac| {
                mac.update(format!("v0:{timestamp}:{body}").as_bytes());
                let hex =
                    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                format!("v0={hex}")
            },
        );
        Self { timestamp, signature, body }
    }

    /// Posts it to a server without TLS, as often as it is called.
    ///
    /// # Errors
    /// [`PressError::NoAnswer`]
    pub async fn send(&self, url: &str) -> Result<Answered, PressError> {
        let no_answer = |error: &dyn std::error::Error| PressError::NoAnswer(error.to_string());
        let request = axum::http::Request::post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
            .header("x-slack-request-timestamp", self.timestamp)
            .header("x-slack-signature", &self.signature)
            .body(self.body.clone())
            .map_err(|error| no_answer(&error))?;
        let client = Client::builder(TokioExecutor::new()).build_http::<String>();
        let answer = client.request(request).await.map_err(|error| no_answer(&error))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| no_answer(&error))?.to_bytes();
        Ok(Answered { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

impl Slack<'_> {
    /// Presses a button that a message has now, and says what Backstop answered. `url` is where the app
    /// is set up to take interactions.
    ///
    /// # Errors
    /// When there is no such message or button, or no answer.
    pub async fn press(
        &self,
        url: &str,
        user: &str,
        channel: &str,
        ts: &str,
        action_id: &str,
    ) -> Result<Answered, PressError> {
        let payload = self.interaction(user, channel, ts, action_id)?;
        SignedRequest::sign(&payload, SIGNING_SECRET, now()).send(url).await
    }

    /// What Slack sends when that button, which the message has now, is pressed.
    ///
    /// # Errors
    /// When there is no such message or button.
    pub fn interaction(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        action_id: &str,
    ) -> Result<Value, PressError> {
        let missing = || PressError::NoMessage(ts.to_owned());
        let post = self.channel(channel).and_then(|channel| channel.post(ts).cloned()).ok_or_else(missing)?;
        self.interaction_as_shown(user, channel, &post, action_id)
    }

    /// The same for a message as it was when the person looked: it may have changed since.
    ///
    /// # Errors
    /// When it had no such button, or is in no such channel.
    pub fn interaction_as_shown(
        &self,
        user: &str,
        channel: &str,
        post: &Post,
        action_id: &str,
    ) -> Result<Value, PressError> {
        let button = post.current().button(action_id)?;
        let address = self.shared.address;
        self.shared.change(|world| {
            let slack = &mut world.slack;
            let (action_ts, number) = (slack.next_ts(), slack.response_urls.len() + 1);
            let name = slack.user_name(user).to_owned();
            let channel = slack.channel_mut(channel).ok_or_else(|| PressError::NoMessage(post.ts.clone()))?;
            let path = format!("/slack/actions/{TEAM}/{number}/secret{number}");
            let press =
                Press { at: now(), ts: post.ts.clone(), user: user.to_owned(), text: button.text.clone() };
            channel.presses.push(press);
            let response_url = format!("http://{address}{path}");
            let payload = payload(channel, post, &button, (user, &name), &response_url, &action_ts);
            let (channel, ts, user) = (channel.id.clone(), post.ts.clone(), user.to_owned());
            slack.response_urls.push(ResponseUrl { path, channel, ts, user, made_at: now(), uses: 0 });
            Ok(payload)
        })
    }
}

/// `block_actions` (docs.slack.dev, "block_actions payload").
fn payload(
    channel: &Channel,
    post: &Post,
    button: &Button,
    (user, name): (&str, &str),
    response_url: &str,
    action_ts: &str,
) -> Value {
    let label = json!({ "type": "plain_text", "text": button.text, "emoji": true });
    let mut action = json!({
        "type": "button", "action_id": button.action_id, "block_id": button.block_id, "text": label,
        "value": button.value, "action_ts": action_ts,
    });
    if let Some(style) = &button.style {
        action["style"] = style.clone().into();
    }
    json!({
        "type": "block_actions",
        "user": { "id": user, "username": name, "name": name, "team_id": TEAM },
        "api_app_id": "A0BACKSTOP", "token": "deprecated", "trigger_id": format!("1.2.{action_ts}"),
        "container": {
            "type": "message", "message_ts": post.ts, "channel_id": channel.id, "is_ephemeral": false,
        },
        "team": { "id": TEAM, "domain": "backstop-demo" }, "enterprise": null, "is_enterprise_install": false,
        "channel": { "id": channel.id, "name": channel.name },
        "message": super::methods::shown(post, false), "state": { "values": {} },
        "response_url": response_url, "actions": [action],
    })
}

/// Takes an answer to an interaction: shown to whoever pressed, or instead of the message.
pub(super) async fn response_url(
    State(shared): State<Arc<Shared>>,
    Path((team, number, secret)): Path<(String, String, String)>,
    body: axum::body::Bytes,
) -> Response {
    let path = format!("/slack/actions/{team}/{number}/{secret}");
    let refused = |error: &str| {
        (StatusCode::NOT_FOUND, axum::Json(json!({ "ok": false, "error": error }))).into_response()
    };
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
    };
    shared.change(|world| {
        let slack = &mut world.slack;
        let ts = slack.next_ts();
        let Some(known) = slack.response_urls.iter_mut().find(|known| known.path == path) else {
            return refused("expired_url");
        };
        known.uses += 1;
        if known.uses > RESPONSE_URL_USES || now() - known.made_at > RESPONSE_URL_LIFE {
            return refused("used_url");
        }
        let (channel, original, user) = (known.channel.clone(), known.ts.clone(), known.user.clone());
        let Some(channel) = slack.channel_mut(&channel) else { return refused("expired_url") };
        let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
        let version = Version { at: now(), text: text(&body["text"]), blocks, metadata: None };
        let thread_ts = body["thread_ts"].as_str().map(str::to_owned);
        if body["replace_original"] == true {
            if let Some(post) = channel.post_mut(&original) {
                post.versions.push(version);
            }
        } else if body["response_type"] == "in_channel" {
            let (user, versions) = (BOT_USER.to_owned(), vec![version]);
            channel.posts.push(Post { ts, thread_ts, is_broadcast: false, user, versions });
        } else {
            channel.ephemerals.push(Ephemeral { at: version.at, user, thread_ts, text: version.text });
        }
        "ok".into_response()
    })
}
