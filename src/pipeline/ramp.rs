//! Carries out what a ramp asks for.

use super::{Rollout, Worker};
use crate::decision::{Command, Input};
use crate::incident::{RampId, Step};

impl Worker {
    /// One change of a ramp. It enters the rollout's lane as a rollback does, so that whatever is decided later
    /// bars it.
    pub(super) async fn run_ramp_step(&self, rollout: &Rollout, ramp: RampId, step: Step) {
        // The states may be ahead of the disk. What is not stored must not raise a share: after a crash nobody
        // would know that there is a ramp, or how far it has come.
        if !self.journal.is_durable().await {
            return;
        }
        // What fired while nobody was there comes first: it may end the ramp.
        if !self.observed.were_alerts_asked(&rollout.name) {
            return;
        }
        let command = Command::RunRampStep { ramp: ramp.clone(), step };
        let Some(step) = self.act(rollout, &command, step).await else { return };
        self.report(&rollout.name, Input::RampStepEnded { ramp, step }).await;
        self.report(&rollout.name, Input::ShareRead).await;
    }
}
