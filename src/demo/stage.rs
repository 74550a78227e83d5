//! Sets the stage: folder, configuration, application, monitoring, Backstop.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::de::DeserializeOwned;

use super::monitoring::{
    AlertmanagerSettings, Programs, PrometheusSettings, ScrapeTarget, Server, free_port,
};
use super::people::People;
use super::people::pagerduty::ROUTING_KEY;
use super::people::slack::BOT_TOKEN;
use super::trading_api::{CANARY_VERSION, STABLE_VERSION, TradingApi};
use crate::app::App;
use crate::config::{Config, SecretFile};
use crate::outbound::Outbound;
use crate::randomness::Randomness;

/// The shipped rules, so that the demo needs nothing but the program.
const RULES: [(&str, &str); 3] = [
    ("critical.yml", include_str!("../../alert-rules/critical.yml")),
    ("warning.yml", include_str!("../../alert-rules/warning.yml")),
    ("backstop.yml", include_str!("../../alert-rules/backstop.yml")),
];

/// How often the demo scrapes and evaluates: a minute is short.
const INTERVAL: Duration = Duration::from_secs(1);

/// The grace, shortened from the protocol's five minutes.
pub const GRACE: Duration = Duration::from_secs(25);

/// The longest that Backstop may take to answer the stage.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many requests a second the application has.
pub const REQUESTS_PER_SECOND: u32 = 400;

/// The two servers of the real monitoring; dropped, both are killed.
#[derive(Debug)]
pub struct RealMonitoring {
    pub alertmanager: Server,
    pub prometheus: Server,
}

/// Everything that runs in the demo. Dropping it ends it all.
#[derive(Debug)]
pub struct Stage {
    pub api: TradingApi,
    pub app: App,
    /// Prometheus and Alertmanager, where they are installed.
    pub monitoring: Option<RealMonitoring>,
    /// In place of Slack and PagerDuty, which can't run here: it records what people would have seen.
    pub people: People,
    pub evidence: PathBuf,
    /// As an operator, and as Alertmanager.
    operator: Outbound,
    webhook: Outbound,
}

impl Stage {
    /// Starts everything under `folder`.
    ///
    /// # Errors
    /// In words: what did not start.
    pub async fn set(folder: &Path, programs: Option<&Programs>) -> anyhow::Result<Self> {
        let api = TradingApi::start(25, REQUESTS_PER_SECOND).await.context("the trading API can't start")?;
        // Alertmanager has to know where Backstop will listen, and Backstop where Alertmanager does.
        let listen = free_port().context("no free port")?;
        let tokens = Tokens::write(folder)?;
        let people = People::start().await.context("nobody can be told: no free port")?;
        let monitoring = match programs {
            Some(programs) => Some(start_monitoring(folder, programs, &tokens, listen, api.address()).await?),
            None => None,
        };
        let text = configuration(listen, &tokens, &api, monitoring.as_ref()) + &channels(&tokens, &people);
        let file = folder.join("backstop.toml");
        std::fs::write(&file, text).with_context(|| format!("{} can't be written", file.display()))?;
        let config = Config::load(&file)?;
        let app = App::start(&config).await?;
        let by = |files: &[SecretFile]| Outbound::new(TIMEOUT, files.first().cloned());
        let operator = by(&config.server.operator_tokens)?;
        let webhook = by(&config.server.webhook_tokens)?;
        let evidence = config.evidence.directory;
        Ok(Self { api, app, monitoring, people, evidence, operator, webhook })
    }

    /// Reads Backstop's API.
    ///
    /// # Errors
    /// In words: no answer, an error status, or JSON of another shape.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("http://{}{path}", self.app.listen).parse()?;
        Ok(self.operator.get_json(url).await?)
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
struct Tokens {
    webhook: PathBuf,
    operator: PathBuf,
    slack: PathBuf,
    pagerduty: PathBuf,
}

impl Tokens {
    fn write(folder: &Path) -> anyhow::Result<Self> {
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

async fn start_monitoring(
    folder: &Path,
    programs: &Programs,
    tokens: &Tokens,
    listen: SocketAddr,
    api: SocketAddr,
) -> anyhow::Result<RealMonitoring> {
    let mut rule_files = Vec::new();
    for (name, text) in RULES {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("{} can't be written", file.display()))?;
        rule_files.push(file);
    }
    let alertmanager = AlertmanagerSettings {
        webhook_url: format!("http://{listen}/api/v1/alertmanager"),
        token_file: Some(tokens.webhook.clone()),
        basic_auth: None,
        group_interval: INTERVAL,
        repeat_interval: Duration::from_secs(10),
        cluster: None,
    };
    let alertmanager = programs.alertmanager(folder, &alertmanager).await?;
    let prometheus = PrometheusSettings {
        targets: vec![ScrapeTarget {
            job: "spark-trading".to_owned(),
            address: api,
            path: "/api/public/metrics.prom".to_owned(),
            labels: Vec::new(),
        }],
        rule_files,
        alertmanagers: vec![alertmanager.address()],
        interval: INTERVAL,
        resend_delay: Duration::from_secs(5),
        alert_relabel_configs: Vec::new(),
    };
    let prometheus = programs.prometheus(folder, &prometheus).await?;
    Ok(RealMonitoring { alertmanager, prometheus })
}

/// The channel that the demo's Slack has.
pub const CHANNEL: &str = "spark-incidents";

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

fn configuration(
    listen: SocketAddr,
    tokens: &Tokens,
    api: &TradingApi,
    monitoring: Option<&RealMonitoring>,
) -> String {
    let (alertmanagers, prometheus) = monitoring.map_or_else(Default::default, |monitoring| {
        (
            format!("urls = [\"{}\"]", monitoring.alertmanager.url()),
            format!("[prometheus]\nurl = \"{}\"", monitoring.prometheus.url()),
        )
    });
    let rollout_url = api.url("/api/features/rollout");
    format!(
        "[server]
listen = \"{listen}\"
admin_listen = \"127.0.0.1:0\"
auth.webhook_token_files = [{webhook:?}]
auth.operator_token_files = [{operator:?}]
[alertmanager]
{alertmanagers}
poll_interval = \"1s\"
{prometheus}
[[rollouts]]
name = \"spark-trading\"
grace = \"{grace}s\"
verify.healthz_url = \"{healthz}\"
verify.metrics_url = \"{metrics}\"
verify.stable_version = \"{STABLE_VERSION}\"
verify.window = \"40s\"
verify.interval = \"1s\"
[rollouts.traffic]
kind = \"feature-flag\"
url = \"{rollout_url}\"
feature = \"{CANARY_VERSION}\"
read_url = \"{rollout_url}?feature={CANARY_VERSION}\"
",
        webhook = tokens.webhook.display().to_string(),
        operator = tokens.operator.display().to_string(),
        grace = GRACE.as_secs(),
        healthz = api.url("/api/healthz"),
        metrics = api.url("/api/public/metrics.prom"),
    )
}
