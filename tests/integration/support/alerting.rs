//! A real Alertmanager to which the test sends alerts, in Prometheus' place.

use std::time::Duration;

use backstop::clock::{Clock, SystemClock};
use backstop::demo::monitoring::{AlertmanagerSettings, ClusterMember, INSTALL_HINT, Programs, Server};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Site, own_port};

/// The programs, or a failure that says how to get them.
pub(crate) fn programs() -> Programs {
    Programs::find().unwrap_or_else(|| panic!("Prometheus and Alertmanager are needed: {INSTALL_HINT}"))
}

/// Intervals for one machine and one minute; it posts to the site's receiver.
pub(crate) fn settings(site: &Site, cluster: Option<ClusterMember>) -> AlertmanagerSettings {
    AlertmanagerSettings {
        webhook_url: site.url("/api/v1/alertmanager"),
        token_file: Some(site.folder.path().join("webhook")),
        basic_auth: None,
        group_interval: Duration::from_secs(1),
        repeat_interval: Duration::from_secs(10),
        cluster,
    }
}

/// A single Alertmanager with its data in the site's folder.
pub(crate) async fn alertmanager(site: &Site) -> Server {
    programs().alertmanager(site.folder.path(), &settings(site, None)).await.expect("Alertmanager")
}

/// Two that know each other, each with a folder of its own.
pub(crate) async fn pair(site: &Site, peer_timeout: Duration) -> [Server; 2] {
    let gossip = [own_port(), own_port()];
    let member = |own: usize| {
        let cluster = ClusterMember { address: gossip[own], peers: vec![gossip[1 - own]], peer_timeout };
        let folder = site.folder.path().join(format!("member-{own}"));
        std::fs::create_dir_all(&folder).expect("created");
        let settings = settings(site, Some(cluster));
        async move { programs().alertmanager(&folder, &settings).await.expect("Alertmanager") }
    };
    let (first, second) = tokio::join!(member(0), member(1));
    [first, second]
}

/// Writes the addresses into the configuration, in place of `#monitoring`.
pub(crate) fn configure(site: &Site, alertmanagers: &[&Server], prometheus: Option<&Server>) {
    let urls: Vec<_> = alertmanagers.iter().map(|server| server.url()).collect();
    configure_urls(site, &urls, prometheus);
}

/// The same where something stands before them.
pub(crate) fn configure_urls(site: &Site, alertmanagers: &[String], prometheus: Option<&Server>) {
    let urls: Vec<_> = alertmanagers.iter().map(|url| format!("\"{url}\"")).collect();
    let mut monitoring = format!("[alertmanager]\nurls = [{}]\npoll_interval = \"1s\"", urls.join(", "));
    if let Some(prometheus) = prometheus {
        monitoring.push_str(&format!("\n[prometheus]\nurl = \"{}\"", prometheus.url()));
    }
    site.edit("#monitoring", &monitoring);
}

/// One alert as Prometheus sends it.
pub(crate) struct Fires<'a> {
    pub(crate) name: &'a str,
    pub(crate) severity: &'a str,
    /// Which rollout, by its namespace.
    pub(crate) namespace: &'a str,
    pub(crate) since: DateTime<Utc>,
    /// When it ends unless it is sent again.
    pub(crate) until: DateTime<Utc>,
}

impl<'a> Fires<'a> {
    pub(crate) fn now(name: &'a str, severity: &'a str, namespace: &'a str) -> Self {
        let since = SystemClock.now();
        Self { name, severity, namespace, since, until: since + TimeDelta::minutes(5) }
    }

    pub(crate) fn resolved(self) -> Self {
        Self { until: SystemClock.now(), ..self }
    }

    pub(crate) fn for_seconds(self, seconds: i64) -> Self {
        Self { until: self.since + TimeDelta::seconds(seconds), ..self }
    }

    fn json(&self) -> Value {
        let mut labels = json!({ "alertname": self.name, "severity": self.severity });
        if self.name != "Watchdog" {
            labels["rollout"] = json!("spark-trading");
            labels["canary_rollback"] = json!("true");
            labels["namespace"] = json!(self.namespace);
        }
        json!({ "labels": labels, "annotations": {}, "generatorURL": "http://127.0.0.1/graph",
                "startsAt": self.since.to_rfc3339(), "endsAt": self.until.to_rfc3339() })
    }
}

/// What a rollout of this namespace matches.
pub(crate) fn matching(namespace: &str) -> String {
    format!("{{ rollout = \"spark-trading\", canary_rollback = \"true\", namespace = \"{namespace}\" }}")
}

/// Posts alerts to an Alertmanager's API, version 2.
pub(crate) async fn tell(alertmanager: &Server, alerts: &[Fires<'_>]) {
    let alerts: Vec<_> = alerts.iter().map(Fires::json).collect();
    let url = format!("{}/api/v2/alerts", alertmanager.url());
    let reply = reqwest::Client::new().post(url).json(&alerts).send().await.expect("an answer");
    assert!(reply.status().is_success(), "{}", reply.text().await.unwrap_or_default());
}

/// Silences an alert and returns the silence.
pub(crate) async fn silence(alertmanager: &Server, alertname: &str) -> String {
    let (from, to) = (SystemClock.now(), SystemClock.now() + TimeDelta::hours(1));
    let silence = json!({
        "matchers": [{ "name": "alertname", "value": alertname, "isRegex": false, "isEqual": true }],
        "startsAt": from.to_rfc3339(), "endsAt": to.to_rfc3339(), "createdBy": "ada", "comment": "known",
    });
    let url = format!("{}/api/v2/silences", alertmanager.url());
    let reply = reqwest::Client::new().post(url).json(&silence).send().await.expect("an answer");
    let reply: Value = reply.json().await.expect("JSON");
    reply["silenceID"].as_str().expect("an id").to_owned()
}

/// Ends a silence.
pub(crate) async fn expire(alertmanager: &Server, silence: &str) {
    let url = format!("{}/api/v2/silence/{silence}", alertmanager.url());
    let reply = reqwest::Client::new().delete(url).send().await.expect("an answer");
    assert!(reply.status().is_success());
}

/// The alerts that it lists, by name, with when they were last sent.
pub(crate) async fn listed(alertmanager: &Server) -> Vec<(String, DateTime<Utc>)> {
    let url = format!("{}/api/v2/alerts", alertmanager.url());
    let Ok(reply) = reqwest::get(url).await else { return Vec::new() };
    let listed: Vec<Value> = reply.json().await.unwrap_or_default();
    let alert = |alert: &Value| {
        let name = alert["labels"]["alertname"].as_str()?.to_owned();
        Some((name, alert["updatedAt"].as_str()?.parse().ok()?))
    };
    listed.iter().filter_map(alert).collect()
}
