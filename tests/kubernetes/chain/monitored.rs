//! Everything that stands between bad metrics and the cluster: the real Prometheus with the rules that
//! `backstop rules generate` makes, the real Alertmanager, Backstop as the account that is shipped; and Slack.

use std::path::PathBuf;
use std::time::Duration;

use backstop::demo::monitoring::{
    AlertmanagerSettings, INSTALL_HINT, Programs, PrometheusSettings, ScrapeTarget, Server,
};
use backstop::demo::people::People;
use backstop::demo::people::slack::BOT_TOKEN;
use futures_util::future::join_all;

use super::users::Users;
use crate::controlplane::{shared, wait_for};
use crate::gateway::Gateway;
use crate::rollouts::{Rollout, Router, Setup, Traffic};
use crate::served::{Configured, OPERATOR_TOKEN, Served, Site};
use crate::shipped;

pub(crate) const CHANNEL: &str = "spark-incidents";

/// Seconds where a real configuration has minutes.
const SETTINGS: &str = "grace = \"8s\"\nverify.guard = \"1s\"";

pub(crate) struct Monitored {
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) users: Vec<Users>,
    pub(crate) people: People,
    pub(crate) served: Served,
    /// The account of each, as kubeconfigs.
    pub(crate) ways: Vec<PathBuf>,
    pub(crate) prometheus: Server,
    _alertmanager: Server,
    _gateway: Gateway,
}

/// How the rollouts are when a test begins.
pub(crate) struct Beginning {
    /// The canary's share, in per cent.
    pub(crate) share: u8,
    /// Further sections of `[[rollouts]]`.
    pub(crate) sections: &'static str,
    /// A file beside the configuration, and its text.
    pub(crate) file: Option<(&'static str, &'static str)>,
}

impl Beginning {
    /// A canary with a quarter of the traffic.
    pub(crate) fn usual() -> Self {
        Self { share: 25, sections: "", file: None }
    }
}

impl Monitored {
    /// One rollout of each router, which has the whole name of its namespace.
    pub(crate) async fn start(all: &[(&'static str, Router)], beginning: &Beginning) -> Self {
        let cluster = shared().await;
        let set_up = |(namespace, router): &(&'static str, Router)| {
            let traffic = Traffic::Weight(beginning.share);
            let setup = Setup { router: *router, traffic, wanted: 2, ready: 2 };
            Rollout::set_up(cluster, namespace, setup)
        };
        let rollouts = join_all(all.iter().map(set_up)).await;
        let ways =
            join_all(all.iter().map(|(namespace, router)| shipped::apply(cluster, namespace, *router))).await;
        let observer = cluster.kubeconfig();
        let users = join_all(rollouts.iter().map(|rollout| Users::of(rollout, &observer))).await;
        let routed = rollouts.iter().filter(|rollout| rollout.router == Router::Gateway);
        let gateway = Gateway::of(routed);
        let people = People::start().await.expect("a free port");
        let site = Site::new();
        std::fs::write(site.folder().join("slack-token"), BOT_TOKEN).expect("written");
        std::fs::write(site.folder().join(OPERATOR_TOKEN), "a-token-of-operators\n").expect("written");
        if let Some((name, text)) = beginning.file {
            std::fs::write(site.folder().join(name), text).expect("written");
        }
        let section =
            |namespace: &str, router, way: &PathBuf| toml(namespace, router, way) + beginning.sections;
        let text: String = all
            .iter()
            .zip(&ways)
            .map(|((namespace, router), way)| section(namespace, *router, way))
            .collect();
        site.configure(&text);
        let (alertmanager, prometheus) = monitoring(&site, &rollouts, &users).await;
        let sections = format!(
            "auth.operator_token_files = [\"{OPERATOR_TOKEN}\"]\n[alertmanager]\nurls = [\"{}\"]\npoll_interval = \"1s\"\n[prometheus]\nurl = \"{}\"\n\
             [slack]\ntoken_file = \"slack-token\"\nchannel = \"#{CHANNEL}\"\napi_url = \"{}\"\n{text}",
            alertmanager.url(),
            prometheus.url(),
            people.url("/slack/api"),
        );
        site.configure(&sections);
        let served = Served::at(site).await;
        join_all(all.iter().map(|(namespace, _)| served.share_is(namespace, beginning.share))).await;
        let this = Self {
            rollouts,
            users,
            people,
            served,
            ways,
            prometheus,
            _alertmanager: alertmanager,
            _gateway: gateway,
        };
        this.serves_well(if beginning.share > 0 { "canary" } else { "stable" }).await;
        this
    }

    /// Waits until Prometheus has seen this version of every rollout serve.
    async fn serves_well(&self, track: &str) {
        let query = format!("{}/api/v1/query", self.prometheus.url());
        let healthy = format!(
            "count(sum by (namespace) (increase(http_requests_total{{track=\"{track}\"}}[5s])) > 200)"
        );
        let query = reqwest::Url::parse_with_params(&query, [("query", &healthy)]).expect("a URL");
        let wanted = self.rollouts.len().to_string();
        wait_for("healthy traffic in Prometheus", || async {
            let answer: serde_json::Value = reqwest::get(query.clone()).await.ok()?.json().await.ok()?;
            (answer["data"]["result"][0]["value"][1] == wanted.as_str()).then_some(())
        })
        .await;
    }
}

fn toml(namespace: &str, router: Router, way: &std::path::Path) -> String {
    let configured = Configured { namespace, router, kubeconfig: way, settings: SETTINGS, traffic: "" };
    // Room for the rules' windows to show nothing of the canary any more.
    let rollout = configured.toml().replace("verify.window = \"10s\"", "verify.window = \"30s\"");
    let selector = format!("job=\"spark-trading\",namespace=\"{namespace}\"");
    format!("{rollout}[rollouts.metrics]\nselector = '{selector}'\ncanary = 'track!=\"stable\"'\n")
}

async fn monitoring(site: &Site, rollouts: &[Rollout], users: &[Users]) -> (Server, Server) {
    let programs =
        Programs::find().unwrap_or_else(|| panic!("Prometheus and Alertmanager are needed: {INSTALL_HINT}"));
    let settings = AlertmanagerSettings {
        webhook_url: site.url("/api/v1/alertmanager"),
        token_file: None,
        basic_auth: None,
        group_interval: Duration::from_secs(1),
        repeat_interval: Duration::from_secs(10),
        cluster: None,
    };
    let alertmanager = programs.alertmanager(site.folder(), &settings).await.expect("Alertmanager");
    let targets = rollouts.iter().zip(users).flat_map(|(rollout, users)| {
        [("stable", users.stable), ("canary", users.canary)].map(|(track, address)| ScrapeTarget {
            job: "spark-trading".to_owned(),
            address,
            path: "/api/public/metrics.prom".to_owned(),
            labels: vec![
                ("namespace".to_owned(), rollout.workloads.namespace.clone()),
                ("track".to_owned(), track.to_owned()),
            ],
        })
    });
    let settings = PrometheusSettings {
        targets: targets.collect(),
        rule_files: vec![rules(site)],
        alertmanagers: vec![alertmanager.address()],
        interval: Duration::from_secs(1),
        resend_delay: Duration::from_secs(2),
        alert_relabel_configs: Vec::new(),
    };
    let prometheus = programs.prometheus(site.folder(), &settings).await.expect("Prometheus");
    (alertmanager, prometheus)
}

/// The generated rules with five minutes shortened to seconds: what they say of minutes promtool proves.
fn rules(site: &Site) -> PathBuf {
    let generated = site.command(&["rules", "generate"]).output().expect("it runs");
    assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
    let text = String::from_utf8(generated.stdout).expect("text");
    assert!(text.contains("[5m]") && text.contains("track!=\"stable\""), "{text}");
    let file = site.folder().join("rules.yml");
    std::fs::write(&file, text.replace("5m", "15s")).expect("written");
    file
}
