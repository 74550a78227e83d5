//! `backstop serve` as a process of its own, with rollouts in the cluster.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use backstop::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::controlplane::{shared, wait_for};
use crate::ports::own_port;
use crate::rollouts::Router;

/// The file beside a configuration that names an operator.
pub(crate) const OPERATOR_TOKEN: &str = "operator-token";

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
    /// Its part of the configuration.
    pub(crate) fn toml(&self) -> String {
        let Self { namespace, router, kubeconfig, settings, traffic } = self;
        let workload = |name: &str| format!("{{ deployment = \"{name}\", service = \"{name}\" }}");
        let (stable, canary) = (workload("stable"), workload("canary"));
        let (kind, object) = match router {
            Router::Nginx => ("ingress-nginx", "canary_ingress"),
            Router::Gateway => ("gateway-api", "http_route"),
        };
        format!(
            "[[rollouts]]\nname = \"{namespace}\"\nverify.window = \"10s\"\nverify.interval = \"200ms\"\n{settings}\n\
             [rollouts.traffic]\nkind = \"{kind}\"\nnamespace = \"{namespace}\"\n{object} = \"api\"\n\
             stable = {stable}\ncanary = {canary}\nkubeconfig = {kubeconfig:?}\ndrain = \"1s\"\n{traffic}\n"
        )
    }
}

/// Where a server is to be: its folder, its configuration, its address.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), listen: own_port(), admin: own_port() }
    }

    /// Relative paths of the configuration count from it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// Writes the configuration: these sections, beside the addresses.
    pub(crate) fn configure(&self, sections: &str) {
        let Self { listen, admin, .. } = self;
        let text = format!("[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n{sections}");
        std::fs::write(self.folder().join("backstop.toml"), text).expect("written");
    }

    /// A command of the program with this configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
        command.args(arguments).arg("--config").arg(self.folder().join("backstop.toml"));
        command
    }
}

/// A running `backstop serve`; it ends when this is dropped.
pub(crate) struct Served {
    process: Mutex<Child>,
    pub(crate) site: Site,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _it_may_have_ended = self.process().kill();
        let _reaped = self.process().wait();
        if std::thread::panicking() {
            let log = std::fs::read(self.site.folder().join("log")).unwrap_or_default();
            let _it_is_for_whoever_looks = std::io::stderr().write_all(&log);
        }
    }
}

impl Served {
    /// Starts it, and returns once it answers. Shares are read every `poll`.
    pub(crate) async fn start(poll: &str, rollouts: &[Configured<'_>]) -> Self {
        let site = Site::new();
        let rollouts: String = rollouts.iter().map(Configured::toml).collect();
        site.configure(&format!("[alertmanager]\npoll_interval = \"{poll}\"\n{rollouts}"));
        Self::at(site).await
    }

    /// The same where everything has been prepared.
    pub(crate) async fn at(site: Site) -> Self {
        let process = Mutex::new(serve(&site));
        let this = Self { process, site };
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

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(&self) {
        let mut process = self.process();
        process.kill().expect("killed");
        process.wait().expect("it ends");
    }

    /// Starts it again where it was.
    pub(crate) async fn restart(&self) {
        *self.process() = serve(&self.site);
        self.is_up().await;
    }

    async fn is_up(&self) {
        wait_for("backstop to answer", || {
            let ended = self.process().try_wait().expect("asked");
            assert!(ended.is_none(), "it has ended: {ended:?}");
            async { self.get("/api/v1/rollouts").send().await.ok()?.error_for_status().ok().map(drop) }
        })
        .await;
    }

    /// As an operator, where there is one.
    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        let request = reqwest::Client::new().get(self.site.url(path));
        match std::fs::read_to_string(self.site.folder().join(OPERATOR_TOKEN)) {
            Ok(token) => request.bearer_auth(token.trim()),
            Err(_) => request,
        }
    }

    /// What its API answers; `None`: nothing.
    pub(crate) async fn read(&self, path: &str) -> Option<Value> {
        self.get(path).send().await.ok()?.json().await.ok()
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

    /// Posts a critical alert, as Alertmanager does: again until it is accepted.
    pub(crate) async fn critical(&self, namespace: &str) {
        let alert = json!({
            "version": "4", "status": "firing", "receiver": "backstop", "truncatedAlerts": 0,
            "alerts": [{
                "status": "firing", "startsAt": SystemClock.now().to_rfc3339(), "endsAt": "0001-01-01T00:00:00Z",
                "labels": { "alertname": "CanaryErrorRateCritical", "severity": "critical", "rollout": namespace, "canary_rollback": "true" },
                "annotations": {}, "generatorURL": "",
            }],
        });
        wait_for(&format!("the alert of {namespace} to be accepted"), || async {
            let posted = reqwest::Client::new().post(self.site.url("/api/v1/alertmanager"));
            let answer = posted.body(alert.to_string()).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
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

    /// Waits until so many rollbacks have complete evidence, one file each, and has it checked.
    pub(crate) async fn has_evidence_of(&self, rollbacks: usize) {
        let texts = || {
            let entries = std::fs::read_dir(self.evidence()).into_iter().flatten();
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            let texts = paths.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
            texts.filter_map(|path| std::fs::read_to_string(path).ok()).collect::<Vec<_>>()
        };
        wait_for("complete evidence", || async {
            let complete = texts().iter().filter(|text| text.contains("This File: complete")).count();
            (complete >= rollbacks).then_some(())
        })
        .await;
        assert_eq!(texts().len(), rollbacks);
        let verified = self.command(&["evidence", "verify"]).await;
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }

    /// Where its evidence is.
    pub(crate) fn evidence(&self) -> PathBuf {
        self.site.folder().join("evidence")
    }

    /// Another command of the same program, with the same configuration.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::from(self.site.command(arguments));
        command.output().await.expect("it runs")
    }
}

fn serve(site: &Site) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(site.folder().join("log")).expect("a log");
    site.command(&["serve"]).stdout(Stdio::null()).stderr(log).spawn().expect("it starts")
}
