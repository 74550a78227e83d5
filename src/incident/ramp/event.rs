//! What can happen to a ramp. Stored; see [`crate::incident::Event`] for what that binds to.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{GateVerdict, HoldReason, Judgement, RampPlan};
use crate::incident::{CriterionName, EvidenceFile, IncidentId, Share, Step, StepRecord};

/// What a ramp starts with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RampStarted {
    pub plan: Arc<RampPlan>,
    /// Of the plan as JSON, in hex: what the evidence names it by.
    pub plan_sha256: String,
    pub actor: String,
    /// Through what: the command line, the API, Slack.
    pub through: String,
    /// Why it is started in spite of an earlier rollback of the revision, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_because: Option<String>,
    /// What the person was warned of, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// That a person shortened a stage, or went on in spite of its gates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    pub actor: String,
    /// To the last stage at once.
    pub is_full: bool,
    /// Why, where the gates did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What was in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_spite_of: Vec<HoldReason>,
    /// The criteria that did not pass, each with the verdict that the person knew.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_spite_of_criteria: BTreeMap<CriterionName, GateVerdict>,
}

impl Promotion {
    /// Whether what is in the way now was in the way then. Of criteria each is asked for by its name: "in spite
    /// of the gates" would let through what fails only later.
    #[must_use]
    pub fn overrules(&self, reason: HoldReason) -> bool {
        self.in_spite_of.contains(&reason) && !reason.is_of_criteria()
    }

    /// Whether the person knew that this criterion does not pass. Who went on in spite of a failing one has
    /// nothing to lose by one that can't be judged; who went on without a verdict has not seen it fail.
    #[must_use]
    pub fn overrules_criterion(&self, name: &CriterionName, verdict: GateVerdict) -> bool {
        match self.in_spite_of_criteria.get(name) {
            Some(GateVerdict::Fail) => true,
            Some(GateVerdict::Unknown) => verdict != GateVerdict::Fail,
            Some(GateVerdict::Pass) | None => false,
        }
    }
}

/// What can happen to a ramp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum RampEvent {
    Started(RampStarted),
    /// A change begins. Without its end in the journal it may have been carried out.
    StepStarted {
        step: Step,
    },
    StepEnded {
        record: StepRecord,
    },
    /// The stage's share was read back as set: its clock starts.
    StageBegan {
        stage: usize,
    },
    /// Verdicts that differ from those stored before.
    Judged {
        stage: usize,
        judgements: Vec<Judgement>,
    },
    HoldStarted {
        reasons: Vec<HoldReason>,
        detail: String,
    },
    /// Nothing is in the way any more.
    HoldEnded,
    Paused {
        actor: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    Resumed {
        actor: String,
    },
    Approved {
        stage: usize,
        actor: String,
        through: String,
    },
    Promoted(Promotion),
    /// All that it takes to leave the stage is there, or a person said so; `judgements` are what it was left with.
    StagePassed {
        stage: usize,
        judgements: Vec<Judgement>,
    },
    /// The next stage's share is to be set.
    NextStage {
        stage: usize,
        share: Share,
    },
    /// The next share was not set in time: this stage, whose share the canary still has, is judged once more.
    StageReopened {
        stage: usize,
    },
    /// These files are the evidence of a stage; `stage` is none for the record of the whole.
    EvidenceWritten {
        stage: Option<usize>,
        files: Vec<EvidenceFile>,
        /// What is missing of it, or came otherwise, in sentences.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<String>,
    },
    /// The last stage has passed.
    Finishing,
    Succeeded,
    RolledBack {
        incident: IncidentId,
    },
    Aborted {
        actor: String,
        words: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    EndedOutside {
        detail: String,
    },
}

impl RampEvent {
    /// What it is called in logs and lists.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started(_) => "ramp_started",
            Self::StepStarted { .. } => "ramp_step_started",
            Self::StepEnded { .. } => "ramp_step_ended",
            Self::StageBegan { .. } => "ramp_stage_began",
            Self::Judged { .. } => "ramp_judged",
            Self::HoldStarted { .. } => "ramp_hold_started",
            Self::HoldEnded => "ramp_hold_ended",
            Self::Paused { .. } => "ramp_paused",
            Self::Resumed { .. } => "ramp_resumed",
            Self::Approved { .. } => "ramp_approved",
            Self::Promoted(_) => "ramp_promoted",
            Self::StagePassed { .. } => "ramp_stage_passed",
            Self::StageReopened { .. } => "ramp_stage_reopened",
            Self::NextStage { .. } => "ramp_next_stage",
            Self::EvidenceWritten { .. } => "ramp_evidence_written",
            Self::Finishing => "ramp_finishing",
            Self::Succeeded => "ramp_succeeded",
            Self::RolledBack { .. } => "ramp_rolled_back",
            Self::Aborted { .. } => "ramp_aborted",
            Self::EndedOutside { .. } => "ramp_ended_outside",
        }
    }
}
