//! Alerts that wait for the canary's share to be read.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::{AttachedAlert, Fingerprint};

type List = Vec<Arc<AttachedAlert>>;

/// The waiting alerts, each once. Thousands may wait at once, and every decision copies the state:
/// both adding one and copying them must not cost what all of them cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "List", into = "List")]
pub struct Triage(OrdMap<Fingerprint, Arc<AttachedAlert>>);

impl Triage {
    /// Whether no alert waits. As long as one does, the share is due to be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, alert: &AttachedAlert) {
        self.0.insert(alert.alert.fingerprint.clone(), Arc::new(alert.clone()));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// In the order in which they are to be decided: the most urgent first, because the first that
    /// acts is the cause, then as they came.
    #[must_use]
    pub fn by_urgency(&self) -> List {
        let mut waiting: List = self.0.values().cloned().collect();
        waiting.sort_by_key(|attached| (std::cmp::Reverse(attached.alert.severity()), attached.received_at));
        waiting
    }
}

impl From<List> for Triage {
    fn from(list: List) -> Self {
        Self(list.into_iter().map(|waiting| (waiting.alert.fingerprint.clone(), waiting)).collect())
    }
}

impl From<Triage> for List {
    fn from(triage: Triage) -> Self {
        triage.by_urgency()
    }
}
