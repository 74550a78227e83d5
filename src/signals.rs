//! Reads what the monitoring says: Alertmanager's list of alerts, Prometheus' rules and values, Grafana's
//! pictures, Loki's lines, and APIs that a ramp's criteria ask.
//! Reads only; what follows is decided elsewhere.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::decision::{PrometheusReading, Watchdog};
use crate::incident::Alert;

mod alertmanager;
mod error;
mod expression;
mod grafana;
mod http_check;
mod known_metrics;
mod loki;
pub(crate) mod matcher;
mod prometheus;
mod range;
mod rule;

pub use alertmanager::{Alertmanager, Listing};
pub use error::SignalError;
pub use expression::{Comparison, Condition, Guard, Matching, NotUnderstood, Side, conditions};
pub use grafana::{
    GrafanaRenderer, Placeholder, RENDER_TIMEOUT, RenderError, SIZE as RENDER_SIZE, Shown, Size,
};
pub use http_check::{HttpJudge, HttpSystem};
pub use known_metrics::known_metrics;
pub use loki::{Loki, MAX_LINES};
pub use prometheus::{Prometheus, Sample};
pub use range::{QueryJudge, RangeSource};
pub use rule::{AlertRule, Difference, in_brackets, rules_of};

/// Says which alerts fire now: one member of an Alertmanager cluster.
#[async_trait]
pub trait AlertSource: Send + Sync + std::fmt::Debug {
    /// Its address, for messages and metrics.
    fn address(&self) -> String;

    /// Lists the alerts that carry all labels of `matching`, and looks for Watchdogs.
    ///
    /// # Errors
    /// See [`SignalError`].
    async fn list(
        &self,
        matching: &BTreeMap<String, String>,
        watchdog: &Watchdog,
        now: DateTime<Utc>,
    ) -> Result<Listing, SignalError>;
}

/// What the rules of some alerts say, with the words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleAnswer {
    pub reading: PrometheusReading,
    /// A sentence for evidence and log.
    pub sentence: String,
}

/// Says what the rules evaluate to, now and in the past: a Prometheus.
#[async_trait]
pub trait RuleSource: Send + Sync + std::fmt::Debug {
    /// What the rules of these alerts say now.
    ///
    /// # Errors
    /// See [`SignalError`].
    async fn reading(&self, alerts: &[Alert], now: DateTime<Utc>) -> Result<RuleAnswer, SignalError>;

    /// All its alerting rules, whichever application they are about.
    ///
    /// # Errors
    /// See [`SignalError`].
    async fn rules(&self) -> Result<Vec<AlertRule>, SignalError>;

    /// The result of an instant query: a vector.
    ///
    /// # Errors
    /// See [`SignalError`]; [`SignalError::Refused`] where it can't be evaluated.
    async fn query(&self, expression: &str) -> Result<Vec<Sample>, SignalError>;

    /// What its clock shows, to the second.
    ///
    /// # Errors
    /// See [`SignalError`].
    async fn clock(&self) -> Result<DateTime<Utc>, SignalError>;
}
