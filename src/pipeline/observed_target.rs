//! A rollout's target whose every reading is observed, dated by when it was asked for.

use async_trait::async_trait;

use super::{Observed, Rollout};
use crate::clock::Clock;
use crate::execution::{ActError, Permit, ReadError, Target};
use crate::incident::{Answer, Observation, Share, Step};

/// The target of a rollout for those who look: what they see is news for everybody, and only here is it
/// known when it was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObservedTarget<'a> {
    pub(super) rollout: &'a Rollout,
    pub(super) observed: &'a Observed,
    pub(super) clock: &'a dyn Clock,
}

impl ObservedTarget<'_> {
    pub(super) async fn observe(&self) -> Result<Observation, ReadError> {
        let asked_at = self.observed.moment();
        let observation = self.rollout.lane.target().observe().await?;
        self.observed.target(&self.rollout.name, asked_at, observation.clone());
        Ok(observation)
    }
}

impl ObservedTarget<'_> {
    /// Makes sure, with as few reads as possible, that the canary has traffic and is the revision that the last
    /// observation saw; `None`: it takes a whole observation to know.
    ///
    /// Only of a canary with traffic: that it has none depends on more than is seen at a glance.
    pub(super) async fn glance(&self) -> Option<Share> {
        let name = &self.rollout.name;
        let (_, known) = self.observed.observation(name, self.clock.now())?;
        let known = known.revision.as_ref()?;
        let asked_at = self.observed.moment();
        let glance = self.rollout.lane.target().glance().await?;
        let is_same = glance.revision.as_ref() == Some(known) && glance.share > Share::ZERO;
        is_same.then(|| self.observed.glanced(name, asked_at, glance.share))?;
        Some(glance.share)
    }
}

/// The same on behalf of a step, as long as it is asked for.
pub(super) struct ActedOn<'a, F> {
    pub(super) target: ObservedTarget<'a>,
    pub(super) permit: Permit,
    /// Whether the state still asks for the step. One of an incident that has closed meanwhile is not tried
    /// again: what it would strike may be another revision.
    pub(super) is_asked_for: F,
}

impl<F> std::fmt::Debug for ActedOn<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActedOn").field("permit", &self.permit).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F: Fn() -> bool + Send + Sync> Target for ActedOn<'_, F> {
    fn describe(&self, step: Step) -> String {
        self.permit.describe(step)
    }

    async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        let ObservedTarget { rollout, observed, clock } = self.target;
        if !(self.is_asked_for)() {
            let text = "the incident asks for it no longer".to_owned();
            return Err(ActError::NotNow(Answer { status: None, text }));
        }
        observed.request_sent(&rollout.name, clock.now());
        let sent = self.permit.apply(step).await;
        observed.request_answered(&rollout.name, &sent);
        sent
    }

    fn can_observe(&self) -> bool {
        self.target.rollout.lane.target().can_observe()
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        self.target.observe().await
    }
}
