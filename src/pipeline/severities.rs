//! The organisation's words for a severity, and the report of words that are nobody's.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::incident::{Alert, AlertStatus, SeverityMap};
use crate::metrics::Metrics;
use crate::text::{kept, shown};

/// How many kinds are remembered as logged. A sender with ever new labels must neither fill the log
/// nor the memory.
const MAX_KINDS: usize = 1_000;

/// Kinds of something that were logged already: each once. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Kinds(Arc<Mutex<HashSet<String>>>);

impl Kinds {
    /// Whether this kind is met for the first time, as far as kinds are remembered.
    #[must_use]
    pub fn first(&self, kind: String) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.len() < MAX_KINDS && seen.insert(kind)
    }
}

/// The words with which every alert is read, whichever way it comes in.
#[derive(Debug, Clone)]
pub struct Severities {
    pub words: SeverityMap,
    /// Those that were nobody's and are logged.
    unknown: Kinds,
    metrics: Metrics,
}

impl Severities {
    /// `words` come before the protocol's own two.
    #[must_use]
    pub fn new(words: SeverityMap, metrics: Metrics) -> Self {
        Self { words, unknown: Kinds::default(), metrics }
    }

    /// Counts an alert of a rollout whose severity is no word that is known, and logs each such word
    /// once: the alert is recorded and leads to nothing, which its author can't have meant.
    pub fn check(&self, alert: &Alert) {
        if alert.is_severity_known() || alert.status != AlertStatus::Firing {
            return;
        }
        self.metrics.severity_unknown();
        let severity = alert.labels.get("severity").map(|word| kept(word));
        if self.unknown.first(severity.clone().unwrap_or_default()) {
            tracing::warn!(
                alert = shown(&kept(alert.name())),
                severity = severity.map(|word| shown(&word)),
                "an alert of a rollout has no severity that is known, so it leads to nothing: give it \
                 `critical` or `warning`, or name its word in `alertmanager.severity_map` (each word is logged once)"
            );
        }
    }
}
