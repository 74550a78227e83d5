//! The whole way: an alert to the process, a rollback in the cluster.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use backstop::clock::{Clock, SystemClock};
use backstop::incident::Share;
use serde_json::{Value, json};

use crate::controlplane::{shared, wait_for};
use crate::ports::own_port;
use crate::rollouts::{Rollout, Router};

/// `backstop serve`, until it is dropped.
struct Served {
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
    async fn start(namespace: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (listen, admin) = (own_port(), own_port());
        let kubeconfig = shared().await.kubeconfig();
        let workload = |name: &str| format!("{{ deployment = \"{name}\", service = \"{name}\" }}");
        let text = format!(
            "[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n[alertmanager]\npoll_interval = \"1s\"\n\
             [[rollouts]]\nname = \"spark-trading\"\nrevision = \"v1.4.0\"\nverify.window = \"3s\"\nverify.interval = \"200ms\"\nverify.guard = \"1s\"\n\
             [rollouts.traffic]\nkind = \"ingress-nginx\"\nnamespace = \"{namespace}\"\ncanary_ingress = \"api\"\n\
             stable = {}\ncanary = {}\nkubeconfig = {kubeconfig:?}\ndrain = \"1s\"\n",
            workload("stable"),
            workload("canary"),
        );
        let config = folder.path().join("backstop.toml");
        std::fs::write(&config, text).expect("written");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
        command.arg("serve").arg("--config").arg(&config).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("it starts");
        let this = Self { process, folder, url: format!("http://{listen}") };
        let share = || async {
            let rollouts = this.read("/api/v1/rollouts").await?;
            (rollouts[0]["share_percent"] == 25).then_some(())
        };
        wait_for("the share to be read", share).await;
        this
    }

    async fn read(&self, path: &str) -> Option<Value> {
        reqwest::get(format!("{}{path}", self.url)).await.ok()?.json().await.ok()
    }
}

#[tokio::test]
async fn a_critical_alert_takes_the_canary_out_of_the_cluster_though_stable_had_no_pod() {
    let rollout = Rollout::new("whole", Router::Nginx, 0).await;
    let served = Served::start("whole").await;
    let alert = json!({
        "version": "4", "status": "firing", "receiver": "backstop", "truncatedAlerts": 0,
        "alerts": [{
            "status": "firing", "startsAt": SystemClock.now().to_rfc3339(), "endsAt": "0001-01-01T00:00:00Z",
            "labels": { "alertname": "CanaryErrorRateCritical", "severity": "critical", "rollout": "spark-trading", "canary_rollback": "true" },
            "annotations": {}, "generatorURL": "",
        }],
    });
    let posted = reqwest::Client::new().post(format!("{}/api/v1/alertmanager", served.url));
    let status = posted.body(alert.to_string()).send().await.expect("an answer").status();
    assert!(status.is_success(), "{status}");
    rollout.pods_are(3, 0).await;
    let observed = rollout.observe().await;
    assert!(observed.share == Share::ZERO && observed.is_off(), "{observed:?}");
    let incident = wait_for("the rollback to have ended", || async {
        let incidents = served.read("/api/v1/incidents").await?;
        let incident = incidents[0].clone();
        (incident["state"] == "rolled_back").then_some(incident)
    })
    .await;
    // Stable first, then the traffic, then the canary.
    let steps = incident["steps"].to_string();
    let at = |text: &str| steps.find(text).unwrap_or_else(|| panic!("{text} in {steps}"));
    assert!(at("deployments/stable/scale") < at("ingresses/api"), "{steps}");
    assert!(at("ingresses/api") < at("deployments/canary/scale"), "{steps}");
}
