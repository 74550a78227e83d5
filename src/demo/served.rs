//! Backstop on the stage, in this process: its tokens, its configuration, and the people whom it tells.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::de::DeserializeOwned;

use super::people::People;
use super::people::pagerduty::ROUTING_KEY;
use super::people::slack::BOT_TOKEN;
use crate::app::App;
use crate::config::{Config, SecretFile};
use crate::outbound::Outbound;
use crate::randomness::Randomness;

/// The longest that Backstop may take to answer the stage.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The channel that the demo's Slack has.
pub const CHANNEL: &str = "spark-incidents";

/// A running Backstop. Dropping it ends it.
#[derive(Debug)]
pub struct Served {
    pub app: App,
    /// In place of Slack and PagerDuty, which can't run here: it records what people would have seen.
    pub people: People,
    pub evidence: PathBuf,
    /// As an operator, and as Alertmanager.
    operator: Outbound,
    webhook: Outbound,
}

impl Served {
    /// Starts it with these sections of its configuration, which is left in `folder` for whoever looks.
    ///
    /// # Errors
    /// In words: what did not start.
    pub async fn start(
        folder: &Path,
        listen: SocketAddr,
        tokens: &Tokens,
        sections: &str,
    ) -> anyhow::Result<Self> {
        let people = People::start().await.context("nobody can be told: no free port")?;
        let text = server(listen, tokens) + sections + &channels(tokens, &people);
        let file = folder.join("backstop.toml");
        std::fs::write(&file, text).with_context(|| format!("{} can't be written", file.display()))?;
        let config = Config::load(&file)?;
        let app = App::start(&config).await?;
        let by = |files: &[SecretFile]| Outbound::new(TIMEOUT, files.first().cloned());
        let operator = by(&config.server.operator_tokens)?;
        let webhook = by(&config.server.webhook_tokens)?;
        Ok(Self { app, people, evidence: config.evidence.directory, operator, webhook })
    }

    /// Reads Backstop's API.
    ///
    /// # Errors
    /// In words: no answer, an error status, or JSON of another shape.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("http://{}{path}", self.app.listen).parse()?;
        Ok(self.operator.get_json(url).await?)
    }

    /// Asks for something through Backstop's API, as a person would.
    ///
    /// # Errors
    /// In words: no answer, or what it was refused for.
    pub async fn ask(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<()> {
        let url = format!("http://{}{path}", self.app.listen).parse()?;
        let reply = self.operator.post_json(url, body.to_string()).await?;
        anyhow::ensure!(reply.is_success(), "refused ({}): {}", reply.status, reply.kept_text());
        Ok(())
    }

    /// Posts a webhook body to Backstop's receiver, as Alertmanager would.
    ///
    /// # Errors
    /// In words: it was not accepted.
    pub async fn post_webhook(&self, body: String) -> anyhow::Result<()> {
        let url = format!("http://{}/api/v1/alertmanager", self.app.listen).parse()?;
        let reply = self.webhook.post_json(url, body).await?;
        anyhow::ensure!(reply.is_success(), "the receiver answered {}: {}", reply.status, reply.kept_text());
        Ok(())
    }
}

/// The demo's own tokens: what changes something needs one, also on a stage.
#[derive(Debug)]
pub struct Tokens {
    pub(super) webhook: PathBuf,
    operator: PathBuf,
    slack: PathBuf,
    pagerduty: PathBuf,
}

impl Tokens {
    /// Writes them, each into a file that only its owner can read.
    ///
    /// # Errors
    /// In words: which can't be written.
    pub fn write(folder: &Path) -> anyhow::Result<Self> {
        let randomness = Randomness::unforeseen();
        let write = |name: &str, secret: String| {
            let path = folder.join(name);
            let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
            let written = file.and_then(|mut file| writeln!(file, "{secret}"));
            written.with_context(|| format!("{} can't be written", path.display())).map(|()| path)
        };
        Ok(Self {
            webhook: write("webhook-token", randomness.token())?,
            operator: write("operator-token", randomness.token())?,
            slack: write("slack-token", BOT_TOKEN.to_owned())?,
            pagerduty: write("pagerduty-key", ROUTING_KEY.to_owned())?,
        })
    }
}

fn server(listen: SocketAddr, tokens: &Tokens) -> String {
    format!(
        "[server]
listen = \"{listen}\"
admin_listen = \"127.0.0.1:0\"
auth.webhook_token_files = [{webhook:?}]
auth.operator_token_files = [{operator:?}]
",
        webhook = tokens.webhook.display().to_string(),
        operator = tokens.operator.display().to_string(),
    )
}

fn channels(tokens: &Tokens, people: &People) -> String {
    format!(
        "[notifications]
environment = \"demo\"
[slack]
token_file = {slack:?}
channel = \"#{CHANNEL}\"
api_url = \"{api}\"
[pagerduty]
routing_key_file = {pagerduty:?}
url = \"{events}\"
",
        slack = tokens.slack.display().to_string(),
        pagerduty = tokens.pagerduty.display().to_string(),
        api = people.url("/slack/api"),
        events = people.url(""),
    )
}
