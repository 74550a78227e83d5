//! Prometheus and Alertmanager: which alerts hold, which are listed, what each would answer.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use backstop::decision::{AlertmanagerReading, ListedAlert, PrometheusReading, Watchdog};
use backstop::incident::{Alert, AlertStatus, Fingerprint};
use backstop::signals::{AlertRule, AlertSource, Listing, RuleAnswer, RuleSource, Sample, SignalError};
use chrono::{DateTime, TimeDelta, Utc};

use crate::plan::ALERTS;
use crate::process::SITES;
use crate::rules::{is_active, labels_there, measured, rules};
use crate::world::World;

/// How long an Alertmanager runs before its absence of alerts is trusted, and longer.
const OLD: TimeDelta = TimeDelta::hours(1);

/// The cluster of the Prometheus that sends the alerts.
const CLUSTER: &str = "ours";

/// The truth, and what was reported of it.
#[derive(Debug, Default)]
pub(crate) struct Monitoring {
    /// Alerts whose condition holds, and since when.
    pub(crate) holds: BTreeMap<u8, DateTime<Utc>>,
    /// Alerts that Alertmanager knows as firing, with their `startsAt`.
    pub(crate) listed: BTreeMap<u8, DateTime<Utc>>,
    pub(crate) silenced: BTreeSet<u8>,
    /// Whether the Watchdog of another cluster is listed too, alive whatever happens here.
    pub(crate) has_strange_watchdog: bool,
    /// Whether `alert_relabel_configs` rewrites the severities: Prometheus has others.
    pub(crate) relabelled: bool,
    /// Every critical that ever fired, with the last time it did: what Prometheus remembers.
    pub(crate) fired: BTreeMap<u8, DateTime<Utc>>,
    pub(crate) prometheus_dead: bool,
    pub(crate) alertmanager_down: bool,
    /// When Alertmanager was restarted; until then it is old.
    pub(crate) restarted_at: Option<DateTime<Utc>>,
    /// When something that can be trusted said that an alert is gone, by alert.
    pub(crate) told_gone_at: BTreeMap<u8, DateTime<Utc>>,
}

/// The rollout that an alert belongs to.
pub(crate) fn site(alert: u8) -> usize {
    usize::from(alert / ALERTS)
}

/// Its name; those of one rollout are named like those of the other.
pub(crate) fn name(alert: u8) -> String {
    let number = alert % ALERTS;
    if is_critical(alert) { format!("Critical{number}") } else { format!("Warning{number}") }
}

pub(crate) fn is_critical(alert: u8) -> bool {
    alert.is_multiple_of(2)
}

/// The number of an alert by its name and its rollout.
pub(crate) fn number(alert: &Alert) -> Option<u8> {
    let number: u8 = alert.name().trim_start_matches(char::is_alphabetic).parse().ok()?;
    let rollout = alert.labels.get("rollout")?;
    let site = SITES.iter().position(|site| site == rollout)?;
    Some(u8::try_from(site).ok()? * ALERTS + number)
}

pub(crate) fn labels(alert: u8) -> BTreeMap<String, String> {
    let severity = if is_critical(alert) { "critical" } else { "warning" };
    let pairs = [
        ("alertname", name(alert)),
        ("severity", severity.to_owned()),
        ("rollout", SITES[site(alert)].to_owned()),
        ("cluster", CLUSTER.to_owned()),
    ];
    pairs.into_iter().map(|(label, value)| (label.to_owned(), value)).collect()
}

fn fingerprint(alert: u8) -> Fingerprint {
    Fingerprint::new(format!("{alert:016x}"))
}

pub(crate) fn alert(alert: u8, starts_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>) -> Alert {
    let status = if ends_at.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing };
    Alert {
        fingerprint: fingerprint(alert),
        status,
        labels: labels(alert).into(),
        annotations: BTreeMap::new().into(),
        starts_at,
        ends_at,
        generator_url: String::new(),
        mapped_severity: None,
    }
}

#[async_trait]
impl AlertSource for World {
    fn address(&self) -> String {
        "alertmanager".to_owned()
    }

    async fn list(
        &self,
        matching: &BTreeMap<String, String>,
        watchdog: &Watchdog,
        _: DateTime<Utc>,
    ) -> Result<Listing, SignalError> {
        self.step().await;
        let now = self.now();
        let mut inner = self.lock();
        let monitoring = &mut inner.monitoring;
        if monitoring.alertmanager_down {
            return Err(SignalError::NoAnswer("unreachable".to_owned()));
        }
        let up_for = monitoring.restarted_at.map_or(OLD, |at| now - at);
        let trusted = !monitoring.prometheus_dead && up_for >= TimeDelta::minutes(2);
        if trusted {
            monitoring.note_gone(now, |monitoring, alert| !monitoring.listed.contains_key(&alert));
        }
        let is_wanted =
            |alert: &u8| matching.iter().all(|(label, value)| labels(*alert).get(label) == Some(value));
        let listed = monitoring.listed.keys().filter(|alert| is_wanted(alert)).map(|alert| ListedAlert {
            fingerprint: fingerprint(*alert),
            silenced: monitoring.silenced.contains(alert),
        });
        let reading = AlertmanagerReading {
            up_for,
            watchdogs: monitoring.watchdogs(watchdog),
            listed: listed.collect(),
        };
        let heard = monitoring
            .listed
            .iter()
            .filter(|(number, _)| is_wanted(number) && !monitoring.silenced.contains(number));
        let alerts = heard.map(|(number, starts_at)| alert(*number, *starts_at, None)).collect();
        Ok(Listing { alerts, reading, clock: Some(now) })
    }
}

impl Monitoring {
    /// Prometheus dies: what held until then, it remembers as fired until then. Returns the alerts
    /// that Alertmanager listed, since when.
    pub(crate) fn prometheus_dies(&mut self, now: DateTime<Utc>) -> BTreeMap<u8, DateTime<Utc>> {
        self.prometheus_dead = true;
        let held = self.holds.keys().copied().filter(|alert| is_critical(*alert));
        self.fired.extend(held.map(|alert| (alert, now)));
        std::mem::take(&mut self.listed)
    }

    /// Prometheus is back: what holds fires anew. Returns the alerts that are then reported, or
    /// nothing where it was never gone.
    pub(crate) fn prometheus_returns(&mut self, now: DateTime<Utc>) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.prometheus_dead) {
            return None;
        }
        let holding = self.holds.keys().copied();
        self.listed.extend(holding.clone().map(|alert| (alert, now)));
        self.fired.extend(holding.clone().filter(|alert| is_critical(*alert)).map(|alert| (alert, now)));
        Some(holding.filter(|alert| !self.silenced.contains(alert)).collect())
    }

    /// The Watchdogs that are listed: the one of the Prometheus that sends our alerts, while it
    /// lives, and perhaps one of another cluster, which always does.
    fn watchdogs(&self, watchdog: &Watchdog) -> Vec<BTreeMap<String, String>> {
        let of = |cluster: &str| {
            let pairs = [("alertname", watchdog.alertname.as_str()), ("cluster", cluster)];
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let ours = (!self.prometheus_dead).then(|| of(CLUSTER));
        ours.into_iter().chain(self.has_strange_watchdog.then(|| of("another"))).collect()
    }

    fn note_gone(&mut self, now: DateTime<Utc>, gone: impl Fn(&Self, u8) -> bool) {
        for alert in 0..2 * ALERTS {
            if gone(self, alert) {
                self.told_gone_at.insert(alert, now);
            }
        }
    }
}

#[async_trait]
impl RuleSource for World {
    async fn reading(&self, alerts: &[Alert], _: DateTime<Utc>) -> Result<RuleAnswer, SignalError> {
        self.step().await;
        let now = self.now();
        let mut inner = self.lock();
        let monitoring = &mut inner.monitoring;
        if monitoring.prometheus_dead {
            return Err(SignalError::NoAnswer("unreachable".to_owned()));
        }
        monitoring.note_gone(now, |monitoring, alert| !monitoring.holds.contains_key(&alert));
        let rules = rules(monitoring);
        let holds = alerts.iter().any(|alert| is_active(&rules, alert));
        let reading = if holds { PrometheusReading::Bad } else { PrometheusReading::Good };
        Ok(RuleAnswer { reading, sentence: "Prometheus was asked".to_owned() })
    }

    async fn rules(&self) -> Result<Vec<AlertRule>, SignalError> {
        self.step().await;
        let inner = self.lock();
        if inner.monitoring.prometheus_dead {
            return Err(SignalError::NoAnswer("unreachable".to_owned()));
        }
        Ok(rules(&inner.monitoring))
    }

    async fn query(&self, query: &str) -> Result<Vec<Sample>, SignalError> {
        self.step().await;
        let now = self.now();
        let mut inner = self.lock();
        let monitoring = &inner.monitoring;
        if monitoring.prometheus_dead {
            return Err(SignalError::NoAnswer("unreachable".to_owned()));
        }
        if let Some(measured) = measured(monitoring, query) {
            return Ok(measured);
        }
        let sample = |(alert, at): (&u8, &DateTime<Utc>)| {
            let last = if monitoring.holds.contains_key(alert) { now } else { *at };
            Sample { labels: labels_there(monitoring, *alert), value: (now - last).as_seconds_f64() }
        };
        let by_name = query.contains("alertname");
        let asked_for = |alert: &u8| {
            (by_name && query.contains(&name(*alert)))
                || query.contains(&format!("{:?}", SITES[site(*alert)]))
        };
        let samples = monitoring.fired.iter().filter(|(alert, _)| asked_for(alert)).map(sample).collect();
        inner.look_back_was_answered(|alert| asked_for(&alert), now);
        Ok(samples)
    }

    async fn clock(&self) -> Result<DateTime<Utc>, SignalError> {
        if self.lock().monitoring.prometheus_dead {
            Err(SignalError::NoAnswer("unreachable".to_owned()))
        } else {
            Ok(self.now())
        }
    }
}
