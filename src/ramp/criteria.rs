//! The criteria that a rollout has configured, and which of them each stage is judged by.

use super::Needs;
use super::detection_floor::Statistic;
use crate::incident::{Criterion, CriterionName, Revision, Share, Stage, UnfitRevision};

/// A rollout's criteria, ready to be asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Criteria {
    pub all: Vec<StagedCriterion>,
    /// What is written and not asked, so that nobody takes it for passed.
    pub left_out: Vec<LeftOut>,
}

/// A criterion, and the stages it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedCriterion {
    pub criterion: Criterion,
    /// The shares that it was written for. At 100 % all are asked, whatever they were written for.
    pub stages: Vec<Share>,
    /// Where the names of its metrics come from; `None` for one's own.
    pub metric_from: Option<MetricFrom>,
    /// The metrics without which its query has no answer; `None`: Prometheus is not asked.
    pub needs: Option<Needs>,
    /// What of the canary's requests it judges, if that is what it judges.
    pub statistic: Option<Statistic>,
}

/// A criterion that is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub name: CriterionName,
    pub title: String,
    /// Why, in a sentence.
    pub why: String,
}

/// Who named the metrics of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricFrom {
    /// The protocol itself.
    Protocol,
    /// The protocol's origin: the trading platform's public rules and documents.
    Origin,
    /// Nobody before: whoever has such a metric turns the criterion on.
    Proposed,
}

impl Criteria {
    /// What is asked in a stage with this share, after one with `previous` (0 % for the first), in a ramp of
    /// this revision.
    ///
    /// At 100 % all are: "all previous criteria maintained". A ramp with other shares than the protocol's asks
    /// what was written for a share that it reaches or passes over, and at least what the stage of the
    /// protocol asks that it belongs to.
    ///
    /// # Errors
    /// Where a criterion names the revision, and that fits nowhere.
    pub fn of_stage(
        &self,
        share: Share,
        previous: Share,
        revision: &Revision,
    ) -> Result<Vec<Criterion>, UnfitRevision> {
        let of_protocol = Stage::WEIGHTS.into_iter().map(Share).rfind(|weight| *weight <= share);
        let of_protocol = of_protocol.unwrap_or(Share(1));
        let is_asked = |one: &&StagedCriterion| {
            let reached = |stage: &Share| (previous < *stage && *stage <= share) || *stage == of_protocol;
            share == Share::ALL || one.stages.iter().any(reached)
        };
        self.all.iter().filter(is_asked).map(|one| one.criterion.filled(revision, share)).collect()
    }
}
