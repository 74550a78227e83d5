//! Prometheus and Alertmanager: which alerts hold, which are listed, what each would answer.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use backstop::decision::{AlertmanagerReading, ListedAlert, PrometheusReading, Watchdog};
use backstop::incident::{Alert, AlertStatus, Fingerprint};
use backstop::signals::{AlertRule, AlertSource, Listing, RuleAnswer, RuleSource, Sample, SignalError};
use chrono::{DateTime, TimeDelta, Utc};

use crate::world::World;

/// How long an Alertmanager runs before its absence of alerts is trusted, and longer.
const OLD: TimeDelta = TimeDelta::hours(1);

/// The truth, and what was told of it.
#[derive(Debug, Default)]
pub(crate) struct Monitoring {
    /// Alerts whose condition holds, and since when.
    pub(crate) holds: BTreeMap<u8, DateTime<Utc>>,
    /// Alerts that Alertmanager knows as firing, with their `startsAt`.
    pub(crate) listed: BTreeMap<u8, DateTime<Utc>>,
    pub(crate) silenced: BTreeSet<u8>,
    /// Every critical that ever fired, with the last time it did: what Prometheus remembers.
    pub(crate) fired: BTreeMap<u8, DateTime<Utc>>,
    pub(crate) prometheus_dead: bool,
    pub(crate) alertmanager_down: bool,
    /// When Alertmanager was restarted; until then it is old.
    pub(crate) restarted_at: Option<DateTime<Utc>>,
    /// When something that can be trusted said that an alert is gone, by alert.
    pub(crate) told_gone_at: BTreeMap<u8, DateTime<Utc>>,
}

pub(crate) fn name(alert: u8) -> String {
    if alert.is_multiple_of(2) { format!("Critical{alert}") } else { format!("Warning{alert}") }
}

pub(crate) fn is_critical(alert: u8) -> bool {
    alert.is_multiple_of(2)
}

/// The number of an alert by its name.
pub(crate) fn number(name: &str) -> Option<u8> {
    name.trim_start_matches(char::is_alphabetic).parse().ok()
}

pub(crate) fn labels(alert: u8) -> BTreeMap<String, String> {
    let severity = if is_critical(alert) { "critical" } else { "warning" };
    let pairs =
        [("alertname", name(alert)), ("severity", severity.to_owned()), ("rollout", "sim".to_owned())];
    pairs.into_iter().map(|(label, value)| (label.to_owned(), value)).collect()
}

pub(crate) fn alert(alert: u8, starts_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>) -> Alert {
    let status = if ends_at.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing };
    Alert {
        fingerprint: Fingerprint::new(name(alert)),
        status,
        labels: labels(alert).into(),
        annotations: BTreeMap::new().into(),
        starts_at,
        ends_at,
        generator_url: String::new(),
    }
}

#[async_trait]
impl AlertSource for World {
    fn address(&self) -> String {
        "alertmanager".to_owned()
    }

    async fn list(
        &self,
        _: &BTreeMap<String, String>,
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
        let listed = monitoring.listed.keys().map(|alert| ListedAlert {
            fingerprint: Fingerprint::new(name(*alert)),
            silenced: monitoring.silenced.contains(alert),
        });
        let reading = AlertmanagerReading {
            up_for,
            watchdogs: if monitoring.prometheus_dead {
                Vec::new()
            } else {
                vec![BTreeMap::from([("alertname".to_owned(), watchdog.alertname.clone())])]
            },
            listed: listed.collect(),
        };
        let heard = monitoring.listed.iter().filter(|(number, _)| !monitoring.silenced.contains(number));
        let alerts = heard.map(|(number, starts_at)| alert(*number, *starts_at, None)).collect();
        Ok(Listing { alerts, reading, clock: Some(now) })
    }
}

impl Monitoring {
    fn note_gone(&mut self, now: DateTime<Utc>, gone: impl Fn(&Self, u8) -> bool) {
        for alert in 0..crate::plan::ALERTS {
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
        let holds =
            |alert: &Alert| number(alert.name()).is_some_and(|number| monitoring.holds.contains_key(&number));
        let reading = if alerts.iter().any(holds) { PrometheusReading::Bad } else { PrometheusReading::Good };
        Ok(RuleAnswer { reading, sentence: "Prometheus was asked".to_owned() })
    }

    async fn rules(&self) -> Result<Vec<AlertRule>, SignalError> {
        Ok(Vec::new())
    }

    async fn query(&self, _: &str) -> Result<Vec<Sample>, SignalError> {
        self.step().await;
        let now = self.now();
        let inner = self.lock();
        let monitoring = &inner.monitoring;
        if monitoring.prometheus_dead {
            return Err(SignalError::NoAnswer("unreachable".to_owned()));
        }
        let sample = |(alert, at): (&u8, &DateTime<Utc>)| {
            let last = if monitoring.holds.contains_key(alert) { now } else { *at };
            Sample { labels: labels(*alert), value: (now - last).as_seconds_f64() }
        };
        Ok(monitoring.fired.iter().map(sample).collect())
    }

    async fn clock(&self) -> Result<DateTime<Utc>, SignalError> {
        if self.lock().monitoring.prometheus_dead {
            Err(SignalError::NoAnswer("unreachable".to_owned()))
        } else {
            Ok(self.now())
        }
    }
}
