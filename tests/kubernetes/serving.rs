//! `backstop serve` over rollouts in the cluster, each in its own namespace and named after it.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backstop::clock::{Clock, SystemClock};
use backstop::web::IncidentView;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::controlplane::PATIENCE;
use crate::ports::own_port;
use crate::rollouts::Router;

/// The process; it ends when this is dropped.
pub(crate) struct Serving {
    process: Child,
    folder: TempDir,
    url: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _it_may_have_ended = self.process.kill();
        let _reaped = self.process.wait();
        if std::thread::panicking() {
            let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
            let _it_is_for_whoever_looks = std::io::stderr().write_all(&log);
        }
    }
}

/// A rollout's part of the configuration: seconds where a real one has minutes.
pub(crate) fn rollout_toml(namespace: &str, router: Router, kubeconfig: &Path) -> String {
    let (kind, object) = match router {
        Router::Nginx => ("ingress-nginx", "canary_ingress"),
        Router::Gateway => ("gateway-api", "http_route"),
    };
    let workload = |name: &str| format!("{{ deployment = \"{name}\", service = \"{name}\" }}");
    format!(
        "[[rollouts]]\nname = \"{namespace}\"\nrevision = \"1\"\n\
         verify.window = \"5s\"\nverify.interval = \"500ms\"\nverify.guard = \"1s\"\n\
         [rollouts.traffic]\nkind = \"{kind}\"\nnamespace = \"{namespace}\"\n{object} = \"api\"\n\
         stable = {}\ncanary = {}\nkubeconfig = {kubeconfig:?}\ndrain = \"1s\"\n",
        workload("stable"),
        workload("canary"),
    )
}

impl Serving {
    /// Started with these sections of the configuration; returns once every share is read as 25 %.
    pub(crate) async fn start(sections: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (listen, admin) = (own_port(), own_port());
        let text = format!("[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n{sections}");
        std::fs::write(folder.path().join("backstop.toml"), text).expect("written");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
        command.arg("serve").arg("--config").arg(folder.path().join("backstop.toml"));
        let process = command.stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        let this = Self { process, folder, url: format!("http://{listen}") };
        this.within(PATIENCE, "every share to be read", || async {
            let rollouts: Vec<Value> = this.read("/api/v1/rollouts").await?;
            rollouts.iter().all(|rollout| rollout["share_percent"] == 25).then_some(())
        })
        .await;
        this
    }

    pub(crate) async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> Option<T> {
        reqwest::get(format!("{}{path}", self.url)).await.ok()?.json().await.ok()
    }

    /// Waits, and says with what has become of it meanwhile.
    async fn within<T, F: Future<Output = Option<T>>>(
        &self,
        limit: Duration,
        what: &str,
        mut condition: impl FnMut() -> F,
    ) -> T {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            if Instant::now() >= deadline {
                let incidents: Option<Value> = self.read("/api/v1/incidents").await;
                panic!("waited {limit:?} for {what}: {incidents:#?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Posts one alert of each rollout, as Alertmanager does.
    pub(crate) async fn alert(&self, rollouts: &[&str], severity: &str) {
        let alert = |rollout: &&str| {
            let labels = json!({ "alertname": "CanaryErrorRate", "severity": severity, "rollout": rollout, "canary_rollback": "true" });
            json!({
                "status": "firing", "startsAt": SystemClock.now().to_rfc3339(), "endsAt": "0001-01-01T00:00:00Z",
                "labels": labels, "annotations": {}, "generatorURL": "",
            })
        };
        let alerts: Vec<_> = rollouts.iter().map(alert).collect();
        let body = json!({ "version": "4", "status": "firing", "receiver": "backstop", "truncatedAlerts": 0, "alerts": alerts });
        let posted = reqwest::Client::new().post(format!("{}/api/v1/alertmanager", self.url));
        let status = posted.body(body.to_string()).send().await.expect("an answer").status();
        assert!(status.is_success(), "{status}");
    }

    /// The rollout's only incident, once it is as wanted.
    pub(crate) async fn incident(
        &self,
        rollout: &str,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&IncidentView) -> bool,
    ) -> IncidentView {
        self.within(limit, &format!("{rollout}: {what}"), || async {
            let incidents: Vec<IncidentView> =
                self.read(&format!("/api/v1/incidents?rollout={rollout}")).await?;
            assert!(incidents.len() <= 1, "{rollout}: one incident: {incidents:#?}");
            incidents.into_iter().find(|incident| wanted(incident))
        })
        .await
    }

    /// The rollout's only incident, once it is rolled back.
    pub(crate) async fn rolled_back(&self, rollout: &str, limit: Duration) -> IncidentView {
        self.incident(rollout, limit, "rolled back", |incident| incident.state == "rolled_back").await
    }
}

/// How often people were told of this, by the name of the notice's kind.
pub(crate) fn told(incident: &IncidentView, kind: &str) -> usize {
    incident.notifications.iter().filter(|notice| notice.kind == kind).count()
}
