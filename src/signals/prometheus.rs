//! Prometheus' HTTP API: rules and their state, instant queries.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde::Deserialize;

use super::RuleSource;
use super::alertmanager::under;
use crate::decision::PrometheusReading;
use crate::incident::Alert;
use crate::outbound::Outbound;

/// A rule that was not evaluated for this long says nothing of the present. Two default
/// evaluation intervals of Prometheus (1 m), so that one late evaluation is no alarm.
const FRESH: TimeDelta = TimeDelta::minutes(2);

/// One Prometheus.
#[derive(Debug, Clone)]
pub struct Prometheus {
    outbound: Outbound,
    base: Url,
}

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value; may be NaN.
    pub value: f64,
}

#[derive(Debug, Deserialize)]
struct Wrapped<T> {
    data: T,
}

#[derive(Debug, Deserialize)]
struct RuleGroups {
    groups: Vec<RuleGroup>,
}

#[derive(Debug, Deserialize)]
struct RuleGroup {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: String,
    query: String,
    health: String,
    #[serde(default)]
    last_evaluation: Option<DateTime<Utc>>,
    #[serde(default)]
    alerts: Vec<RuleAlert>,
}

#[derive(Debug, Deserialize)]
struct RuleAlert {
    labels: BTreeMap<String, String>,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Vector {
    result: Vec<Element>,
}

#[derive(Debug, Deserialize)]
struct Element {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

/// Whether every label of `part` that the alert also has, has the same value there. Prometheus
/// knows neither external labels nor the alert's name on a sample, so the rest is not compared.
fn agrees(part: &BTreeMap<String, String>, alert: &Alert) -> bool {
    part.iter().all(|(name, value)| alert.labels.get(name).is_none_or(|known| known == value))
}

impl Prometheus {
    /// The Prometheus at `base`.
    #[must_use]
    pub fn new(outbound: Outbound, base: Url) -> Self {
        Self { outbound, base }
    }

    async fn rules(&self) -> Result<(Vec<Rule>, Option<DateTime<Utc>>), String> {
        let mut url = under(&self.base, "api/v1/rules")?;
        url.query_pairs_mut().append_pair("type", "alert");
        let (groups, clock): (Wrapped<RuleGroups>, _) =
            self.outbound.get_dated(url).await.map_err(|error| error.to_string())?;
        Ok((groups.data.groups.into_iter().flat_map(|group| group.rules).collect(), clock))
    }

    /// The expressions of the rules with this name; several rules may share one.
    ///
    /// # Errors
    /// In words: why there is no answer.
    pub async fn expressions(&self, alertname: &str) -> Result<Vec<String>, String> {
        let (rules, _) = self.rules().await?;
        Ok(rules.into_iter().filter(|rule| rule.name == alertname).map(|rule| rule.query).collect())
    }

    /// The elements of an instant query that are about this alert.
    ///
    /// # Errors
    /// In words: no answer, or not a vector.
    pub async fn query_for(&self, expression: &str, alert: &Alert) -> Result<Vec<Sample>, String> {
        let samples = self.query(expression).await?;
        Ok(samples.into_iter().filter(|sample| agrees(&sample.labels, alert)).collect())
    }
}

#[async_trait]
impl RuleSource for Prometheus {
    async fn reading(&self, alerts: &[Alert], now: DateTime<Utc>) -> Result<PrometheusReading, String> {
        let (rules, clock) = self.rules().await?;
        // By its own clock, which dated the evaluation.
        let now = clock.unwrap_or(now);
        let mut reading = PrometheusReading::Good;
        for alert in alerts {
            let mut of_alert = rules.iter().filter(|rule| rule.name == alert.name()).peekable();
            if of_alert.peek().is_none() {
                reading = PrometheusReading::NoWord;
            }
            for rule in of_alert {
                let bad = rule.alerts.iter().any(|active| {
                    (active.state == "firing" || active.state == "pending") && agrees(&active.labels, alert)
                });
                if bad {
                    return Ok(PrometheusReading::Bad);
                }
                let fresh = rule.last_evaluation.is_some_and(|at| at + FRESH > now);
                if rule.health != "ok" || !fresh {
                    reading = PrometheusReading::NoWord;
                }
            }
        }
        Ok(reading)
    }

    async fn query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        let mut url = under(&self.base, "api/v1/query")?;
        url.query_pairs_mut().append_pair("query", expression);
        let answer: Wrapped<Vector> = self.outbound.get_json(url).await.map_err(|error| error.to_string())?;
        let samples = answer.data.result.into_iter().map(|element| Sample {
            labels: element.metric,
            value: element.value.1.parse().unwrap_or(f64::NAN),
        });
        Ok(samples.collect())
    }

    async fn clock(&self) -> Result<DateTime<Utc>, String> {
        let url = under(&self.base, "api/v1/status/buildinfo")?;
        let (_, date): (serde_json::Value, _) =
            self.outbound.get_dated(url).await.map_err(|error| error.to_string())?;
        date.ok_or_else(|| "it doesn't tell the time".to_owned())
    }
}
