//! A ramp's events in words.

use super::{GateVerdict, Judgement, RampEvent};
use crate::text::shown;

impl RampEvent {
    /// What happened, in half a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Started(started) => {
                let shares: Vec<_> =
                    started.plan.stages.iter().map(|stage| stage.share.0.to_string()).collect();
                let (actor, revision) = (shown(&started.actor), shown(started.plan.revision.as_str()));
                format!("{actor} ramps {revision}: {} %", shares.join(", "))
            }
            Self::StepStarted { step } => format!("the ramp begins to {}", step.words()),
            Self::StepEnded { record } => record.sentence(),
            Self::StageBegan { stage } => format!("stage {} begins: its share was read back", stage + 1),
            Self::Judged { judgements, .. } => {
                judgements.iter().map(Judgement::sentence).collect::<Vec<_>>().join("; ")
            }
            Self::HoldStarted { reasons, detail } => {
                let meanings: Vec<_> = reasons.iter().map(|reason| reason.meaning()).collect();
                format!("the ramp holds. {} {}", meanings.join(" "), shown(detail)).trim_end().to_owned()
            }
            Self::HoldEnded => "nothing is in the ramp's way any more".to_owned(),
            Self::Paused { actor, words } => {
                let words = words.as_ref().map(|words| format!(": {}", shown(words))).unwrap_or_default();
                format!("{} pauses the ramp{words}", shown(actor))
            }
            Self::Resumed { actor } => format!("{} lets the ramp go on", shown(actor)),
            Self::Approved { stage, actor, through } => {
                format!("{} approves stage {} through {}", shown(actor), stage + 1, shown(through))
            }
            Self::Promoted(promotion) => {
                let to = if promotion.is_full { "to the last stage" } else { "to the next stage" };
                let words =
                    promotion.words.as_ref().map(|words| format!(": {}", shown(words))).unwrap_or_default();
                format!("{} promotes the ramp {to}{words}", shown(&promotion.actor))
            }
            Self::StagePassed { stage, .. } => format!("stage {} is passed", stage + 1),
            Self::StageReopened { stage } => format!(
                "stage {} is judged once more: it passed too long ago to raise the share by it",
                stage + 1
            ),
            Self::NextStage { stage, share } => format!("stage {} follows: {share}", stage + 1),
            Self::EvidenceWritten { stage: Some(stage), files, .. } => {
                format!("the evidence of stage {} is written: {} files", stage + 1, files.len())
            }
            Self::EvidenceWritten { stage: None, files, .. } => {
                format!("the record of the ramp is written: {} files", files.len())
            }
            Self::Finishing => "the last stage is passed; what comes last is being done".to_owned(),
            Self::Succeeded => "the ramp has succeeded".to_owned(),
            Self::RolledBack { incident } => {
                format!("the ramp ends with the rollback of incident {incident}")
            }
            Self::Aborted { actor, words, .. } => {
                format!("{} aborts the ramp: {}", shown(actor), shown(words))
            }
            Self::EndedOutside { detail } => format!("somebody else ended the ramp: {}", shown(detail)),
        }
    }
}

impl Judgement {
    /// Such as `api-p95 passes: 0.12 s < 0.2 s`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let verdict = match self.verdict {
            GateVerdict::Pass => "passes",
            GateVerdict::Fail => "fails",
            GateVerdict::Unknown => "can't be judged",
        };
        format!("{} {verdict}: {}", shown(self.criterion.as_str()), shown(&self.detail))
    }
}
