//! All criteria of a stage, asked together.

use super::{Gate, KeptFile, StageSpan};
use crate::incident::Judgement;

/// What was answered to a stage's criteria at one time, and what that says.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// Every answer is judged as of its time.
    pub span: StageSpan,
    /// In the plan's order. A criterion that was not asked yet is missing: that is no pass.
    pub gates: Vec<Gate>,
    /// What the answers left beside themselves.
    pub kept: Vec<KeptFile>,
}

impl Round {
    /// What each criterion that was asked got.
    #[must_use]
    pub fn judgements(&self) -> Vec<Judgement> {
        self.gates.iter().map(|gate| gate.judgement.clone()).collect()
    }
}
