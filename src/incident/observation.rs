//! What was last seen of the systems that a rollback acts upon.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Owner, Revision, Share};

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
    /// What the proxies may not follow yet of what the share and the rules say, such as `not yet taken over
    /// by Gateway edge: HTTPRoute api`; it ends by itself. `None`: they follow, as far as anybody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_in_effect: Option<String>,
    /// What else decides how many replicas the stable version has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<Autoscaler>,
    /// Who else carries this rollout out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// What will get in a rollback's way, though it can begin, in sentences with their remedy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
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
            not_in_effect: None,
            autoscaler: None,
            owner: None,
            warnings: Vec::new(),
            obstacle: None,
            changes: Vec::new(),
        }
    }

    /// Whether no request can reach the canary.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.share == Share::ZERO && self.bypasses.is_empty() && self.not_in_effect.is_none()
    }

    /// The canary's whole share of the traffic; `None`: rules, or proxies that lag behind, lead an unknown
    /// part of it there.
    #[must_use]
    pub fn whole_share(&self) -> Option<Share> {
        if self.is_only_version() {
            return Some(Share::ALL);
        }
        (self.share > Share::ZERO || self.is_off()).then_some(self.share)
    }

    /// Whether the canary is all there is though nothing leads to it by name: nobody asks for a pod of the
    /// stable version. So the protocol's last stage ends, which scales stable to 0 and then takes the weight
    /// away; a router reads that as 0 %. Whoever has what the users have is on canary, whatever its weight,
    /// and a step that takes the traffic off it is met by it: what is missing is the stable version.
    #[must_use]
    pub fn is_only_version(&self) -> bool {
        let alone = |known: &Workloads| known.stable.wanted == 0 && known.canary.wanted > 0;
        self.is_off() && self.workloads.as_ref().is_some_and(alone)
    }

    /// How many replicas the stable version has to have where `configured` are asked for: an autoscaler's
    /// minimum is what its owners never want to run below.
    #[must_use]
    pub fn stable_at_least(&self, configured: u16) -> u16 {
        self.autoscaler.as_ref().map_or(configured, |scaler| configured.max(scaler.min_replicas))
    }
}

/// What raises and lowers the stable version's replicas by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Such as `HorizontalPodAutoscaler api`.
    pub object: String,
    pub min_replicas: u16,
    pub max_replicas: u16,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_beside_a_stable_version_that_nobody_asks_for_has_everything() {
        let pods = |wanted| Pods { wanted, available: 0, ready_endpoints: 0 };
        let seen = |share, stable, canary| Observation {
            workloads: Some(Workloads { stable: pods(stable), canary: pods(canary) }),
            ..Observation::of_share(Share(share))
        };
        for (share, stable, canary, whole) in
            [(0, 0, 3, 100), (0, 0, 1, 100), (0, 1, 3, 0), (0, 3, 0, 0), (0, 0, 0, 0), (50, 0, 3, 50)]
        {
            let observed = seen(share, stable, canary);
            assert_eq!(observed.whole_share(), Some(Share(whole)), "{observed:?}");
        }
        let by_header = Observation { bypasses: vec!["canary-by-header".to_owned()], ..seen(0, 0, 3) };
        assert_eq!(by_header.whole_share(), None);
        assert_eq!(Observation::of_share(Share::ZERO).whole_share(), Some(Share::ZERO));
        assert!(seen(0, 0, 3).is_off(), "there is nothing to shift");
        assert_eq!(
            seen(0, 0, 3).words(),
            "0 %, but the canary is the only version that is asked for; stable 0 of 0 ready, canary 0 of 3 ready"
        );
    }
}
