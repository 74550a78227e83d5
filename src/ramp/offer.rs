//! What a rollout's configuration offers for a ramp, and the plan that is made of it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::Criteria;
use super::detection_floor::{Counted, DetectionFloor, detection_floor};
use crate::incident::{Question, RampPlan, Revision, Share, StagePlan, UnfitRevision};
use crate::text::shown;

/// A rollout's configuration, as far as its ramps are made of it. It is read as one starts: a file of criteria
/// that is broken stops no rollback.
pub trait Offers: Send + Sync + Debug {
    /// What is configured now.
    ///
    /// # Errors
    /// In sentences: everything that is wrong with the criteria.
    fn offer(&self) -> Result<RampOffer, String>;
}

/// Stands for a rollout that no ramp is configured for.
#[derive(Debug, Clone)]
pub struct NothingOffered {
    /// Why, in words.
    pub why: String,
}

impl Offers for NothingOffered {
    fn offer(&self) -> Result<RampOffer, String> {
        Err(self.why.clone())
    }
}

/// What is configured for a rollout's ramps.
#[derive(Debug, Clone, PartialEq)]
pub struct RampOffer {
    /// Ascending; the last is 100 %.
    pub stages: Vec<Share>,
    pub stage_duration_seconds: u32,
    pub last_stage_duration_seconds: u32,
    /// The pause between two judgements; no stage is shorter.
    pub judge_interval_seconds: u32,
    /// The stages that need a person's approval.
    pub approval: BTreeSet<Share>,
    pub max_hold_seconds: u32,
    pub remind_every_seconds: u32,
    pub watch_after_seconds: u32,
    pub stable_down: bool,
    pub criteria: Criteria,
    pub questions: StartQuestions,
}

/// What Prometheus is asked of the application before a ramp starts, as PromQL; `None`: it has no such metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartQuestions {
    /// Has a series if the requests of canary and stable are told apart by a label.
    pub told_apart: Option<String>,
    /// Requests per second, of canary and stable together.
    pub requests_per_second: Option<String>,
}

/// What a person asks for in place of what is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanChanges {
    pub stages: Option<Vec<Share>>,
    pub stage_duration_seconds: Option<u32>,
}

impl RampOffer {
    /// The plan of a ramp of this revision. The last stage never gets shorter than it is configured.
    ///
    /// # Errors
    /// Where a criterion names the revision, and that fits nowhere.
    pub fn plan(&self, revision: Revision, changes: &PlanChanges) -> Result<RampPlan, UnfitRevision> {
        let shares = changes.stages.as_ref().unwrap_or(&self.stages);
        let duration = changes.stage_duration_seconds.unwrap_or(self.stage_duration_seconds);
        let before = std::iter::once(Share::ZERO).chain(shares.iter().copied());
        let stage = |(&share, previous): (&Share, Share)| {
            let of_last = share == Share::ALL;
            let least = if of_last { self.last_stage_duration_seconds } else { 0 };
            Ok(StagePlan {
                share,
                duration_seconds: duration.max(least),
                // Whoever ramps by other stages passes over none of the approvals.
                needs_approval: self.approval.iter().any(|wanted| (previous < *wanted) && *wanted <= share),
                criteria: self.criteria.of_stage(share, previous, &revision)?,
            })
        };
        let stages = shares.iter().zip(before).map(stage).collect::<Result<_, UnfitRevision>>()?;
        Ok(RampPlan {
            revision,
            stages,
            max_hold_seconds: self.max_hold_seconds,
            remind_every_seconds: self.remind_every_seconds,
            watch_after_seconds: self.watch_after_seconds,
            stable_down: self.stable_down,
        })
    }

    /// What each criterion can't see in the stages of a plan, in sentences: a person has to know it before.
    #[must_use]
    pub fn blind_spots(&self, plan: &RampPlan, counted: Counted) -> Vec<String> {
        let of_criterion = |one: &super::StagedCriterion| {
            let floors = self.floors(one, plan, counted);
            let too_high: Vec<_> = floors.into_iter().filter(|floor| floor.is_too_high()).collect();
            let (first, last) = (too_high.first()?, too_high.last()?);
            let until = if first.share == last.share {
                String::new()
            } else {
                format!(" The same goes for the stages up to {}.", last.share)
            };
            Some(format!("{}: {}.{until}", shown(&one.criterion.title), first.words()))
        };
        self.criteria.all.iter().filter_map(of_criterion).collect()
    }

    /// Whether the stages see enough requests at today's rate, in sentences about those that don't.
    #[must_use]
    pub fn too_short(&self, plan: &RampPlan, counted: Counted, requests_per_second: f64) -> Vec<String> {
        let too_short = plan.stages.iter().filter_map(|stage| {
            let duration = std::time::Duration::from_secs(u64::from(stage.duration_seconds));
            let rate = requests_per_second * f64::from(stage.share.0) / 100.0;
            let of_stage = |one: &super::StagedCriterion| {
                let is_asked = stage.criteria.iter().any(|asked| asked.name == one.criterion.name);
                let floor = detection_floor(one.statistic.filter(|_| is_asked)?, stage.share, counted);
                // What is taken for enough is the criterion's own.
                let requests_needed = match &one.criterion.question {
                    Question::Query(query) => query.min_samples,
                    _ => floor.requests_needed,
                };
                let floor = DetectionFloor { requests_needed, ..floor };
                let is_late = floor.enough_after(rate).is_none_or(|after| after > duration);
                is_late.then_some((floor.requests_needed, floor))
            };
            let slowest = self.criteria.all.iter().filter_map(of_stage).max_by_key(|(needed, _)| *needed);
            slowest.map(|(_, floor)| format!("At {} {}.", stage.share, floor.words_on_time(duration, rate)))
        });
        too_short.collect()
    }

    fn floors(&self, one: &super::StagedCriterion, plan: &RampPlan, counted: Counted) -> Vec<DetectionFloor> {
        let Some(statistic) = one.statistic else { return Vec::new() };
        let is_asked =
            |stage: &&StagePlan| stage.criteria.iter().any(|asked| asked.name == one.criterion.name);
        let stages = plan.stages.iter().filter(is_asked);
        stages.map(|stage| detection_floor(statistic, stage.share, counted)).collect()
    }
}

#[cfg(test)]
mod tests;
