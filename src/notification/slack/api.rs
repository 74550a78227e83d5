//! Slack's Web API: one request, its answer, and what that says. Every request ends in time.

use std::sync::Arc;

use rustls::ClientConfig;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use slack_morphism::prelude::*;
use tokio::time::Instant;

use super::connector::{Connector, connector, tls};
use super::pacing::Pacer;
use super::trouble::{Trouble, understood};
use crate::config::{SecretFile, SlackConfig};

/// The longest text that is shown to one person.
const MAX_WHISPER_CHARS: usize = 1_000;

/// A message's place in Slack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePlace {
    /// The channel's id: what was posted under a name can be changed only under the id.
    pub channel: String,
    /// The message's time, which is its name in the channel.
    pub ts: String,
}

/// A client with the bot's token. Clones share connections and pace.
#[derive(Debug, Clone)]
pub struct Api {
    client: Arc<SlackClient<Connector>>,
    tls: Arc<ClientConfig>,
    token: SecretFile,
    app_token: Option<SecretFile>,
    pacer: Arc<Pacer>,
}

impl Api {
    /// A client that has not asked anything yet.
    ///
    /// # Errors
    /// When there is no usable cryptography.
    pub fn new(config: &SlackConfig) -> std::io::Result<Self> {
        let tls = tls(config)?;
        Ok(Self {
            client: Arc::new(SlackClient::new(connector(config, tls.clone()))),
            tls: Arc::new(tls),
            token: config.token.clone(),
            app_token: config.app_token.clone(),
            pacer: Arc::new(Pacer::new()),
        })
    }

    /// The TLS of connections beside the API.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    /// Posts a message that people see, at the pace that Slack allows.
    pub(super) async fn post(
        &self,
        request: &SlackApiChatPostMessageRequest,
        until: Instant,
    ) -> Result<MessagePlace, Trouble> {
        let answer = self.paced("chat.postMessage", request, until).await?;
        let text = |member: &str| answer[member].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let place = text("channel").zip(text("ts")).map(|(channel, ts)| MessagePlace { channel, ts });
        place.ok_or_else(|| Trouble::Unclear("Slack does not say where it posted the message".to_owned()))
    }

    pub(super) async fn update(
        &self,
        request: &SlackApiChatUpdateRequest,
        until: Instant,
    ) -> Result<(), Trouble> {
        self.paced("chat.update", request, until).await.map(drop)
    }

    /// Shows a text to one person only, who has just pressed a button there.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn whisper(
        &self,
        user: &str,
        channel: &str,
        thread_ts: Option<&str>,
        text: &str,
        until: Instant,
    ) -> Result<(), Trouble> {
        let content = SlackMessageContent::new().with_text(super::text::escaped(text, MAX_WHISPER_CHARS));
        let request = SlackApiChatPostEphemeralRequest::new(channel.into(), user.into(), content)
            .opt_thread_ts(thread_ts.map(SlackTs::from));
        self.send("chat.postEphemeral", &request, until).await.map(drop)
    }

    /// The ids of a user group's members.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn members(&self, group: &str, until: Instant) -> Result<Vec<String>, Trouble> {
        let answer = self.get("usergroups.users.list", &[("usergroup", group)], until).await?;
        let users = answer["users"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(users.iter().filter_map(|user| user.as_str().map(str::to_owned)).collect())
    }

    /// The address of a new connection for Socket Mode. It is a secret: whoever has it is the app.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn socket_url(&self, until: Instant) -> Result<secrecy::SecretString, Trouble> {
        let file = self.app_token.as_ref();
        let file =
            file.ok_or_else(|| Trouble::NotSent("no slack.app_token_file is configured".to_owned()))?;
        let nothing = serde_json::json!({});
        let answer = self.send_as(file, "apps.connections.open", &nothing, until).await?;
        let url = answer["url"].as_str().map(secrecy::SecretString::from);
        url.ok_or_else(|| Trouble::Unclear("Slack names no address to connect to".to_owned()))
    }

    /// What people see goes out at the pace that Slack allows. That it is asked too much is said of one
    /// method: it is no reason to ask nothing else.
    async fn paced(
        &self,
        method: &str,
        body: &(impl Serialize + Send + Sync),
        until: Instant,
    ) -> Result<Value, Trouble> {
        self.pacer.wait().await.map_err(|retry_after| Trouble::Limited { retry_after })?;
        if Instant::now() >= until {
            return Err(Trouble::NotSent("there was no time left to send it".to_owned()));
        }
        let answer = self.send(method, body, until).await;
        if let Err(Trouble::Limited { retry_after }) = &answer {
            self.pacer.rest(*retry_after);
        }
        answer
    }

    async fn send(
        &self,
        method: &str,
        body: &(impl Serialize + Send + Sync),
        until: Instant,
    ) -> Result<Value, Trouble> {
        self.send_as(&self.token, method, body, until).await
    }

    async fn send_as(
        &self,
        token: &SecretFile,
        method: &str,
        body: &(impl Serialize + Send + Sync),
        until: Instant,
    ) -> Result<Value, Trouble> {
        let token = presented(token)?;
        let session = self.client.open_session(&token);
        let request = session.http_session_api.http_post(method, body, None);
        answered(tokio::time::timeout_at(until, request).await)
    }

    /// Asks without changing anything.
    pub(super) async fn get(
        &self,
        method: &str,
        arguments: &[(&str, &str)],
        until: Instant,
    ) -> Result<Value, Trouble> {
        let token = presented(&self.token)?;
        let session = self.client.open_session(&token);
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| (*name, Some(*value))).collect();
        let request = session.http_session_api.http_get(method, &arguments, None);
        answered(tokio::time::timeout_at(until, request).await)
    }
}

fn answered(answer: Result<ClientResult<Value>, tokio::time::error::Elapsed>) -> Result<Value, Trouble> {
    let late = |_| Trouble::NoAnswer { error: "Slack does not answer in time", may_have_arrived: true };
    understood(answer.map_err(late)?)
}

fn presented(token: &SecretFile) -> Result<SlackApiToken, Trouble> {
    let secret = token.read().map_err(|error| Trouble::NotSent(format!("{error}: {}", error.remedy())))?;
    Ok(SlackApiToken::new(secret.expose_secret().into()))
}
