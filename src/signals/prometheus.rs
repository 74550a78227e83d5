//! Prometheus' HTTP API: rules and their state, instant queries.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde::Deserialize;

use super::error::get;
use super::matcher::equal;
use super::{AlertRule, Difference, RuleAnswer, RuleSource, SignalError, in_brackets, rules_of};
use crate::decision::PrometheusReading;
use crate::incident::Alert;
use crate::outbound::{Outbound, under};
use crate::text::{kept, shown};

/// A rule that was not evaluated for this long says nothing of the present. Two default
/// evaluation intervals of Prometheus (1 m), so that one late evaluation is no alarm.
const FRESH: TimeDelta = TimeDelta::minutes(2);

/// One Prometheus, asked by its HTTP API v1.
#[derive(Debug, Clone)]
pub struct Prometheus {
    pub(super) outbound: Outbound,
    pub(super) base: Url,
}

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

#[derive(Debug, Deserialize)]
struct Wrapped<T> {
    data: T,
}

#[derive(Debug, Deserialize)]
struct Alertmanagers {
    #[serde(rename = "activeAlertmanagers")]
    active: Vec<ToldAlertmanager>,
}

#[derive(Debug, Deserialize)]
struct ToldAlertmanager {
    url: String,
}

#[derive(Debug, Deserialize)]
struct RuleGroups {
    groups: Vec<RuleGroup>,
}

#[derive(Debug, Deserialize)]
struct RuleGroup {
    rules: Vec<GettableRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GettableRule {
    name: String,
    query: String,
    health: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
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

impl From<GettableRule> for AlertRule {
    fn from(rule: GettableRule) -> Self {
        let is_active = |alert: &RuleAlert| ["firing", "pending"].contains(&alert.state.as_str());
        Self {
            name: rule.name,
            query: rule.query,
            labels: rule.labels,
            is_healthy: rule.health == "ok",
            last_evaluation: rule.last_evaluation,
            active: rule.alerts.into_iter().filter(is_active).map(|alert| alert.labels).collect(),
        }
    }
}

impl Prometheus {
    /// `base` may have a path of its own (`--web.external-url`).
    #[must_use]
    pub fn new(outbound: Outbound, base: Url) -> Self {
        Self { outbound, base }
    }

    /// The addresses of the Alertmanagers that it tells now.
    ///
    /// # Errors
    /// See [`SignalError`].
    pub async fn alertmanagers(&self) -> Result<Vec<String>, SignalError> {
        let url = under(&self.base, "api/v1/alertmanagers");
        let known: Wrapped<Alertmanagers> = get(&self.outbound, url).await?.0;
        Ok(known.data.active.into_iter().map(|one| kept(&one.url)).collect())
    }

    async fn dated_rules(&self) -> Result<(Vec<AlertRule>, Option<DateTime<Utc>>), SignalError> {
        let mut url = under(&self.base, "api/v1/rules");
        url.query_pairs_mut().append_pair("type", "alert");
        let (groups, clock): (Wrapped<RuleGroups>, _) = get(&self.outbound, url).await?;
        let rules = groups.data.groups.into_iter().flat_map(|group| group.rules);
        Ok((rules.map(AlertRule::from).collect(), clock))
    }

    /// Whether any series has this label with this value.
    async fn knows(&self, label: &str, value: &str) -> Result<bool, SignalError> {
        // By the names of such series: they are few, and any label's name can be asked for so.
        let mut url = under(&self.base, "api/v1/label/__name__/values");
        url.query_pairs_mut().append_pair("match[]", &format!("{{{}}}", equal(label, value)));
        let names: Wrapped<Vec<String>> = get(&self.outbound, url).await?.0;
        Ok(!names.data.is_empty())
    }
}

/// What the rules of one alert say, before it is known which labels were rewritten.
struct OfAlert {
    /// Whether all of them are evaluated, and were lately.
    is_healthy: bool,
    /// Where each of their pending or firing alerts differs from this one.
    active: Vec<Vec<Difference>>,
    /// Where the rules' own labels differ.
    by_rule: Vec<Difference>,
}

/// `None`: there is no such rule.
fn of_alert(rules: &[AlertRule], alert: &Alert, now: DateTime<Utc>) -> Option<OfAlert> {
    let of_alert = rules_of(rules, alert);
    let by_rule = of_alert.first()?.1.clone();
    let is_fresh = |rule: &AlertRule| rule.last_evaluation.is_some_and(|at| at + FRESH > now);
    let active = |(rule, _): &(&AlertRule, _)| -> Vec<_> {
        rule.active.iter().map(|series| rule.series_differences(series, alert)).collect()
    };
    Some(OfAlert {
        is_healthy: of_alert.iter().all(|(rule, _)| rule.is_healthy && is_fresh(rule)),
        active: of_alert.iter().flat_map(active).collect(),
        by_rule,
    })
}

#[async_trait]
impl RuleSource for Prometheus {
    async fn reading(&self, alerts: &[Alert], now: DateTime<Utc>) -> Result<RuleAnswer, SignalError> {
        let (rules, clock) = self.dated_rules().await?;
        // By its own clock, which dated the evaluation.
        let now = clock.unwrap_or(now);
        let mut known = BTreeMap::new();
        let (mut unhealthy, mut no_rule) = (None, None);
        for alert in alerts {
            let name = shown(alert.name());
            let Some(OfAlert { is_healthy, active, by_rule }) = of_alert(&rules, alert, now) else {
                no_rule = no_rule.or(Some(format!("has no rule {name}")));
                continue;
            };
            if !is_healthy {
                unhealthy = unhealthy.or(Some(format!("can't evaluate {name}, or did not lately")));
            }
            for by_series in active {
                // A value of the alert's that no series has was made on the way to Alertmanager: it
                // distinguishes nothing. One that a series has belongs to another series than this.
                let mut another = false;
                for Difference { label, here, .. } in &by_series {
                    let key = (label.clone(), here.clone());
                    if !known.contains_key(&key) {
                        let knows = self.knows(label, here).await?;
                        known.insert(key.clone(), knows);
                    }
                    another |= known.get(&key) == Some(&true);
                }
                if !another {
                    let differing = in_brackets(&[by_rule.clone(), by_series].concat());
                    let sentence = format!("Prometheus says that {name} is firing or pending{differing}");
                    return Ok(RuleAnswer { reading: PrometheusReading::Bad, sentence });
                }
            }
        }
        let answer = |reading, words: &str| RuleAnswer { reading, sentence: format!("Prometheus {words}") };
        Ok(match (unhealthy, no_rule) {
            (Some(words), _) => answer(PrometheusReading::Unhealthy, &words),
            (None, Some(words)) => answer(PrometheusReading::NoWord, &words),
            (None, None) => {
                answer(PrometheusReading::Good, "evaluates the rules, and none is firing or pending")
            }
        })
    }

    async fn rules(&self) -> Result<Vec<AlertRule>, SignalError> {
        Ok(self.dated_rules().await?.0)
    }

    async fn query(&self, expression: &str) -> Result<Vec<Sample>, SignalError> {
        let mut url = under(&self.base, "api/v1/query");
        url.query_pairs_mut().append_pair("query", expression);
        let answer: Wrapped<Vector> = get(&self.outbound, url).await?.0;
        let samples = answer.data.result.into_iter().map(|element| Sample {
            labels: element.metric,
            value: element.value.1.parse().unwrap_or(f64::NAN),
        });
        Ok(samples.collect())
    }

    async fn clock(&self) -> Result<DateTime<Utc>, SignalError> {
        let url = under(&self.base, "api/v1/status/buildinfo");
        let (_, date): (serde_json::Value, _) = get(&self.outbound, url).await?;
        date.ok_or_else(|| SignalError::NoAnswer("it doesn't tell the time".to_owned()))
    }
}
