//! One alert as Alertmanager tells it, free of the wire format.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Labels};

/// Whether the alert fires or has resolved. The only status to act on: a group's status lies
/// (reference notes on Alertmanager, section 0, finding 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// The rule's condition holds, as far as Alertmanager knows.
    Firing,
    /// Alertmanager no longer holds it as firing. This is not yet proof of recovery
    /// (reference notes on Alertmanager, section 0, finding 4).
    Resolved,
}

/// How urgent an alert is, by its `severity` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Missing, or a text that the protocol doesn't know: recorded, never acted upon.
    Unknown,
    Warning,
    Critical,
}

impl Severity {
    /// The text used in JSON, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Identity over all labels.
    pub fingerprint: Fingerprint,
    pub status: AlertStatus,
    /// All labels. `alertname` and `severity` may be missing.
    pub labels: Labels,
    #[serde(default)]
    pub annotations: Labels,
    /// When it began to fire. May move either way between two messages of one episode.
    pub starts_at: DateTime<Utc>,
    /// When it resolved; `None` while firing.
    #[serde(default)]
    pub ends_at: Option<DateTime<Utc>>,
    /// Link to the expression in Prometheus; may be empty.
    #[serde(default)]
    pub generator_url: String,
}

impl Alert {
    /// The `alertname` label, or `(no alertname)`: Alertmanager accepts alerts without one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("(no alertname)", String::as_str)
    }

    /// The urgency by the `severity` label.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.labels.get("severity").map(String::as_str) {
            Some("critical") => Severity::Critical,
            Some("warning") => Severity::Warning,
            _ => Severity::Unknown,
        }
    }

    /// Whether every pair of `wanted` is among the labels.
    #[must_use]
    pub fn matches(&self, wanted: &BTreeMap<String, String>) -> bool {
        wanted.iter().all(|(name, value)| self.labels.get(name) == Some(value))
    }
}
