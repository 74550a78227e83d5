//! Alertmanager's API v2: which alerts it lists now, since when it runs, whether the Watchdog is alive.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Url;
use serde::Deserialize;

use super::error::get;
use super::matcher::equal;
use super::{AlertSource, SignalError};
use crate::decision::{AlertmanagerReading, ListedAlert, Watchdog};
use crate::incident::{Alert, AlertStatus, Fingerprint};
use crate::outbound::{Outbound, under};

/// One Alertmanager, asked by its API v2.
#[derive(Debug, Clone)]
pub struct Alertmanager {
    outbound: Outbound,
    base: Url,
}

/// The alerts that an Alertmanager lists, with what is needed to judge their absence.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Listed and not silenced, inhibited ones included; all firing.
    pub alerts: Vec<Alert>,
    /// The same in the form that confirmations weigh, silenced ones included.
    pub reading: AlertmanagerReading,
    /// What its clock showed, to the second.
    pub clock: Option<DateTime<Utc>>,
}

/// The members of `GET /api/v2/alerts` that are used (reference notes on Alertmanager, section 5).
#[derive(Debug, Deserialize)]
struct GettableAlert {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    fingerprint: String,
    #[serde(rename = "startsAt")]
    starts_at: DateTime<Utc>,
    #[serde(rename = "endsAt", default)]
    ends_at: DateTime<Utc>,
    #[serde(rename = "updatedAt", default)]
    updated_at: DateTime<Utc>,
    #[serde(rename = "generatorURL", default)]
    generator_url: String,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    status: GettableStatus,
}

#[derive(Debug, Default, Deserialize)]
struct GettableStatus {
    #[serde(rename = "silencedBy", default)]
    silenced_by: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Status {
    uptime: DateTime<Utc>,
}

impl Alertmanager {
    /// `base` may have a path of its own (`--web.external-url`).
    #[must_use]
    pub fn new(outbound: Outbound, base: Url) -> Self {
        Self { outbound, base }
    }

    /// The alerts that carry all these labels.
    async fn alerts<'a>(
        &self,
        labels: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Result<Vec<GettableAlert>, SignalError> {
        let mut url = under(&self.base, "api/v2/alerts");
        url.query_pairs_mut().extend_pairs(labels.map(|(name, value)| ("filter", equal(name, value))));
        Ok(get(&self.outbound, url).await?.0)
    }
}

#[async_trait]
impl AlertSource for Alertmanager {
    fn address(&self) -> String {
        self.base.to_string()
    }

    async fn list(
        &self,
        matching: &BTreeMap<String, String>,
        watchdog: &Watchdog,
        now: DateTime<Utc>,
    ) -> Result<Listing, SignalError> {
        let name = "alertname".to_owned();
        let (listed, watchdogs, status) = tokio::join!(
            self.alerts(matching.iter()),
            self.alerts([(&name, &watchdog.alertname)].into_iter()),
            get::<Status>(&self.outbound, under(&self.base, "api/v2/status")),
        );
        let (listed, watchdogs, (status, clock)) = (listed?, watchdogs?, status?);
        // By its own clock: one that is minutes behind must not look old right after a restart.
        let there = clock.unwrap_or(now);
        let reading = AlertmanagerReading {
            up_for: there - status.uptime,
            watchdogs: watchdogs
                .into_iter()
                .filter(|alive| is_fresh(alive, there) && watchdog.is(&alive.labels))
                .map(|alive| alive.labels)
                .collect(),
            listed: listed
                .iter()
                .map(|alert| ListedAlert {
                    fingerprint: Fingerprint::new(alert.fingerprint.clone()),
                    silenced: !alert.status.silenced_by.is_empty(),
                })
                .collect(),
        };
        let alerts =
            listed.into_iter().filter(|alert| alert.status.silenced_by.is_empty()).map(firing).collect();
        Ok(Listing { alerts, reading, clock })
    }
}

/// Whether Prometheus has sent this alert lately, and so lives.
///
/// It sends each alert again on a beat of its own, and lets it expire four beats later. Of a dead
/// Prometheus' alerts, some expire up to a beat before its Watchdog does: in that gap a listed
/// Watchdog would make a false resolve look true. But then the Watchdog itself has missed three
/// beats. So it counts until half of its time is over: it may miss one.
fn is_fresh(watchdog: &GettableAlert, now: DateTime<Utc>) -> bool {
    now - watchdog.updated_at <= (watchdog.ends_at - watchdog.updated_at) / 2
}

fn firing(alert: GettableAlert) -> Alert {
    Alert {
        fingerprint: Fingerprint::new(alert.fingerprint),
        status: AlertStatus::Firing,
        labels: alert.labels.into(),
        annotations: alert.annotations.into(),
        starts_at: alert.starts_at,
        ends_at: None,
        generator_url: alert.generator_url,
        mapped_severity: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_counts_while_no_more_than_one_beat_is_missing() {
        let at = |second| DateTime::from_timestamp(second, 0).expect("a time");
        // A beat of a minute: sent at 0, it expires at 240.
        let json = r#"{"fingerprint":"f","labels":{},"startsAt":"1970-01-01T00:00:00Z",
            "updatedAt":"1970-01-01T00:00:00Z","endsAt":"1970-01-01T00:04:00Z"}"#;
        let watchdog: GettableAlert = serde_json::from_str(json).expect("an alert");
        for (second, fresh) in [(0, true), (119, true), (121, false), (239, false)] {
            assert_eq!(is_fresh(&watchdog, at(second)), fresh, "{second}");
        }
    }

    #[test]
    fn a_base_address_keeps_its_path() {
        for (base, expected) in [
            ("http://127.0.0.1:9093", "http://127.0.0.1:9093/api/v2/status"),
            ("http://127.0.0.1:9093/am", "http://127.0.0.1:9093/am/api/v2/status"),
            ("http://127.0.0.1:9093/am/", "http://127.0.0.1:9093/am/api/v2/status"),
        ] {
            let base = Url::parse(base).expect("a URL");
            assert_eq!(under(&base, "api/v2/status").as_str(), expected);
        }
    }
}
