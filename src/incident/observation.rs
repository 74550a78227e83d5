//! What was last seen of the systems that a rollback acts upon.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Revision, Share};

/// The name under which Backstop changes objects itself, where they keep such names.
pub const OWN_MANAGER: &str = "backstop";

/// One reading of a target, rich enough to decide upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The canary's share of the requests that no rule of its own leads anywhere.
    pub share: Share,
    /// What leads requests to the canary whatever its share is: header and cookie rules, by the name
    /// that a person finds them by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bypasses: Vec<String>,
    /// `None`: the target knows nothing of what serves, as a feature flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workloads: Option<Workloads>,
    /// The version on canary, where the target says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Why the traffic can't be moved before a person mends something, in a sentence that says what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// Who changed each object last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<LastChange>,
}

impl Observation {
    /// Of a target that says the share and nothing else.
    #[must_use]
    pub fn of_share(share: Share) -> Self {
        Self {
            share,
            bypasses: Vec::new(),
            workloads: None,
            revision: None,
            obstacle: None,
            changes: Vec::new(),
        }
    }

    /// Whether no request can reach the canary.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.share == Share::ZERO && self.bypasses.is_empty()
    }

    /// The canary's whole share of the traffic; `None`: rules lead an unknown part of it there.
    #[must_use]
    pub fn whole_share(&self) -> Option<Share> {
        (self.share > Share::ZERO || self.bypasses.is_empty()).then_some(self.share)
    }
}

/// What serves: both versions' pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workloads {
    pub stable: Pods,
    pub canary: Pods,
}

/// The pods of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pods {
    /// Replicas asked for.
    pub wanted: u16,
    /// Of those, how many are available by their controller's word, for the replicas asked for now.
    pub available: u16,
    /// Addresses that get requests; what a proxy really uses.
    pub ready_endpoints: u16,
}

/// Who changed an object last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastChange {
    /// Such as `Ingress spark-trading`.
    pub object: String,
    /// The name that the one who changed it gives itself.
    pub manager: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
}
