//! What this process has heard of a rollout's alerts at all.

use std::collections::BTreeMap;

use super::Observed;
use crate::incident::RolloutName;

impl Observed {
    /// Every Alertmanager was asked for the rollout's alerts, and what was answered is decided. Who gave no answer
    /// was asked, too: its silence is for the Watchdog to judge.
    pub fn alerts_asked(&self, rollout: &RolloutName) {
        self.lock().asked.insert(rollout.clone());
    }

    /// Whether a Watchdog that speaks for alerts of these labels was heard since the start.
    #[must_use]
    pub fn was_watchdog_heard(&self, labels: &BTreeMap<String, String>) -> bool {
        self.lock().watchdogs.was_heard(labels)
    }

    /// Whether that has happened since the start of this process.
    #[must_use]
    pub fn were_alerts_asked(&self, rollout: &RolloutName) -> bool {
        self.lock().asked.contains(rollout)
    }
}
