//! Carries out what a ramp asks for.

use super::perform::READ_TIMEOUT;
use super::{Rollout, Worker};
use crate::decision::{Command, Input};
use crate::execution::StepLimits;
use crate::incident::{RampId, Step, StepRecord};

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
        self.report(&rollout.name, Input::RampStepDue { ramp: ramp.clone(), step }).await;
        if self.asks_for(rollout, &command).is_none() {
            return;
        }
        // Once: whatever comes of it, the next look says whether it is still to be done. A second order could undo
        // what a person has set in between.
        let limits = StepLimits { max_attempts: 1, ..rollout.step_limits };
        let ended = match self.was_changed_by_others(rollout, &ramp, step).await {
            Some(record) => Some(record),
            None => self.act(rollout, &command, step, limits).await,
        };
        let Some(step) = ended else { return };
        self.report(&rollout.name, Input::RampStepEnded { ramp, step }).await;
        self.report(&rollout.name, Input::ShareRead).await;
    }

    /// The end of a step that sets a share where the canary has neither that share nor the one before: somebody
    /// else has set another one since it was decided, which may have been before a restart.
    async fn was_changed_by_others(
        &self,
        rollout: &Rollout,
        ramp: &RampId,
        step: Step,
    ) -> Option<StepRecord> {
        let wanted = step.sets_share()?;
        let has = self.share_reader.observed_within(rollout, READ_TIMEOUT).await;
        let states = self.journal.states();
        let known = states.get(&rollout.name)?.running_ramp().filter(|known| known.id == *ramp)?;
        let is_as_known = has.is_some_and(|share| share == wanted || share == known.share_set());
        (!is_as_known).then(|| StepRecord::not_begun(step, self.clock.now(), has))
    }
}
