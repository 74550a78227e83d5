//! Whether this process has asked for a rollout's alerts yet.

use super::Observed;
use crate::incident::RolloutName;

impl Observed {
    /// Every Alertmanager was asked for the rollout's alerts, and what was answered is decided. Who gave no answer
    /// was asked, too: its silence is for the Watchdog to judge.
    pub fn alerts_asked(&self, rollout: &RolloutName) {
        self.lock().asked.insert(rollout.clone());
    }

    /// Whether that has happened since the start of this process.
    #[must_use]
    pub fn were_alerts_asked(&self, rollout: &RolloutName) -> bool {
        self.lock().asked.contains(rollout)
    }
}
