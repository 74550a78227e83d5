//! What a ramp was started to do. Frozen as it starts: a changed configuration changes no ramp under way.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Criterion, Question};
use crate::incident::{Revision, Share};

/// The stages of a ramp, in their order, and its limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RampPlan {
    pub revision: Revision,
    /// At least one; shares rise from each to the next.
    pub stages: Vec<StagePlan>,
    /// After holding for so long it pages.
    pub max_hold_seconds: u32,
    /// While it holds, people are told this often.
    pub remind_every_seconds: u32,
    /// For so long after its success alerts of the revision still lead to a rollback.
    pub watch_after_seconds: u32,
    /// At the end the stable version is scaled to 0, as the protocol's last stage says; not before.
    #[serde(default)]
    pub stable_down: bool,
}

impl RampPlan {
    /// What its stages are judged by, each criterion once, in the order in which it first comes.
    pub fn criteria(&self) -> impl Iterator<Item = &Criterion> {
        let mut known = BTreeSet::new();
        let all = self.stages.iter().flat_map(|stage| &stage.criteria);
        all.filter(move |criterion| known.insert(&criterion.name))
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagePlan {
    pub share: Share,
    /// It lasts at least so long, from when its share was read back.
    pub duration_seconds: u32,
    /// A person has to approve before it is left.
    #[serde(default)]
    pub needs_approval: bool,
    pub criteria: Vec<Criterion>,
}

impl StagePlan {
    /// Whether it is left only once a person has approved.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        self.needs_approval || self.criteria.iter().any(|criterion| criterion.question == Question::Approval)
    }
}
