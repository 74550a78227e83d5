//! Their configuration files, as short as they can be.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One target, which Prometheus scrapes as a job of its own.
#[derive(Debug, Clone)]
pub struct ScrapeTarget {
    pub job: String,
    pub address: SocketAddr,
    pub path: String,
    /// Labels that its series get.
    pub labels: Vec<(String, String)>,
}

/// Prometheus' settings, as far as the demo or a test varies them.
#[derive(Debug, Clone)]
pub struct PrometheusSettings {
    pub targets: Vec<ScrapeTarget>,
    pub rule_files: Vec<PathBuf>,
    pub alertmanagers: Vec<SocketAddr>,
    /// How often it scrapes and evaluates, in whole seconds.
    pub interval: Duration,
    /// How often it sends a firing alert again, in whole seconds; the alert expires after four times
    /// that.
    pub resend_delay: Duration,
    /// What it does to labels on the way to Alertmanager: each the YAML of one `alert_relabel_configs`.
    pub alert_relabel_configs: Vec<String>,
}

impl PrometheusSettings {
    pub(super) fn render(&self) -> String {
        let every = self.interval.as_secs();
        let mut text = format!(
            "global: {{ scrape_interval: {every}s, scrape_timeout: {every}s, evaluation_interval: {every}s }}\n"
        );
        let files: Vec<_> =
            self.rule_files.iter().map(|file| format!("{:?}", file.display().to_string())).collect();
        let members: Vec<_> = self.alertmanagers.iter().map(|address| format!("'{address}'")).collect();
        let _infallible = writeln!(text, "rule_files: [{}]", files.join(", "));
        let _infallible = write!(
            text,
            "alerting: {{ alert_relabel_configs: [{}], alertmanagers: [ {{ static_configs: [ {{ targets: [{}] }} ] }} ] }}\nscrape_configs:\n",
            self.alert_relabel_configs.join(", "),
            members.join(", ")
        );
        for (index, target) in self.targets.iter().enumerate() {
            let labels: Vec<_> =
                target.labels.iter().map(|(name, value)| format!("{name}: '{value}'")).collect();
            let _infallible = write!(
                text,
                "- job_name: '{index}-{job}'\n  metrics_path: '{path}'\n  static_configs: [ {{ targets: ['{address}'], labels: {{ job: '{job}', {labels} }} }} ]\n",
                job = target.job,
                path = target.path,
                address = target.address,
                labels = labels.join(", ")
            );
        }
        text
    }
}

/// Alertmanager's settings: the shipped routes, with intervals for one machine and one minute.
#[derive(Debug, Clone)]
pub struct AlertmanagerSettings {
    pub webhook_url: String,
    pub token_file: Option<PathBuf>,
    /// Name and password file with which it posts its webhooks.
    pub basic_auth: Option<(String, PathBuf)>,
    /// How soon joins and resolves are sent, in whole seconds.
    pub group_interval: Duration,
    /// How soon what fires is sent again, in whole seconds.
    pub repeat_interval: Duration,
    /// Its place in a cluster; `None`: it is the only one.
    pub cluster: Option<ClusterMember>,
}

/// How one member of a cluster finds the others.
#[derive(Debug, Clone)]
pub struct ClusterMember {
    pub address: SocketAddr,
    pub peers: Vec<SocketAddr>,
    /// How long a member waits for each one before it.
    pub peer_timeout: Duration,
}

impl AlertmanagerSettings {
    /// The arguments that make it a member, or a single one.
    pub(super) fn cluster_arguments(&self) -> Vec<String> {
        let Some(member) = &self.cluster else {
            // A single one: waiting for peers would delay the first notification by ten seconds.
            return vec!["--cluster.listen-address=".to_owned()];
        };
        let mut arguments = vec![
            format!("--cluster.listen-address={}", member.address),
            format!("--cluster.advertise-address={}", member.address),
            format!("--cluster.peer-timeout={}ms", member.peer_timeout.as_millis()),
            // Intervals for one machine, as everything else here.
            "--cluster.settle-timeout=2s".to_owned(),
            "--cluster.gossip-interval=50ms".to_owned(),
            "--cluster.pushpull-interval=1s".to_owned(),
            "--cluster.reconnect-interval=1s".to_owned(),
        ];
        arguments.extend(member.peers.iter().map(|peer| format!("--cluster.peer={peer}")));
        arguments
    }
}

impl AlertmanagerSettings {
    pub(super) fn render(&self) -> String {
        let authorization = self.token_file.as_ref().map_or_else(String::new, |file| {
            format!(", authorization: {{ type: Bearer, credentials_file: {:?} }}", file.display().to_string())
        });
        let basic = self.basic_auth.as_ref().map_or_else(String::new, |(name, file)| {
            let file = file.display().to_string();
            format!(", basic_auth: {{ username: {name:?}, password_file: {file:?} }}")
        });
        let hook = |resolved: bool| {
            format!(
                "url: '{}', send_resolved: {resolved}, max_alerts: 0, http_config: {{ follow_redirects: false{authorization}{basic} }}",
                self.webhook_url
            )
        };
        let (group, repeat) = (self.group_interval.as_secs(), self.repeat_interval.as_secs());
        let timing = format!(
            "group_by: ['...'], group_wait: 0s, group_interval: {group}s, repeat_interval: {repeat}s"
        );
        let (canary, heartbeat) = (hook(true), hook(false));
        format!(
            "route:
  receiver: nobody
  routes:
  - {{ receiver: backstop, matchers: ['canary_rollback=\"true\"'], {timing} }}
  - {{ receiver: heartbeat, matchers: ['alertname=\"Watchdog\"'], {timing} }}
receivers:
- name: nobody
- name: backstop
  webhook_configs: [ {{ {canary} }} ]
- name: heartbeat
  webhook_configs: [ {{ {heartbeat} }} ]
"
        )
    }
}
