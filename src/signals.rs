//! Reads what the monitoring says: Alertmanager's list of alerts, Prometheus' rules and figures.
//! Reads only; what follows is decided elsewhere.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::decision::PrometheusReading;
use crate::incident::Alert;

mod alertmanager;
mod expression;
mod prometheus;

pub use alertmanager::{Alertmanager, Listing};
pub use expression::{Measured, left_of_threshold};
pub use prometheus::{Prometheus, Sample};

/// Says which alerts fire now: one member of an Alertmanager cluster.
#[async_trait]
pub trait AlertSource: Send + Sync + std::fmt::Debug {
    /// Its address, for messages and figures.
    fn address(&self) -> String;

    /// Lists the alerts that carry all labels of `matching`, and looks for the Watchdog.
    ///
    /// # Errors
    /// In words: why it gave no answer that can be used.
    async fn list(
        &self,
        matching: &BTreeMap<String, String>,
        watchdog: &str,
        now: DateTime<Utc>,
    ) -> Result<Listing, String>;
}

/// Says what the rules evaluate to, now and in the past: a Prometheus.
#[async_trait]
pub trait RuleSource: Send + Sync + std::fmt::Debug {
    /// What the rules of these alerts say now.
    ///
    /// # Errors
    /// In words: why there is no answer.
    async fn reading(&self, alerts: &[Alert], now: DateTime<Utc>) -> Result<PrometheusReading, String>;

    /// The result of an instant query.
    ///
    /// # Errors
    /// In words: no answer, or not a vector.
    async fn query(&self, expression: &str) -> Result<Vec<Sample>, String>;

    /// What its clock shows.
    ///
    /// # Errors
    /// In words: why there is no answer.
    async fn clock(&self) -> Result<DateTime<Utc>, String>;
}
