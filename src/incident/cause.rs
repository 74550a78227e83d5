//! What made a rollback begin. Stored with the start of each rollback, and read by evidence,
//! messages, API and lists alike: why an incident *opened* may be something else (a warning), and
//! evidence that names the warning where the critical acted is untrue.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Fingerprint, OpenedIncident, Reason, Share, Stage};
use crate::text::shown;

/// Whether an alert or a person caused it. Stored: a renamed variant makes old databases unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    Automatic,
    Manual { actor: String },
}

impl Trigger {
    /// The word that tools are told: `alert` or `person`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Automatic => "alert",
            Self::Manual { .. } => "person",
        }
    }

    /// The person, where it was one; foreign text.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        match self {
            Self::Automatic => None,
            Self::Manual { actor } => Some(actor),
        }
    }
}

impl std::fmt::Display for Trigger {
    /// The protocol's `Triggered By`; a name is a foreign text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Automatic => f.write_str("Automatic"),
            Self::Manual { actor } => write!(f, "Manual ({})", shown(actor)),
        }
    }
}

/// An alert, or a person with their words, for which a rollback began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// When it led to the decision, not when the alert began.
    pub at: DateTime<Utc>,
    pub reason: Reason,
    pub trigger: Trigger,
    /// The alert's name, or what the person wrote; foreign text.
    pub words: String,
    /// Which of the incident's alerts; `None` for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Fingerprint>,
    /// By the share, or as the person named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The reading that the decision rested on; `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// When that reading was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_read_at: Option<DateTime<Utc>>,
}

impl Cause {
    /// What an incident opened with, for those that were stored before rollbacks had a cause.
    #[must_use]
    pub fn of_opening(opened: &OpenedIncident, at: DateTime<Utc>) -> Self {
        Self {
            at,
            reason: opened.reason,
            trigger: opened.trigger.clone(),
            words: opened.cause.clone(),
            alert: opened.alert.as_ref().map(|attached| attached.alert.fingerprint.clone()),
            stage: opened.stage,
            share: opened.share,
            share_read_at: opened.share_read_at,
        }
    }

    /// How old the share was when the decision rested on it.
    #[must_use]
    pub fn share_age(&self) -> Option<TimeDelta> {
        self.share_read_at.map(|read_at| (self.at - read_at).max(TimeDelta::zero()))
    }

    /// The share and its age in words, such as `25 %, read 1.2 s before`.
    #[must_use]
    pub fn share_words(&self) -> String {
        match (self.share, self.share_age()) {
            (Some(share), Some(age)) => {
                format!("{share}, read {}.{} s before", age.num_seconds(), age.subsec_millis() / 100)
            }
            (Some(share), None) => share.to_string(),
            (None, _) => "unread".to_owned(),
        }
    }
}
