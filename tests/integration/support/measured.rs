//! An application that shows what the test sets, the real Prometheus with rules of the test's own that
//! watches it, and the real Alertmanager.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use backstop::demo::monitoring::{PrometheusSettings, ScrapeTarget, Server};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::alerting::{alertmanager, programs};
use super::{Site, wait_for};

/// `None`: it fails.
type Values = Arc<Mutex<Option<BTreeMap<String, f64>>>>;

/// Ends when dropped.
pub(crate) struct Measured {
    pub(crate) prometheus: Server,
    pub(crate) alertmanager: Server,
    values: Values,
    _exporter: JoinSet<()>,
}

async fn metrics(State(values): State<Values>) -> Result<String, StatusCode> {
    let values = values.lock().expect("no panic");
    let values = values.as_ref().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(values.iter().map(|(series, value)| format!("{series} {value}\n")).collect())
}

impl Measured {
    /// Starts everything but Backstop. `rules` are the entries of one group; a Watchdog is added.
    pub(crate) async fn new(site: &Site, rules: &str, relabel: &[&str]) -> Self {
        let values: Values = Arc::new(Mutex::new(Some(BTreeMap::new())));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let routes = Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(&values));
        let mut exporter = JoinSet::new();
        exporter.spawn(async move { axum::serve(listener, routes).await.expect("served") });

        let file = site.folder.path().join("rules.yml");
        let watchdog = "  - { alert: Watchdog, expr: vector(1), labels: { severity: none } }";
        std::fs::write(&file, format!("groups:\n- name: tests\n  rules:\n{rules}\n{watchdog}\n"))
            .expect("written");
        let alertmanager = alertmanager(site).await;
        let settings = PrometheusSettings {
            targets: vec![ScrapeTarget {
                job: "app".to_owned(),
                address,
                path: "/metrics".to_owned(),
                labels: vec![("env".to_owned(), "test".to_owned())],
            }],
            rule_files: vec![file],
            alertmanagers: vec![alertmanager.address()],
            interval: Duration::from_secs(1),
            resend_delay: Duration::from_secs(2),
            alert_relabel_configs: relabel.iter().map(|one| (*one).to_owned()).collect(),
        };
        let prometheus = programs().prometheus(site.folder.path(), &settings).await.expect("Prometheus");
        Self { prometheus, alertmanager, values, _exporter: exporter }
    }

    /// Shows this from the next scrape on.
    pub(crate) fn set(&self, series: &str, value: f64) {
        let mut values = self.values.lock().expect("no panic");
        values.get_or_insert_default().insert(series.to_owned(), value);
    }

    /// Answers no scrape any more.
    pub(crate) fn fail(&self) {
        *self.values.lock().expect("no panic") = None;
    }

    /// Waits until a query of Prometheus has, or has not, a result.
    pub(crate) async fn until(&self, query: &str, has_result: bool) {
        let url = format!("{}/api/v1/query", self.prometheus.url());
        let url = reqwest::Url::parse_with_params(&url, [("query", query)]).expect("a URL");
        wait_for(query, || async {
            let answer: serde_json::Value = reqwest::get(url.clone()).await.ok()?.json().await.ok()?;
            let result = answer["data"]["result"].as_array()?;
            (result.is_empty() != has_result).then_some(())
        })
        .await;
    }
}
