//! Where a ramp stands.

use serde::{Deserialize, Serialize};

use crate::incident::{HoldReason, IncidentId};
use crate::text::shown;

/// Where a ramp stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RampPhase {
    /// Its first share is being set.
    Starting,
    /// A stage's share is set, or is being set, and nothing is in its way.
    StageRunning,
    /// It stays in its stage; the first reason is the one that counts most. Since when is in
    /// [`Holding`](super::Holding).
    StageHolding {
        reasons: Vec<HoldReason>,
    },
    /// Its last stage has passed; what comes last is being done.
    Finishing,
    Succeeded,
    RolledBack {
        incident: IncidentId,
    },
    /// A person ended it.
    Aborted {
        actor: String,
        words: String,
        incident: Option<IncidentId>,
    },
    /// Somebody else took the traffic off the canary.
    EndedOutside {
        detail: String,
    },
}

impl RampPhase {
    /// The text used in JSON, logs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::StageRunning => "stage_running",
            Self::StageHolding { .. } => "stage_holding",
            Self::Finishing => "finishing",
            Self::Succeeded => "succeeded",
            Self::RolledBack { .. } => "rolled_back",
            Self::Aborted { .. } => "aborted",
            Self::EndedOutside { .. } => "ended_outside",
        }
    }

    /// What it holds for; nothing while it does not.
    #[must_use]
    pub fn holds_for(&self) -> &[HoldReason] {
        match self {
            Self::StageHolding { reasons } => reasons,
            Self::Starting
            | Self::StageRunning
            | Self::Finishing
            | Self::Succeeded
            | Self::RolledBack { .. }
            | Self::Aborted { .. }
            | Self::EndedOutside { .. } => &[],
        }
    }

    /// Whether nothing more is done for it but to write its evidence.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match self {
            Self::Starting | Self::StageRunning | Self::StageHolding { .. } | Self::Finishing => false,
            Self::Succeeded | Self::RolledBack { .. } | Self::Aborted { .. } | Self::EndedOutside { .. } => {
                true
            }
        }
    }

    /// Where it stands, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Starting => "Its first share is being set.".to_owned(),
            Self::StageRunning => "Its stage runs.".to_owned(),
            Self::StageHolding { reasons } => {
                let meanings: Vec<_> = reasons.iter().map(|reason| reason.meaning()).collect();
                format!("It holds. {}", meanings.join(" "))
            }
            Self::Finishing => "Its last stage has passed, and what comes last is being done.".to_owned(),
            Self::Succeeded => "It has succeeded: the revision has all of the traffic.".to_owned(),
            Self::RolledBack { incident } => format!("It was rolled back, see incident {incident}."),
            Self::Aborted { actor, words, .. } => {
                format!("{} aborted it: {}", shown(actor), shown(words))
            }
            Self::EndedOutside { detail } => format!("Somebody else ended it: {}", shown(detail)),
        }
    }
}
