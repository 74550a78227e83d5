//! The whole chain for some rollouts: one application and one namespace each, the real Prometheus
//! with the shipped rules, the real Alertmanager, Backstop.

use std::path::PathBuf;
use std::time::Duration;

use backstop::app::App;
use backstop::demo::monitoring::{PrometheusSettings, ScrapeTarget, Server};
use backstop::demo::trading_api::TradingApi;

use super::alerting::{alertmanager, configure, matching, programs};
use super::{Site, project, rollout_toml, wait_for};

/// The chain. Backstop is started apart.
pub(crate) struct Chain {
    pub(crate) site: Site,
    pub(crate) apis: Vec<TradingApi>,
    pub(crate) alertmanager: Server,
    pub(crate) prometheus: Server,
}

/// The shipped rules with `for: 3m` shortened: minutes are proven by promtool, here it is the chain.
fn rules(site: &Site) -> Vec<PathBuf> {
    let shorten = |name: &str| {
        let text = std::fs::read_to_string(project().join("alert-rules").join(name)).expect("read");
        let file = site.folder.path().join(name);
        std::fs::write(&file, text.replace("for: 3m", "for: 3s")).expect("written");
        file
    };
    ["critical.yml", "warning.yml", "backstop.yml"].map(shorten).to_vec()
}

impl Chain {
    /// Everything but Backstop, for rollouts of these names and graces.
    pub(crate) async fn new(rollouts: &[(&str, &str)]) -> Self {
        let mut apis = Vec::new();
        let mut text = String::new();
        for (name, grace) in rollouts {
            let api = TradingApi::start(25, 200).await.expect("started");
            text.push_str(&rollout_toml(name, &matching(name), grace, &api));
            apis.push(api);
        }
        let site = Site::new("#monitoring", &text);
        let alertmanager = alertmanager(&site).await;
        let target = |((name, _), api): (&(&str, &str), &TradingApi)| ScrapeTarget {
            job: "spark-trading".to_owned(),
            address: api.address(),
            path: "/api/public/metrics.prom".to_owned(),
            labels: vec![("namespace".to_owned(), (*name).to_owned())],
        };
        let prometheus = PrometheusSettings {
            targets: rollouts.iter().zip(&apis).map(target).collect(),
            rule_files: rules(&site),
            alertmanagers: vec![alertmanager.address()],
            interval: Duration::from_secs(1),
            resend_delay: Duration::from_secs(2),
            alert_relabel_configs: Vec::new(),
        };
        let prometheus = programs().prometheus(site.folder.path(), &prometheus).await.expect("Prometheus");
        Self { site, apis, alertmanager, prometheus }
    }

    /// The same with Backstop, which knows both.
    pub(crate) async fn start(rollouts: &[(&str, &str)]) -> (Self, App) {
        let chain = Self::new(rollouts).await;
        configure(&chain.site, &[&chain.alertmanager], Some(&chain.prometheus));
        let app = chain.site.start().await;
        (chain, app)
    }

    /// Waits until Backstop has read every share.
    pub(crate) async fn shares_are_read(&self) {
        wait_for("every share to be read", || async {
            let rollouts: Vec<serde_json::Value> = self.site.read("/api/v1/rollouts").await?;
            rollouts.iter().all(|rollout| rollout["share_percent"] == 25).then_some(())
        })
        .await;
    }

    /// Rates need something to compare with: waits until each canary has served well for a while.
    /// Seen by Prometheus, not only made: a slow start of its scrapes must not look like a regression.
    pub(crate) async fn serve_well(&self) {
        self.shares_are_read().await;
        let healthy = "count(increase(http_request_duration_seconds_count[1m]) > 1000)";
        let query = format!("{}/api/v1/query", self.prometheus.url());
        let query = reqwest::Url::parse_with_params(&query, [("query", healthy)]).expect("a URL");
        wait_for("healthy traffic in Prometheus", || async {
            let answer: serde_json::Value = reqwest::get(query.clone()).await.ok()?.json().await.ok()?;
            let wanted = self.apis.len().to_string();
            (answer["data"]["result"][0]["value"][1] == wanted.as_str()).then_some(())
        })
        .await;
    }
}
