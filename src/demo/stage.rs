//! Sets the stage: application, monitoring, Backstop.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::monitoring::{
    AlertmanagerSettings, Programs, PrometheusSettings, ScrapeTarget, Server, free_port,
};
use super::served::{Served, Tokens};
use super::trading_api::{CANARY_VERSION, STABLE_VERSION, TradingApi};

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

/// How many requests a second the application has.
pub const REQUESTS_PER_SECOND: u32 = 400;

/// The rules' window, and what it is in a ramp: a canary's errors are to be over before the next one begins.
const RULE_WINDOWS: (&str, &str) = ("5m", "15s");

/// How long each stage of the demo's ramp lasts, shortened from the protocol's quarter of an hour.
pub const RAMP_STAGE: Duration = Duration::from_secs(10);

/// The ramp's criteria: the shipped ones look back at minutes.
const RAMP_CRITERIA: (&str, &str) = ("criteria.toml", include_str!("ramp_criteria.toml"));

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// A canary with a quarter of the traffic is rolled back.
    Rollback,
    /// A canary without traffic is ramped; its series are told from stable's.
    Ramp,
}

/// The two servers of the real monitoring; dropped, both are killed.
#[derive(Debug)]
pub struct RealMonitoring {
    pub alertmanager: Server,
    pub prometheus: Server,
}

/// Everything that runs in the demo. Dropping it ends it all.
#[derive(Debug)]
pub struct Stage {
    pub served: Served,
    pub api: TradingApi,
    /// Prometheus and Alertmanager, where they are installed.
    pub monitoring: Option<RealMonitoring>,
}

impl Stage {
    /// Starts everything under `folder`.
    ///
    /// # Errors
    /// In words: what did not start.
    pub async fn set(folder: &Path, programs: Option<&Programs>, play: Play) -> anyhow::Result<Self> {
        let share = match play {
            Play::Rollback => 25,
            Play::Ramp => 0,
        };
        let api = TradingApi::start(share, REQUESTS_PER_SECOND).await;
        let api = api.context("the trading API can't start")?;
        if play == Play::Ramp {
            api.tell_versions_apart();
            let (name, text) = RAMP_CRITERIA;
            std::fs::write(folder.join(name), text).context("the criteria can't be written")?;
        }
        // Alertmanager has to know where Backstop will listen, and Backstop where Alertmanager does.
        let listen = free_port().context("no free port")?;
        let tokens = Tokens::write(folder)?;
        let monitoring = match programs {
            Some(programs) => {
                Some(start_monitoring(folder, programs, &tokens, (listen, api.address()), play).await?)
            }
            None => None,
        };
        let mut sections = sections(&api, monitoring.as_ref(), play);
        if play == Play::Ramp {
            sections += &ramp_section();
        }
        let served = Served::start(folder, listen, &tokens, &sections).await?;
        Ok(Self { served, api, monitoring })
    }
}

async fn start_monitoring(
    folder: &Path,
    programs: &Programs,
    tokens: &Tokens,
    (listen, api): (SocketAddr, SocketAddr),
    play: Play,
) -> anyhow::Result<RealMonitoring> {
    let mut rule_files = Vec::new();
    for (name, text) in RULES {
        let file = folder.join(name);
        let (minutes, seconds) = RULE_WINDOWS;
        let text = if play == Play::Ramp { text.replace(minutes, seconds) } else { text.to_owned() };
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

fn ramp_section() -> String {
    format!(
        "[rollouts.ramp]
stage_duration = \"{seconds}s\"
last_stage_duration = \"{seconds}s\"
judge_interval = \"1s\"
criteria_files = [\"{file}\"]
",
        seconds = RAMP_STAGE.as_secs(),
        file = RAMP_CRITERIA.0,
    )
}

fn sections(api: &TradingApi, monitoring: Option<&RealMonitoring>, play: Play) -> String {
    let (alertmanagers, prometheus) = monitoring.map_or_else(Default::default, |monitoring| {
        (
            format!("urls = [\"{}\"]", monitoring.alertmanager.url()),
            format!("[prometheus]\nurl = \"{}\"", monitoring.prometheus.url()),
        )
    });
    let window_seconds = match play {
        Play::Rollback => 40,
        // The canary's own requests are counted there, which says something after a minute and a half.
        Play::Ramp => 180,
    };
    let rollout_url = api.url("/api/features/rollout");
    format!(
        "[alertmanager]
{alertmanagers}
poll_interval = \"1s\"
{prometheus}
[[rollouts]]
name = \"spark-trading\"
grace = \"{grace}s\"
verify.healthz_url = \"{healthz}\"
verify.metrics_url = \"{metrics}\"
verify.stable_version = \"{STABLE_VERSION}\"
verify.window = \"{window}s\"
verify.interval = \"1s\"
[rollouts.traffic]
kind = \"feature-flag\"
url = \"{rollout_url}\"
feature = \"{CANARY_VERSION}\"
read_url = \"{rollout_url}?feature={CANARY_VERSION}\"
",
        grace = GRACE.as_secs(),
        window = window_seconds,
        healthz = api.url("/api/healthz"),
        metrics = api.url("/api/public/metrics.prom"),
    )
}
