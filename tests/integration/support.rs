//! What the tests share: a folder with a configuration, a running Backstop, waiting with a bound.

pub(crate) mod aged;
pub(crate) mod alerting;
pub(crate) mod around;
pub(crate) mod chain;
pub(crate) mod connections;
pub(crate) mod crashing;
pub(crate) mod in_memory;
pub(crate) mod measured;
mod ports;
pub(crate) mod small_disk;

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use backstop::app::App;
use backstop::config::Config;
use backstop::demo::trading_api::TradingApi;
use backstop::web::IncidentView;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

pub(crate) use ports::own_port;

/// The longest that anything is waited for; generous, because machines are slow at times.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Installs the TLS provider, as main does.
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Waits until `condition` returns something; what doesn't within the limit fails the test.
pub(crate) async fn wait_for<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The configuration of one rollout on a trading API.
pub(crate) fn rollout_toml(name: &str, matching: &str, grace: &str, api: &TradingApi) -> String {
    rollout_toml_at(name, matching, grace, &api.url(""))
}

/// The same where the trading API will be.
pub(crate) fn rollout_toml_at(name: &str, matching: &str, grace: &str, base: &str) -> String {
    let url = format!("{base}/api/features/rollout");
    format!(
        "[[rollouts]]
name = \"{name}\"
match = {matching}
grace = \"{grace}\"
verify.healthz_url = \"{base}/api/healthz\"
verify.metrics_url = \"{base}/api/public/metrics.prom\"
verify.stable_version = \"v1.3.9\"
verify.window = \"3s\"
verify.interval = \"200ms\"
[rollouts.traffic]
kind = \"feature-flag\"
url = \"{url}\"
feature = \"v1.4.0\"
read_url = \"{url}?feature=v1.4.0\"
timeout = \"1s\"
"
    )
}

pub(crate) const MATCH: &str = "{ rollout = \"spark-trading\", canary_rollback = \"true\" }";

/// Where the processes of a site log to.
const LOG: &str = "backstop.log";

/// A folder with tokens and a configuration.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) config: PathBuf,
}

impl Site {
    pub(crate) fn new(sections: &str, rollouts: &str) -> Self {
        prepare();
        let folder = tempfile::tempdir().expect("a folder");
        for (name, token) in [("webhook", "hook-token"), ("operator", "operator-token")] {
            std::fs::write(folder.path().join(name), token).expect("written");
        }
        let config = folder.path().join("backstop.toml");
        let (listen, admin) = (own_port(), own_port());
        let text = format!(
            "[server]
listen = \"{listen}\"
admin_listen = \"{admin}\"
drain = \"5s\"
auth.webhook_token_files = [\"webhook\"]
auth.operator_token_files = [\"operator\"]
{sections}
{rollouts}"
        );
        std::fs::write(&config, text).expect("written");
        Self { folder, config }
    }

    /// One rollout on this API, no monitoring, polled every second.
    pub(crate) fn simple(grace: &str, api: &TradingApi) -> Self {
        Self::new("[alertmanager]\npoll_interval = \"1s\"", &rollout_toml("spark-trading", MATCH, grace, api))
    }

    pub(crate) fn parsed(&self) -> Config {
        Config::open(&self.config).expect("a valid configuration")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.parsed().server.listen)
    }

    /// Changes the configuration for the next start.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.config).expect("read");
        assert!(text.contains(from), "{from} in\n{text}");
        std::fs::write(&self.config, text.replace(from, to)).expect("written");
    }

    /// One metric of `/metrics`, with its labels as they stand there; 0 while there is none.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = async {
            let url = format!("http://{}/metrics", self.parsed().server.admin_listen);
            reqwest::get(url).await.ok()?.text().await.ok()
        };
        let text = text.await.unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    pub(crate) async fn start(&self) -> App {
        App::start(&self.parsed()).await.expect("started")
    }

    /// The binary as a process of its own, which can be killed; returns once it takes webhooks.
    pub(crate) async fn spawn(&self) -> Child {
        self.serve(binary().arg("serve").arg("--config").arg(&self.config)).await
    }

    /// The same by another command line. Its log stays in the folder.
    pub(crate) async fn serve(&self, command: &mut Command) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join(LOG));
        let child = command.stderr(log.expect("opened")).kill_on_drop(true).spawn().expect("it starts");
        // Answered from memory, also where the store can't be opened.
        let up = || async { self.read::<serde_json::Value>("/api/v1/rollouts").await };
        wait_for("the server", up).await;
        child
    }

    /// What the processes have logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default()
    }

    pub(crate) async fn incidents_if_up(&self) -> Option<Vec<IncidentView>> {
        self.read("/api/v1/incidents").await
    }

    /// Reads the API with a token that may.
    pub(crate) async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> Option<T> {
        let request = reqwest::Client::new().get(self.url(path)).bearer_auth("operator-token");
        request.send().await.ok()?.json().await.ok()
    }

    pub(crate) async fn incidents(&self) -> Vec<IncidentView> {
        self.incidents_if_up().await.expect("an answer")
    }

    /// Waits until one incident is as wanted, the newest first.
    pub(crate) async fn incident(&self, what: &str, wanted: impl Fn(&IncidentView) -> bool) -> IncidentView {
        wait_for(what, || async {
            let incidents = self.incidents_if_up().await.unwrap_or_default();
            incidents.into_iter().find(|incident| wanted(incident))
        })
        .await
    }

    /// Waits until the first rollout's share has been read as this.
    pub(crate) async fn share_read(&self, percent: u8) {
        wait_for("the share to be read", || async {
            let rollouts: serde_json::Value = self.read("/api/v1/rollouts").await?;
            (rollouts[0]["share_percent"] == percent).then_some(())
        })
        .await;
    }

    /// Posts a webhook and returns the status.
    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> u16 {
        let request = reqwest::Client::new().post(self.url("/api/v1/alertmanager")).bearer_auth("hook-token");
        request.body(body).send().await.expect("an answer").status().as_u16()
    }

    /// Asks as an operator.
    pub(crate) async fn ask(&self, path: &str, body: serde_json::Value) -> (u16, serde_json::Value) {
        let request = reqwest::Client::new().post(self.url(path)).bearer_auth("operator-token");
        let reply = request.json(&body).send().await.expect("an answer");
        (reply.status().as_u16(), reply.json().await.unwrap_or_default())
    }

    pub(crate) fn evidence(&self) -> PathBuf {
        self.folder.path().join("evidence")
    }
}

/// The command line of this build.
pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_backstop"))
}

/// A webhook body with one alert of the rollout.
pub(crate) fn body(name: &str, severity: &str, starts_at: &str, ends_at: Option<&str>) -> String {
    let status = if ends_at.is_some() { "resolved" } else { "firing" };
    serde_json::json!({
        "version": "4", "status": status, "receiver": "backstop", "truncatedAlerts": 0,
        "alerts": [{
            "status": status, "startsAt": starts_at, "endsAt": ends_at.unwrap_or("0001-01-01T00:00:00Z"),
            "labels": { "alertname": name, "severity": severity, "rollout": "spark-trading", "canary_rollback": "true" },
            "annotations": {}, "generatorURL": "",
        }],
    })
    .to_string()
}

pub(crate) fn now() -> String {
    use backstop::clock::Clock;
    backstop::clock::SystemClock.now().to_rfc3339()
}

/// The project's folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
