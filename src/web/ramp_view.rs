//! A ramp as the API shows it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::incident::{
    Approval, Criterion, EvidenceFile, GateReason, GateVerdict, HoldReason, Judgement, OnFail, Paused,
    Promotion, Question, Ramp, RampPhase, RolloutName, StageRecord, Unit,
};

/// A ramp as JSON: the one that runs, or the last that ran. The command line parses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RampView {
    pub id: String,
    pub rollout: String,
    pub revision: String,
    /// Where it stands, by name.
    pub state: String,
    /// Where it stands, in a sentence.
    pub state_sentence: String,
    /// Whether it runs; what ended does nothing more.
    pub is_running: bool,
    /// In the answer to a person's request: whether it is stored. If not, it is acted upon, and forgotten
    /// if the process ends before the store can be written again.
    #[serde(default = "super::view::yes")]
    pub durable: bool,
    pub started_at: DateTime<Utc>,
    pub started_by: String,
    /// Through what: the command line, the API.
    pub started_through: String,
    /// Why, in spite of an earlier rollback of the revision.
    pub again_because: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
    /// The stage that it is in, from 1, of how many.
    pub stage: usize,
    pub stages_total: usize,
    /// The share of that stage, in per cent.
    pub share_percent: u8,
    /// When that share was read back; none before.
    pub stage_began_at: Option<DateTime<Utc>>,
    /// When the stage will have lasted its time; none while its clock does not run.
    pub stage_ends_at: Option<DateTime<Utc>>,
    /// How much of its time is left; none before it began.
    pub stage_seconds_left: Option<i64>,
    /// The server's time as it answered: what is due counts from it.
    pub now: DateTime<Utc>,
    /// Why it holds, by name; the first counts most.
    pub holds: Vec<HoldReason>,
    pub hold_detail: Option<String>,
    pub holds_since: Option<DateTime<Utc>>,
    /// What the stage is judged by, in the plan's order.
    pub criteria: Vec<CriterionView>,
    /// Whether the stage is left only once a person has approved.
    pub needs_approval: bool,
    pub approval: Option<Approval>,
    pub promotion: Option<Promotion>,
    pub paused: Option<Paused>,
    /// What whoever started it was warned of.
    pub warnings: Vec<String>,
    /// Every stage of the plan, in order; those that were skipped have no times.
    pub stages: Vec<StageView>,
    /// The incident of the rollback that ended it, if one did.
    pub incident: Option<String>,
    /// SHA-256 of the plan, in hex.
    pub plan_sha256: String,
    /// The record of the whole, once it is written; each stage has its own.
    pub evidence: Vec<EvidenceFile>,
    /// What is missing of the evidence of its stages and of the whole, in sentences.
    #[serde(default)]
    pub evidence_problems: Vec<String>,
}

/// One pass criterion, and what became of it last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriterionView {
    pub name: String,
    pub title: String,
    pub on_fail: OnFail,
    /// Whether it can hold the ramp and nothing more.
    pub is_advisory: bool,
    /// The last value, in `unit`; none where the answer is no number.
    pub value: Option<f64>,
    /// As in `<`, with `threshold`: what the value has to be.
    pub sign: Option<String>,
    pub threshold: Option<f64>,
    pub unit: Option<Unit>,
    pub verdict: GateVerdict,
    pub reason: GateReason,
    /// What was seen, in words; empty before it was asked.
    pub detail: String,
    pub judged_at: Option<DateTime<Utc>>,
}

/// One stage of the plan, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageView {
    pub share_percent: u8,
    pub duration_seconds: u32,
    pub began_at: Option<DateTime<Utc>>,
    pub passed_at: Option<DateTime<Utc>>,
    /// For how long its clock stood still.
    pub paused_seconds: i64,
    pub evidence: Vec<EvidenceFile>,
}

impl RampView {
    /// As it stands at `now`. `latest`: what was found when the criteria were last asked, where that is
    /// known; else the verdicts as they are stored count, whose values are those of their last change.
    #[must_use]
    pub fn new(rollout: &RolloutName, ramp: &Ramp, latest: &[Judgement], now: DateTime<Utc>) -> Self {
        let (holding, record) = (ramp.holding.as_ref(), ramp.record());
        let (stage_plan, elapsed) = (ramp.stage_plan(), ramp.stage_elapsed(now));
        let is_running = !ramp.phase.has_ended();
        let left = elapsed
            .zip(stage_plan)
            .filter(|_| is_running)
            .map(|(elapsed, stage)| (i64::from(stage.duration_seconds) - elapsed.num_seconds()).max(0));
        let criteria = ramp.criteria_of(ramp.stage);
        Self {
            id: ramp.id.to_string(),
            rollout: rollout.to_string(),
            revision: ramp.plan.revision.to_string(),
            state: ramp.phase.as_str().to_owned(),
            state_sentence: ramp.phase.sentence(),
            is_running,
            durable: true,
            started_at: ramp.started_at,
            started_by: ramp.started_by.clone(),
            started_through: ramp.started_through.clone(),
            again_because: ramp.again_because.clone(),
            ended_at: ramp.ended_at,
            stage: ramp.stage + 1,
            stages_total: ramp.plan.stages.len(),
            share_percent: ramp.share().0,
            stage_began_at: ramp.stage_began_at(),
            stage_ends_at: ramp.stage_ends_at().filter(|_| is_running),
            stage_seconds_left: left,
            now,
            holds: ramp.phase.holds_for().to_vec(),
            hold_detail: holding.map(|holding| holding.detail.clone()).filter(|detail| !detail.is_empty()),
            holds_since: holding.map(|holding| holding.since),
            criteria: criteria.iter().map(|one| CriterionView::new(one, record, latest)).collect(),
            needs_approval: stage_plan.is_some_and(crate::incident::StagePlan::needs_a_person),
            approval: record.and_then(|record| record.approval.clone()),
            promotion: record.and_then(|record| record.promotion.clone()),
            paused: ramp.paused.clone(),
            warnings: ramp.warnings.clone(),
            stages: stages(ramp),
            incident: match &ramp.phase {
                RampPhase::RolledBack { incident } | RampPhase::Aborted { incident: Some(incident), .. } => {
                    Some(incident.to_string())
                }
                _ => None,
            },
            plan_sha256: ramp.plan_sha256.clone(),
            evidence: ramp.evidence.clone(),
            evidence_problems: evidence_problems(ramp),
        }
    }
}

fn evidence_problems(ramp: &Ramp) -> Vec<String> {
    let of_stages = ramp.stages.iter().flat_map(|record| &record.evidence_problems);
    of_stages.chain(&ramp.evidence_problems).cloned().collect()
}

fn stages(ramp: &Ramp) -> Vec<StageView> {
    let stages = ramp.plan.stages.iter().enumerate().map(|(number, stage)| {
        let record = ramp.record_of(number);
        StageView {
            share_percent: stage.share.0,
            duration_seconds: stage.duration_seconds,
            began_at: record.and_then(|record| record.began_at),
            passed_at: record.and_then(|record| record.passed_at),
            paused_seconds: record.map_or(0, |record| record.paused_seconds),
            evidence: record.map(|record| record.evidence.clone()).unwrap_or_default(),
        }
    });
    stages.collect()
}

impl CriterionView {
    fn new(criterion: &Criterion, record: Option<&StageRecord>, latest: &[Judgement]) -> Self {
        let stored = record.and_then(|record| record.judgements.get(&criterion.name));
        let asked = latest.iter().find(|judgement| judgement.criterion == criterion.name);
        let newest = [stored, asked].into_iter().flatten().max_by_key(|judgement| judgement.judged_at);
        let approval = record.filter(|_| criterion.question == Question::Approval);
        let approval = approval.map(|record| record.approval.as_ref());
        let (verdict, reason) = match (newest, approval) {
            (_, Some(Some(_))) => (GateVerdict::Pass, GateReason::Approved),
            (_, Some(None)) => (GateVerdict::Unknown, GateReason::NotApproved),
            (Some(judgement), None) => (judgement.verdict, judgement.reason),
            (None, None) => (GateVerdict::Unknown, GateReason::NotAsked),
        };
        let query = match &criterion.question {
            Question::Query(query) => Some(query),
            _ => None,
        };
        Self {
            name: criterion.name.to_string(),
            title: criterion.title.clone(),
            on_fail: criterion.on_fail,
            is_advisory: criterion.is_advisory,
            value: newest.and_then(|judgement| judgement.value),
            sign: query.map(|query| query.bound.sign().to_owned()),
            threshold: query.map(|query| query.bound.threshold()),
            unit: query.map(|query| query.unit),
            verdict,
            reason,
            detail: newest.map(|judgement| judgement.detail.clone()).unwrap_or_default(),
            judged_at: newest.map(|judgement| judgement.judged_at),
        }
    }
}

#[cfg(test)]
mod tests;
