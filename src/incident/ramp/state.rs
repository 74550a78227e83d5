//! The state of a ramp: the fold of its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Course, Criterion, Judgement, Promotion, RampPhase, RampPlan, StagePlan};
use crate::incident::{CriterionName, EvidenceFile, RampId, Share, Step};

/// One ramp: running, or the last that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    pub id: RampId,
    pub plan: Arc<RampPlan>,
    pub plan_sha256: String,
    pub started_at: DateTime<Utc>,
    pub started_by: String,
    pub started_through: String,
    pub again_because: Option<String>,
    pub warnings: Vec<String>,
    pub phase: RampPhase,
    pub ended_at: Option<DateTime<Utc>>,
    /// The place in the plan of the stage that runs, or whose share is being set.
    pub stage: usize,
    /// One for each stage that was entered, in order.
    pub stages: Vec<StageRecord>,
    /// The change that is under way.
    pub step: Option<Step>,
    pub last_step_ended_at: Option<DateTime<Utc>>,
    /// Why the last change is not tried again at once, and when it is.
    pub retry_at: Option<DateTime<Utc>>,
    /// How often in a row a change failed.
    pub failures: u32,
    pub paused: Option<Paused>,
    pub holding: Option<Holding>,
    /// For its record.
    #[serde(default, skip_serializing_if = "Course::is_empty")]
    pub course: Course,
    /// The record of the whole, once it is written.
    pub evidence: Vec<EvidenceFile>,
    /// What is missing of it, a tag for instance, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence_problems: Vec<String>,
}

/// That a person paused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    pub at: DateTime<Utc>,
    pub actor: String,
    pub words: Option<String>,
}

/// What people know of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    pub since: DateTime<Utc>,
    /// The cause, in sentences.
    pub detail: String,
    pub told_at: Option<DateTime<Utc>>,
    /// That it goes on for too long was reported.
    pub is_overdue_reported: bool,
}

/// A person's word that a stage may be left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub at: DateTime<Utc>,
    pub actor: String,
    pub through: String,
}

/// What became of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Its place in the plan.
    pub stage: usize,
    pub share: Share,
    /// When its share was read back; its clock runs since then.
    pub began_at: Option<DateTime<Utc>>,
    /// For how long its clock stood still.
    pub paused_seconds: i64,
    pub passed_at: Option<DateTime<Utc>>,
    /// The latest of each criterion.
    pub judgements: BTreeMap<CriterionName, Judgement>,
    pub approval: Option<Approval>,
    pub promotion: Option<Promotion>,
    /// When the person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_at: Option<DateTime<Utc>>,
    pub evidence: Vec<EvidenceFile>,
    /// What is missing of its evidence, or came otherwise, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence_problems: Vec<String>,
}

impl Ramp {
    /// The stages that are over and whose evidence is not written yet.
    pub fn unwritten_stages(&self) -> impl Iterator<Item = &StageRecord> {
        self.stages.iter().filter(|record| {
            let is_over = record.passed_at.is_some() || self.phase.has_ended();
            is_over && record.began_at.is_some() && record.evidence.is_empty()
        })
    }

    /// Whether it has ended and the record of the whole is not written yet; without a stage there is none.
    #[must_use]
    pub fn lacks_record(&self) -> bool {
        let has_begun = self.stages.iter().any(|record| record.began_at.is_some());
        self.phase.has_ended() && has_begun && self.evidence.is_empty()
    }

    /// Whether it has ended and part of its evidence is not written yet. The state holds one ramp: the next one
    /// takes its place.
    #[must_use]
    pub fn lacks_evidence(&self) -> bool {
        self.lacks_record() || (self.phase.has_ended() && self.unwritten_stages().next().is_some())
    }

    /// The plan of the stage that it is in.
    #[must_use]
    pub fn stage_plan(&self) -> Option<&StagePlan> {
        self.plan.stages.get(self.stage)
    }

    /// The share that the canary is meant to have now.
    #[must_use]
    pub fn share(&self) -> Share {
        self.stage_plan().map_or(Share::ZERO, |stage| stage.share)
    }

    /// The stage whose share was last read back as set.
    #[must_use]
    pub fn last_begun(&self) -> Option<&StageRecord> {
        self.stages.iter().rev().find(|record| record.began_at.is_some())
    }

    /// The share that was last read back as set; 0 % before the first.
    #[must_use]
    pub fn share_set(&self) -> Share {
        self.last_begun().map_or(Share::ZERO, |record| record.share)
    }

    /// When a stage's share was last read back as set.
    #[must_use]
    pub fn last_began_at(&self) -> Option<DateTime<Utc>> {
        self.last_begun()?.began_at
    }

    /// Whether its stage is the plan's last.
    #[must_use]
    pub fn is_in_last_stage(&self) -> bool {
        self.stage + 1 >= self.plan.stages.len()
    }

    /// Whether its last stage has passed, and what comes last is being done.
    #[must_use]
    pub fn is_finishing(&self) -> bool {
        match self.phase {
            RampPhase::Finishing => true,
            // It may be held there, too.
            RampPhase::StageHolding { .. } => {
                self.is_in_last_stage() && self.record().is_some_and(|record| record.passed_at.is_some())
            }
            RampPhase::Starting
            | RampPhase::StageRunning
            | RampPhase::Succeeded
            | RampPhase::RolledBack { .. }
            | RampPhase::Aborted { .. }
            | RampPhase::EndedOutside { .. } => false,
        }
    }

    /// For how long nothing of it has changed: since its start, its last change, or the end of a stage.
    #[must_use]
    pub fn unchanged_for(&self, now: DateTime<Utc>) -> TimeDelta {
        let passed = self.stages.iter().filter_map(|record| record.passed_at).max();
        let changed_at = [Some(self.started_at), self.last_step_ended_at, passed].into_iter().max().flatten();
        let unchanged = now - changed_at.unwrap_or(self.started_at);
        // Of a clock that was set back nobody knows; who waits for a while has waited.
        if unchanged < TimeDelta::zero() { TimeDelta::MAX } else { unchanged }
    }

    /// The record of the stage that it is in.
    #[must_use]
    pub fn record(&self) -> Option<&StageRecord> {
        self.record_of(self.stage)
    }

    /// The record of the stage at this place in the plan; `None`: it was not entered.
    #[must_use]
    pub fn record_of(&self, stage: usize) -> Option<&StageRecord> {
        self.stages.iter().rev().find(|record| record.stage == stage)
    }

    /// The latest verdicts on the stage that it is in.
    #[must_use]
    pub fn judgements(&self) -> Vec<Judgement> {
        self.record().into_iter().flat_map(|record| record.judgements.values().cloned()).collect()
    }

    /// What the stage at this place in the plan is judged by.
    #[must_use]
    pub fn criteria_of(&self, stage: usize) -> &[Criterion] {
        self.plan.stages.get(stage).map_or(&[], |stage| &stage.criteria)
    }

    /// When its stage's clock started; `None`: its share was not read back yet.
    #[must_use]
    pub fn stage_began_at(&self) -> Option<DateTime<Utc>> {
        self.record()?.began_at
    }

    /// For how long the clock of its stage has run at `now`; `None`: it has not started.
    #[must_use]
    pub fn stage_elapsed(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let record = self.record()?;
        let until = self.paused.as_ref().map_or(now, |paused| paused.at);
        let stood_still = TimeDelta::seconds(record.paused_seconds);
        Some((until - record.began_at? - stood_still).max(TimeDelta::zero()))
    }

    /// When its stage will have lasted its time; `None` while its clock does not run.
    #[must_use]
    pub fn stage_ends_at(&self) -> Option<DateTime<Utc>> {
        let record = self.record().filter(|_| self.paused.is_none())?;
        let lasts = i64::from(self.stage_plan()?.duration_seconds) + record.paused_seconds;
        Some(record.began_at? + TimeDelta::seconds(lasts))
    }

    /// The criterion of this name in the stage that it is in.
    #[must_use]
    pub fn criterion(&self, name: &CriterionName) -> Option<&Criterion> {
        self.criteria_of(self.stage).iter().find(|criterion| criterion.name == *name)
    }
}
