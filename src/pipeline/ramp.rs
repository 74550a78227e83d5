//! Carries out what a ramp asks for.

use super::observed_target::{ActedOn, ObservedTarget};
use super::{Rollout, Worker};
use crate::decision::{Command, Input};
use crate::execution::run_step;
use crate::incident::{RampId, Step};

impl Worker {
    /// One change of a ramp. It enters the rollout's lane as a rollback does, so that whatever is decided later
    /// bars it.
    pub(super) async fn run_ramp_step(&self, rollout: &Rollout, ramp: RampId, step: Step) {
        let command = Command::RunRampStep { ramp: ramp.clone(), step };
        let permit = self.asks_for(rollout, &command).and_then(|epoch| rollout.lane.enter(epoch));
        let Some(permit) = permit else {
            tracing::info!(step = step.as_str(), "it is not asked for any more: left");
            return;
        };
        let clock = self.clock.as_ref();
        let target = ObservedTarget { rollout, observed: &self.observed, clock };
        let is_asked_for = || self.asks_for(rollout, &command).is_some();
        let target = ActedOn { target, permit, is_asked_for };
        let step = run_step(&target, step, clock, rollout.step_limits, || self.randomness.jitter()).await;
        self.report(&rollout.name, Input::RampStepEnded { ramp, step }).await;
        self.report(&rollout.name, Input::ShareRead).await;
    }
}
