//! `backstop serve` as a process of its own, with rollouts in the cluster.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use backstop::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::controlplane::{shared, wait_for};
use crate::ports::own_port;
use crate::rollouts::Router;

/// A rollout of the configuration, named as its namespace.
pub(crate) struct Configured<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) router: Router,
    /// As whom it acts.
    pub(crate) kubeconfig: &'a Path,
    /// Further lines of `[[rollouts]]`.
    pub(crate) settings: &'a str,
    /// Further lines of `[rollouts.traffic]`.
    pub(crate) traffic: &'a str,
}

impl Configured<'_> {
    fn toml(&self) -> String {
        let Self { namespace, router, kubeconfig, settings, traffic } = self;
        let workload = |name: &str| format!("{{ deployment = \"{name}\", service = \"{name}\" }}");
        let (stable, canary) = (workload("stable"), workload("canary"));
        let (kind, object) = match router {
            Router::Nginx => ("ingress-nginx", "canary_ingress"),
            Router::Gateway => ("gateway-api", "http_route"),
        };
        format!(
            "[[rollouts]]\nname = \"{namespace}\"\nverify.window = \"3s\"\nverify.interval = \"200ms\"\n{settings}\n\
             [rollouts.traffic]\nkind = \"{kind}\"\nnamespace = \"{namespace}\"\n{object} = \"api\"\n\
             stable = {stable}\ncanary = {canary}\nkubeconfig = {kubeconfig:?}\ndrain = \"1s\"\n{traffic}\n"
        )
    }
}

/// A running `backstop serve`; it ends when this is dropped.
pub(crate) struct Served {
    process: Child,
    folder: tempfile::TempDir,
    url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _it_may_have_ended = self.process.kill();
        let _reaped = self.process.wait();
        if std::thread::panicking() {
            let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
            let _it_is_for_whoever_looks = std::io::stderr().write_all(&log);
        }
    }
}

impl Served {
    /// Starts it, and returns once it answers. Shares are read every `poll`.
    pub(crate) async fn start(poll: &str, rollouts: &[Configured<'_>]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (listen, admin) = (own_port(), own_port());
        let mut text = format!(
            "[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n[alertmanager]\npoll_interval = \"{poll}\"\n"
        );
        text.extend(rollouts.iter().map(Configured::toml));
        std::fs::write(folder.path().join("backstop.toml"), text).expect("written");
        let process = serve(folder.path());
        let mut this = Self { process, folder, url: format!("http://{listen}") };
        this.is_up().await;
        this
    }

    /// One rollout of the shared cluster, watched for a second after it was rolled back.
    pub(crate) async fn of(namespace: &str, router: Router) -> Self {
        Self::with(namespace, router, "verify.guard = \"1s\"").await
    }

    /// The same, with these further lines of `[[rollouts]]`.
    pub(crate) async fn with(namespace: &str, router: Router, settings: &str) -> Self {
        let kubeconfig = shared().await.kubeconfig();
        let rollout = Configured { namespace, router, kubeconfig: &kubeconfig, settings, traffic: "" };
        Self::start("1s", &[rollout]).await
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("it ends");
    }

    /// Starts it again where it was.
    pub(crate) async fn restart(&mut self) {
        self.process = serve(self.folder.path());
        self.is_up().await;
    }

    async fn is_up(&mut self) {
        let url = format!("{}/api/v1/rollouts", self.url);
        wait_for("backstop to answer", || {
            let ended = self.process.try_wait().expect("asked");
            assert!(ended.is_none(), "it has ended: {ended:?}");
            async { reqwest::get(&url).await.ok()?.error_for_status().ok().map(drop) }
        })
        .await;
    }

    /// What its API answers; `None`: nothing.
    pub(crate) async fn read(&self, path: &str) -> Option<Value> {
        reqwest::get(format!("{}{path}", self.url)).await.ok()?.json().await.ok()
    }

    /// Waits until it knows the canary's share, in per cent.
    pub(crate) async fn share_is(&self, namespace: &str, percent: u8) {
        let rollout = format!("/api/v1/rollouts/{namespace}");
        let what = format!("{namespace} to be read as {percent} %");
        wait_for(&what, || async {
            let read = self.read(&rollout).await?;
            (read["share_percent"] == percent).then_some(())
        })
        .await;
    }

    /// Posts a critical alert, as Alertmanager does.
    pub(crate) async fn critical(&self, namespace: &str) {
        let alert = json!({
            "version": "4", "status": "firing", "receiver": "backstop", "truncatedAlerts": 0,
            "alerts": [{
                "status": "firing", "startsAt": SystemClock.now().to_rfc3339(), "endsAt": "0001-01-01T00:00:00Z",
                "labels": { "alertname": "CanaryErrorRateCritical", "severity": "critical", "rollout": namespace, "canary_rollback": "true" },
                "annotations": {}, "generatorURL": "",
            }],
        });
        let posted = reqwest::Client::new().post(format!("{}/api/v1/alertmanager", self.url));
        let status = posted.body(alert.to_string()).send().await.expect("an answer").status();
        assert!(status.is_success(), "{status}");
    }

    /// A rollout's incidents, the latest first.
    pub(crate) async fn incidents(&self, namespace: &str) -> Vec<Value> {
        let listed = self.read(&format!("/api/v1/incidents?rollout={namespace}")).await;
        listed.and_then(|listed| listed.as_array().cloned()).unwrap_or_default()
    }

    /// Waits until the rollout's latest incident is in this state.
    pub(crate) async fn becomes(&self, namespace: &str, state: &str) -> Value {
        let what = format!("{namespace} to be {state}");
        wait_for(&what, || async {
            let latest = self.incidents(namespace).await.into_iter().next()?;
            (latest["state"] == state).then_some(latest)
        })
        .await
    }

    /// Where its evidence is.
    pub(crate) fn evidence(&self) -> PathBuf {
        self.folder.path().join("evidence")
    }

    /// Another command of the same program, with the same configuration.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_backstop"));
        command.args(arguments).arg("--config").arg(self.folder.path().join("backstop.toml"));
        command.output().await.expect("it runs")
    }
}

fn serve(folder: &Path) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command.arg("serve").arg("--config").arg(folder.join("backstop.toml"));
    command.stdout(Stdio::null()).stderr(log).spawn().expect("it starts")
}
