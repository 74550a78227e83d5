//! Slack: the Web API's methods that Backstop uses, and the channel as people see it.
//!
//! Facts are from docs.slack.dev (the method's page under "reference/methods", "Block Kit", "Verifying
//! requests from Slack", "Socket Mode"), from the notes on notifications, section 1, and from what the
//! authors of backlot 0.1.0, an emulator on PyPI, measured at slack.com and wrote beside its code.

mod arguments;
mod blocks;
mod button;
mod methods;
mod mrkdwn;
mod reading;
mod socket;
mod transcript;
mod workspace;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::Shared;
use arguments::Arguments;
pub use button::{Answered, PressError, SignedRequest};
pub(super) use socket::Afterwards;
pub(super) use workspace::Workspace;
pub use workspace::{Button, Channel, Ephemeral, Post, Press, Thread, Version};

/// The bot token that is accepted.
pub const BOT_TOKEN: &str = "xoxb-backstop-demo";
/// The app-level token that opens Socket Mode.
pub const APP_TOKEN: &str = "xapp-backstop-demo";
/// Signs what the buttons send.
pub const SIGNING_SECRET: &str = "backstop-demo-signing-secret";

/// Why a method was refused, in Slack's words.
#[derive(Debug)]
struct Refusal {
    error: &'static str,
    /// Further members of the answer.
    more: Value,
}

impl From<&'static str> for Refusal {
    fn from(error: &'static str) -> Self {
        Self { error, more: json!({}) }
    }
}

/// Slack as a person sees and uses it, and as an administrator sets it up.
#[derive(Debug)]
pub struct Slack<'a> {
    shared: &'a Arc<Shared>,
}

impl<'a> Slack<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>) -> Self {
        Self { shared }
    }

    /// A channel with all that was posted to it; by name with or without `#`, or by id.
    #[must_use]
    pub fn channel(&self, name: &str) -> Option<Channel> {
        self.shared.world().slack.channel(name).cloned()
    }

    /// The threads of a channel, oldest first; none where there is no such channel.
    #[must_use]
    pub fn threads(&self, channel: &str) -> Vec<Thread> {
        self.channel(channel).map(|channel| channel.threads()).unwrap_or_default()
    }

    /// A channel as a terminal can show it.
    #[must_use]
    pub fn transcript(&self, channel: &str) -> String {
        let world = self.shared.world();
        world.slack.channel(channel).map_or_else(String::new, |found| transcript::of(found, &world.slack))
    }

    /// Adds a channel, or changes the one of that name; returns its id.
    pub fn set_channel(&self, name: &str, is_member: bool, is_archived: bool) -> String {
        self.shared.change(|world| world.slack.set_channel(name, is_member, is_archived))
    }

    /// Says something as a person: in the channel, or in a thread. Returns its `ts`, none where there is no
    /// such channel.
    pub fn say(&self, user: &str, channel: &str, text: &str, thread_ts: Option<&str>) -> Option<String> {
        self.shared.change(|world| world.slack.say(user, channel, text, thread_ts))
    }

    /// Deletes a message, as its author or an administrator may. Replies to it stay, at the end of a thread
    /// that nobody sees.
    pub fn delete(&self, channel: &str, ts: &str) {
        self.shared.change(|world| {
            if let Some(channel) = world.slack.channel_mut(channel) {
                channel.posts.retain(|post| post.ts != ts);
            }
        });
    }

    /// Adds a person, by the id that Slack gives and a name.
    pub fn add_user(&self, id: &str, name: &str) {
        self.shared.change(|world| world.slack.add_user(id, name));
    }

    /// Sets the members of a user group.
    pub fn set_user_group(&self, id: &str, members: &[&str]) {
        self.shared.change(|world| world.slack.set_user_group(id, members));
    }

    /// Sets the scopes that the bot token has.
    pub fn set_scopes(&self, scopes: &[&str]) {
        self.shared
            .change(|world| world.slack.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect());
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/slack/api/{method}", any(web_api))
        .route("/slack/actions/{team}/{number}/{secret}", any(button::response_url))
        .route("/slack/socket", any(socket::connect))
}

/// Every method by POST with JSON or a form, or by GET; the answer is 200 also where it refuses.
async fn web_api(
    State(shared): State<Arc<Shared>>,
    Path(method): Path<String>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let arguments = Arguments::read(&method, &head, &body.to_bytes());
    let (result, scopes) = shared.change(|world| {
        let result = arguments.and_then(|arguments| {
            world.slack.authorize(&method, arguments.token())?;
            call(&mut world.slack, shared.address, &method, &arguments)
        });
        (result, world.slack.scopes.join(","))
    });
    let mut answer = match result {
        Ok(body) => body,
        Err(Refusal { error, mut more }) => {
            more["error"] = error.into();
            more
        }
    };
    answer["ok"] = answer.get("error").is_none().into();
    let mut response = Json(answer).into_response();
    if let Ok(scopes) = HeaderValue::from_str(&scopes) {
        response.headers_mut().insert("x-oauth-scopes", scopes);
    }
    response
}

fn call(
    workspace: &mut Workspace,
    address: std::net::SocketAddr,
    method: &str,
    arguments: &Arguments,
) -> Result<Value, Refusal> {
    match method {
        "auth.test" => Ok(workspace.identity()),
        "chat.postMessage" => methods::post_message(workspace, arguments),
        "chat.update" => methods::update(workspace, arguments),
        "chat.postEphemeral" => methods::post_ephemeral(workspace, arguments),
        "chat.getPermalink" => methods::permalink(workspace, arguments),
        "conversations.info" => reading::info(workspace, arguments),
        "conversations.list" => reading::list(workspace, arguments),
        "conversations.history" => reading::history(workspace, arguments),
        "conversations.replies" => reading::replies(workspace, arguments),
        "usergroups.users.list" => reading::user_group(workspace, arguments),
        "apps.connections.open" => Ok(json!({ "url": workspace.socket.ticket(address) })),
        _ => Err("unknown_method".into()),
    }
}
