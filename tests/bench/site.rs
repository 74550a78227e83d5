//! A folder with a configuration, and `backstop serve` on it as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use backstop::clock::{Clock, SystemClock};
use backstop::demo::monitoring::free_port;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::flag_api::FlagApi;
use crate::wire::Wire;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_backstop");
const TOKEN: &str = "hook-token";
/// Of a site whose configuration names the file `operator`.
pub(crate) const OPERATOR: &str = "operator-token";
pub(crate) const WEBHOOK: &str = "/api/v1/alertmanager";

/// The folder.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    config: PathBuf,
    listen: SocketAddr,
    admin: SocketAddr,
}

/// A running process; it is killed when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    listen: SocketAddr,
    /// From its start to its first "ready".
    pub(crate) ready_after: Duration,
}

impl Site {
    /// A rollout for every flag of the API: `r0`, `r1` and so on, polled every second.
    pub(crate) fn new(api: &FlagApi, rollouts: usize) -> Self {
        Self::matching(api, (0..rollouts).map(|number| format!("r{number}")))
    }

    /// The same with rollouts of these names.
    pub(crate) fn matching(api: &FlagApi, names: impl Iterator<Item = String>) -> Self {
        let mut text = "[alertmanager]\npoll_interval = \"20s\"\n".to_owned();
        for (number, name) in names.enumerate() {
            let url = format!("http://{}/flag/{number}", api.address);
            text += &format!(
                "[[rollouts]]\nname = \"{name}\"\nmatch = {{ rollout = \"{name}\" }}\ngrace = \"1h\"\n\
                 verify.window = \"5s\"\nverify.interval = \"100ms\"\n[rollouts.traffic]\nkind = \"feature-flag\"\n\
                 url = \"{url}\"\nread_url = \"{url}\"\nfeature = \"v1.4.0\"\n"
            );
        }
        Self::of(&text)
    }

    /// A server with these sections in its configuration.
    pub(crate) fn of(sections: &str) -> Self {
        // Beside the build's own files, so on the disk that the floor is measured on.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        std::fs::write(folder.path().join("token"), TOKEN).expect("written");
        let (listen, admin) = (free_port().expect("a port"), free_port().expect("a port"));
        let text = format!(
            "[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\nauth.webhook_token_files = [\"token\"]\n{sections}"
        );
        let config = folder.path().join("backstop.toml");
        std::fs::write(&config, text).expect("written");
        Self { folder, config, listen, admin }
    }

    /// Adds sections to the configuration, and the secrets that they name.
    pub(crate) fn add(&self, sections: &str, secrets: &[(&str, &str)]) {
        for (name, secret) in secrets {
            std::fs::write(self.folder.path().join(name), secret).expect("written");
        }
        let text = std::fs::read_to_string(&self.config).expect("read");
        std::fs::write(&self.config, format!("{sections}{text}")).expect("written");
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("data/backstop.db")
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn serve(&self) -> Served {
        let began = Instant::now();
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(&self.config).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().expect("the binary starts");
        while !self.is_ready().await {
            assert!(began.elapsed() < Duration::from_secs(60), "not ready after a minute");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Served { child, listen: self.listen, ready_after: began.elapsed() }
    }

    async fn is_ready(&self) -> bool {
        if TcpStream::connect(self.admin).await.is_err() {
            return false;
        }
        Wire::connect(self.admin, TOKEN).await.get("/readyz").await.0 == 200
    }
}

impl Served {
    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.listen, TOKEN).await
    }

    /// A line of `/proc/<pid>/status` that counts kB: `VmRSS`, `VmHWM`; in bytes.
    pub(crate) fn memory(&self, key: &str) -> u64 {
        let pid = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("read");
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("the line");
        let number = line.trim_start_matches(':').trim().trim_end_matches("kB").trim();
        number.parse::<u64>().expect("a number") * 1_024
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// Starts a rollout's ramp.
    pub(crate) async fn start_ramp(&self, rollout: &str, revision: &str) {
        let url = self.url(&format!("/api/v1/rollouts/{rollout}/ramp"));
        let body = serde_json::json!({ "actor": "bench", "revision": revision, "yes": true });
        let answer = reqwest::Client::new().post(url).bearer_auth(OPERATOR).json(&body).send().await;
        let answer = answer.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        assert!(status.is_success(), "{status}: {text}");
    }

    /// The processor time that it has used since its start, of all its threads.
    pub(crate) fn processor(&self) -> Duration {
        let pid = self.child.id().expect("it runs");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("read");
        // Behind the name, which may hold spaces: fields 14 and 15 of proc(5), in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 10)
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }
}

/// One alert as Alertmanager writes it, with the usual labels; `unique` makes it a new one.
pub(crate) fn alert(rollout: &str, severity: &str, unique: usize) -> String {
    let now = SystemClock.now().to_rfc3339();
    format!(
        r#"{{"status":"firing","labels":{{"alertname":"CanaryErrorRate","cluster":"prod-eu-1","instance":"10.42.0.0:8080","job":"checkout","namespace":"shop","pod":"checkout-canary-7c9f8b6d54-{unique:05}","prometheus":"monitoring/k8s","rollout":"{rollout}","severity":"{severity}"}},"annotations":{{"description":"Canary checkout has an error ratio of 12.4% (threshold 5%) for more than 1 minute.","runbook_url":"https://runbooks.example.com/canary-high-error-rate","summary":"Canary error rate above 5%"}},"startsAt":"{now}","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example.com/graph?g0.expr=sum+by+%28namespace%29+%28rate%28http_requests_total%5B1m%5D%29%29+%3E+0.05"}}"#
    )
}

/// A webhook body with these alerts.
pub(crate) fn body(alerts: &[String]) -> Vec<u8> {
    format!(r#"{{"receiver":"backstop","status":"firing","version":"4","groupKey":"{{}}","truncatedAlerts":0,"alerts":[{}]}}"#, alerts.join(","))
        .into_bytes()
}

/// A body with one alert.
pub(crate) fn single(rollout: &str, severity: &str, unique: usize) -> Vec<u8> {
    body(&[alert(rollout, severity, unique)])
}
