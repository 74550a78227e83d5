//! The configured rollouts: each with its settings and its adapters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::decision::Policy;
use crate::execution::{StepLimits, TrafficRouter};
use crate::incident::{Alert, RolloutName};
use crate::verification::Verifier;

/// One configured rollout: its policy, and the adapters that act and read for it.
#[derive(Debug, Clone)]
pub struct Rollout {
    pub name: RolloutName,
    pub policy: Policy,
    pub router: Arc<dyn TrafficRouter>,
    pub verifier: Verifier,
    pub step_limits: StepLimits,
    /// The pause between two rounds of a verification.
    pub verify_interval: Duration,
}

/// All configured rollouts.
#[derive(Debug, Clone, Default)]
pub struct Rollouts(BTreeMap<RolloutName, Arc<Rollout>>);

impl Rollouts {
    /// A later rollout replaces an earlier one of the same name.
    #[must_use]
    pub fn new(rollouts: impl IntoIterator<Item = Rollout>) -> Self {
        Self(rollouts.into_iter().map(|rollout| (rollout.name.clone(), Arc::new(rollout))).collect())
    }

    /// `None`: it is not configured, or no longer; what is stored of it rests.
    #[must_use]
    pub fn get(&self, name: &RolloutName) -> Option<&Arc<Rollout>> {
        self.0.get(name)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rollout>> {
        self.0.values()
    }

    /// Those that the alert belongs to: none, one, or several.
    pub fn of_alert<'a>(&'a self, alert: &'a Alert) -> impl Iterator<Item = &'a Arc<Rollout>> {
        self.iter().filter(|rollout| alert.matches(&rollout.policy.matching))
    }
}
