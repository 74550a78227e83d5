//! One alert as Alertmanager sends it, free of the wire format.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Labels, Severity, SeverityMap};

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

/// An alert as events store it: a new member needs a default, or old databases no longer fold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
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
    /// What `severity_map` said of its `severity` label as it came in. Stored, so that a changed
    /// configuration changes no event of the past; `None` where the map says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapped_severity: Option<Severity>,
}

impl Alert {
    /// The `alertname` label, or `(no alertname)`: Alertmanager accepts alerts without one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("(no alertname)", String::as_str)
    }

    /// The urgency: by the organisation's own words, or else by the protocol's.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.known_severity().unwrap_or(Severity::Unknown)
    }

    /// Whether the `severity` label is a known word. If not, the alert leads to nothing, which has to be
    /// logged and counted: its author can't have meant that.
    #[must_use]
    pub fn is_severity_known(&self) -> bool {
        self.known_severity().is_some()
    }

    fn known_severity(&self) -> Option<Severity> {
        self.mapped_severity.or_else(|| Severity::of_word(self.labels.get("severity")?))
    }

    /// Sets `mapped_severity` by the organisation's own words for a severity.
    #[must_use]
    pub fn read_with(mut self, words: &SeverityMap) -> Self {
        self.mapped_severity = self.labels.get("severity").and_then(|word| words.of_word(word));
        self
    }

    /// About how much memory it takes, in bytes: every text, and what a map needs around it.
    #[must_use]
    pub fn weight(&self) -> usize {
        const ALERT: usize = 512;
        const PAIR: usize = 96;
        let pairs = self.labels.iter().chain(self.annotations.iter());
        let texts: usize = pairs.map(|(name, value)| PAIR + name.len() + value.len()).sum();
        ALERT + texts + self.generator_url.len()
    }

    /// Whether every pair of `wanted` is among the labels.
    #[must_use]
    pub fn matches(&self, wanted: &BTreeMap<String, String>) -> bool {
        wanted.iter().all(|(name, value)| self.labels.get(name) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::fixtures::firing;

    fn with(labels: &[(&str, &str)]) -> Alert {
        firing("f", labels, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn an_alert_matches_what_it_carries_all_of() {
        let alert = with(&[("rollout", "checkout"), ("canary_rollback", "true")]);
        for (wanted, expected) in [
            (&[][..], true),
            (&[("rollout", "checkout")], true),
            (&[("rollout", "checkout"), ("canary_rollback", "true")], true),
            (&[("rollout", "search")], false),
            (&[("rollout", "checkout"), ("team", "x")], false),
        ] {
            let wanted =
                wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(alert.matches(&wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn a_severity_is_known_by_the_protocols_words_and_by_the_organisations() {
        let words = SeverityMap::new([("page".to_owned(), Severity::Critical)]);
        for (severity, known) in [("critical", true), ("warning", true), ("page", true), ("urgent", false)] {
            let alert = with(&[("severity", severity)]).read_with(&words);
            assert_eq!(alert.is_severity_known(), known, "{severity}");
        }
        assert!(!with(&[]).is_severity_known(), "no label at all");
    }

    #[test]
    fn an_alert_weighs_every_text_and_what_a_map_needs_around_it() {
        let bare = with(&[]).weight();
        assert_eq!(with(&[("a", "xyz")]).weight() - bare, 96 + 4);
        assert_eq!(with(&[("a", "xyz"), ("bb", "")]).weight() - bare, 2 * 96 + 6);
        let alert = Alert {
            generator_url: "http://p".to_owned(),
            annotations: with(&[("c", "d")]).labels,
            ..with(&[])
        };
        assert_eq!(alert.weight() - bare, 8 + 96 + 2);
    }
}
