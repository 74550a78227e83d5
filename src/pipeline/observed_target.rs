//! A traffic system whose every reading is observed, dated by when it was asked for.

use async_trait::async_trait;

use super::{Observed, Rollout};
use crate::clock::Clock;
use crate::execution::{ActError, ReadError, Target};
use crate::incident::{Answer, Observation, Step};

/// The traffic system of a rollout, on behalf of a step: what the step reads back in between is
/// news for everybody, and only here is it known when it was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObservedTarget<'a> {
    pub(super) rollout: &'a Rollout,
    pub(super) observed: &'a Observed,
    pub(super) clock: &'a dyn Clock,
}

#[async_trait]
impl Target for ObservedTarget<'_> {
    fn describe(&self, step: Step) -> String {
        self.rollout.target.describe(step)
    }

    async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        self.observed.request_sent(&self.rollout.name, self.clock.now());
        let sent = self.rollout.target.apply(step).await;
        self.observed.request_answered(&self.rollout.name, &sent);
        sent
    }

    fn can_observe(&self) -> bool {
        self.rollout.target.can_observe()
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        let asked_at = self.observed.moment();
        let observation = self.rollout.target.observe().await?;
        self.observed.target(&self.rollout.name, asked_at, observation.clone());
        Ok(observation)
    }
}
