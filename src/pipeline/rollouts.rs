//! The configured rollouts: each with its settings and its adapters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::decision::Policy;
use crate::execution::{Lane, StepLimits};
use crate::incident::{Alert, RolloutName};
use crate::ramp::freeze::FreezeWindows;
use crate::ramp::{Judge, Offers};
use crate::tagging::Tagger;
use crate::verification::{Application, Verifier};

/// One configured rollout: its policy, and the adapters that act and read for it.
#[derive(Debug, Clone)]
pub struct Rollout {
    pub name: RolloutName,
    pub policy: Policy,
    pub lane: Lane,
    /// Where the metrics snapshots of the evidence are read.
    pub application: Application,
    /// What is read back after a rollback.
    pub verifier: Verifier,
    pub step_limits: StepLimits,
    /// When no ramp starts, nor goes on.
    pub freeze: FreezeWindows,
    /// What its ramps are made of.
    pub offers: Arc<dyn Offers>,
    /// Asks the criteria of its ramps.
    pub judge: Arc<dyn Judge>,
    /// Tags a ramp's success; `None`: nobody wants that.
    pub tagger: Option<Tagger>,
    /// The pause between two rounds of a stage's criteria.
    pub judge_interval: Duration,
    /// The pause between two rounds of a verification.
    pub verify_interval: Duration,
}

/// All configured rollouts. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Rollouts(Arc<Indexed>);

#[derive(Debug, Default)]
struct Indexed {
    by_name: BTreeMap<RolloutName, Arc<Rollout>>,
    /// Each by one label that its alerts must carry, so that an alert is not compared with a thousand
    /// rollouts that it doesn't belong to.
    by_label: BTreeMap<String, BTreeMap<String, Vec<Arc<Rollout>>>>,
    /// Those that every alert belongs to.
    of_all: Vec<Arc<Rollout>>,
}

impl Rollouts {
    /// The last of several that share a name counts; the configuration refuses such.
    #[must_use]
    pub fn new(rollouts: impl IntoIterator<Item = Rollout>) -> Self {
        let by_name: BTreeMap<_, _> =
            rollouts.into_iter().map(|rollout| (rollout.name.clone(), Arc::new(rollout))).collect();
        let mut shared_by: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (name, value) in by_name.values().flat_map(|rollout| &rollout.policy.matching) {
            *shared_by.entry((name.clone(), value.clone())).or_default() += 1;
        }
        let mut indexed = Indexed { by_name, ..Indexed::default() };
        for rollout in indexed.by_name.values() {
            let labels = rollout.policy.matching.iter().map(|(name, value)| (name.clone(), value.clone()));
            match labels.min_by_key(|label| shared_by.get(label).copied()) {
                Some((name, value)) => {
                    let of_label = indexed.by_label.entry(name).or_default().entry(value).or_default();
                    of_label.push(Arc::clone(rollout));
                }
                None => indexed.of_all.push(Arc::clone(rollout)),
            }
        }
        Self(Arc::new(indexed))
    }

    /// The rollout of this name, if it is configured.
    #[must_use]
    pub fn get(&self, name: &RolloutName) -> Option<&Arc<Rollout>> {
        self.0.by_name.get(name)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rollout>> {
        self.0.by_name.values()
    }

    /// Those that the alert belongs to: none, one, or several, in the order of their names.
    #[must_use]
    pub fn of_alert(&self, alert: &Alert) -> Vec<&Arc<Rollout>> {
        let indexed = &self.0.by_label;
        let likely = indexed.iter().filter_map(|(name, of_value)| of_value.get(alert.labels.get(name)?));
        let likely = likely.flatten().filter(|rollout| alert.matches(&rollout.policy.matching));
        let mut found: Vec<_> = likely.chain(&self.0.of_all).collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::fixtures::firing;
    use crate::pipeline::fixtures::{Flag, rollout};

    fn matching(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_alert_belongs_to_every_rollout_whose_labels_it_carries_and_to_no_other() {
        let of = |name: &str, labels: &[(&str, &str)]| {
            let mut rollout = rollout(Flag::new(None));
            rollout.name = RolloutName::new(name);
            rollout.policy.matching = matching(labels);
            rollout
        };
        let rollouts = Rollouts::new([
            of("z-all", &[]),
            of("b", &[("rollout", "b"), ("canary_rollback", "true")]),
            of("a", &[("rollout", "a"), ("canary_rollback", "true")]),
            of("a-again", &[("rollout", "a"), ("canary_rollback", "true")]),
            of("flag", &[("canary_rollback", "true")]),
            of("team", &[("team", "x")]),
        ]);
        for (labels, expected) in [
            (&[][..], &["z-all"][..]),
            (&[("rollout", "a")], &["z-all"]),
            (&[("rollout", "a"), ("canary_rollback", "true")], &["a", "a-again", "flag", "z-all"]),
            (&[("rollout", "c"), ("canary_rollback", "true"), ("team", "x")], &["flag", "team", "z-all"]),
            (&[("rollout", "b"), ("canary_rollback", "false"), ("team", "y")], &["z-all"]),
        ] {
            let alert = firing("f", labels, chrono::DateTime::UNIX_EPOCH);
            let found: Vec<_> =
                rollouts.of_alert(&alert).iter().map(|rollout| rollout.name.as_str()).collect();
            assert_eq!(found, expected, "{labels:?}");
        }
    }
}
