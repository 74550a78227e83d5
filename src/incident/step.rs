//! What a rollback changes outside: absolute values, so that repeating one is harmless.

use serde::{Deserialize, Serialize};

use super::{Observation, Owner, Stance};

/// The canary's share of the traffic in per cent, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(pub u8);

impl Share {
    /// No traffic on the canary.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(100);
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// One change of the outside world, with all that it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Set the canary's share to 0 %, whatever serves instead: for systems that don't say.
    TrafficOff,
    /// Raise the stable version to at least so many replicas; never lower it.
    StableUp { replicas: u16 },
    /// Lower the canary's share to this, and let no header or cookie lead to it if that is 0 %. Not
    /// while the stable version has fewer ready endpoints than it takes to carry the rest.
    Shift { share: Share, ready_at_least: u16 },
    /// Scale the canary to 0. Not while it has traffic, nor while the stable version has fewer ready
    /// endpoints than this.
    CanaryDown { ready_at_least: u16 },
    /// Raise the canary to at least so many replicas; never lower it.
    CanaryUp { replicas: u16 },
    /// Set the canary's share as a ramp asks for it. Not while the canary has fewer ready endpoints than this.
    SetShare { share: Share, ready_at_least: u16 },
    /// Scale the stable version to 0, at the end of a ramp. Not while it may have traffic, nor while the canary
    /// has fewer ready endpoints than this.
    StableDown { ready_at_least: u16 },
    /// Tell the controller that owns the rollout to stop it: to roll back itself, or to stand aside.
    StopOwner,
}

impl Step {
    /// The text used in JSON, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrafficOff | Self::Shift { share: Share::ZERO, .. } => "traffic_off",
            Self::Shift { .. } => "traffic_down",
            Self::StableUp { .. } => "stable_up",
            Self::CanaryDown { .. } => "canary_down",
            Self::CanaryUp { .. } => "canary_up",
            Self::SetShare { .. } => "share_set",
            Self::StableDown { .. } => "stable_down",
            Self::StopOwner => "owner_stopped",
        }
    }

    /// The share that it sets; `None`: it leaves the traffic as it is.
    #[must_use]
    pub fn sets_share(self) -> Option<Share> {
        match self {
            Self::TrafficOff => Some(Share::ZERO),
            Self::Shift { share, .. } | Self::SetShare { share, .. } => Some(share),
            Self::StableUp { .. }
            | Self::CanaryDown { .. }
            | Self::CanaryUp { .. }
            | Self::StableDown { .. }
            | Self::StopOwner => None,
        }
    }

    /// Whether it takes all traffic off the canary.
    #[must_use]
    pub fn takes_traffic_off(self) -> bool {
        self.sets_share() == Some(Share::ZERO)
    }

    /// Whether what is observed is what it wants.
    #[must_use]
    pub fn is_met_by(self, observed: &Observation) -> bool {
        match self {
            Self::TrafficOff | Self::Shift { share: Share::ZERO, .. } => observed.is_off(),
            Self::Shift { share, .. } => observed.share <= share,
            Self::StableUp { replicas } => {
                observed.workloads.is_some_and(|known| known.stable.wanted >= replicas)
            }
            Self::SetShare { share, .. } => observed.whole_share() == Some(share),
            Self::CanaryUp { replicas } => {
                observed.workloads.is_some_and(|known| known.canary.wanted >= replicas)
            }
            Self::StableDown { .. } => observed.workloads.is_some_and(|known| known.stable.wanted == 0),
            Self::CanaryDown { .. } => observed.workloads.is_some_and(|known| known.canary.wanted == 0),
            Self::StopOwner => {
                observed.owner.as_ref().is_none_or(|owner: &Owner| owner.stance == Stance::RollsBack)
            }
        }
    }
}
