//! Decides about a ramp: whether it may start, when a stage is over, why it holds, when it ends.
//!
//! A stage is left only by [`judged`], on verdicts of this moment; everything else can hold it, end it, or
//! wait. What is not known holds, and an alert acts whatever the ramp does.

mod change;
mod holds;
mod inputs;
mod refusal;
mod requests;
mod review;
mod start;

use std::sync::Arc;

use chrono::TimeDelta;

pub use change::canary_replicas;
pub(super) use inputs::{evidence_written, judged, step_due, step_ended};
pub use refusal::{RampRefusal, RampRefusalName};
pub(super) use requests::asked;
pub(super) use review::review;

use super::Draft;
use crate::incident::{
    Event, NoticeFact, Ramp, RampEvent, RampFact, RampId, RampPhase, RampPlan, RampSaid, Share,
};

/// What a person may ask of a ramp.
#[derive(Debug, Clone, PartialEq)]
pub enum RampRequest {
    Start(Box<RampStart>),
    /// Stop its stage's clock, and nothing else.
    Pause {
        words: Option<String>,
    },
    Resume,
    /// Say that its stage may be left.
    Approve {
        /// Through what: the command line, the API, Slack.
        through: String,
    },
    /// Enough waiting: leave the stage once its gates pass, without its remaining time.
    Promote {
        /// To the last stage at once.
        is_full: bool,
        /// In spite of gates that don't pass; then `words` say why.
        is_forced: bool,
        words: Option<String>,
    },
    /// End it with a rollback.
    Abort {
        words: String,
    },
}

/// What a ramp is to be, and what was found out before it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RampStart {
    pub plan: Arc<RampPlan>,
    /// Of the plan as JSON, in hex.
    pub plan_sha256: String,
    pub through: String,
    /// Why, in spite of an earlier rollback of the revision.
    pub again_because: Option<String>,
    /// The person has read the warnings that have to be confirmed.
    pub is_confirmed: bool,
    /// Criteria whose question has no answer, each in a sentence.
    pub unanswered: Vec<String>,
    /// What has to be confirmed: bad versions that these stages can't show.
    pub to_be_confirmed: Vec<String>,
    /// What the person is told and nothing follows from.
    pub warnings: Vec<String>,
}

impl Draft<'_> {
    /// The ramp that runs, with everything drafted so far.
    pub(super) fn ramp(&self) -> Option<&Ramp> {
        self.state.running_ramp()
    }

    /// The same to hold on to while events are drafted: it is copied only as they change it.
    pub(super) fn ramp_now(&self) -> Option<Arc<Ramp>> {
        self.state.ramp.as_ref().filter(|ramp| !ramp.phase.has_ended()).cloned()
    }

    pub(super) fn ramp_event(&mut self, ramp: &RampId, happened: RampEvent) {
        self.rollout_event(Event::Ramp { ramp: ramp.clone(), happened });
    }

    /// Tells people something of the last ramp.
    pub(super) fn ramp_notice(&mut self, said: RampSaid) {
        let Some(ramp) = &self.state.ramp else { return };
        let share = ramp.share();
        self.ramp_notice_at(share, said);
    }

    /// The same of a stage that need not be the one that it is in.
    pub(super) fn ramp_notice_at(&mut self, share: Share, said: RampSaid) {
        let Some(ramp) = &self.state.ramp else { return };
        let (id, revision) = (ramp.id.clone(), ramp.plan.revision.clone());
        self.rollout_notice(NoticeFact::Ramp(RampFact { ramp: id, revision, share, said }));
    }
}

/// Whether what has all of the traffic is no canary any more: its ramp succeeded so long ago that its alerts
/// lead to no rollback of their own.
pub(super) fn is_released(draft: &Draft<'_>) -> bool {
    let Some(ramp) = draft.state.ramp.as_ref().filter(|ramp| ramp.phase == RampPhase::Succeeded) else {
        return false;
    };
    let watched = TimeDelta::seconds(i64::from(ramp.plan.watch_after_seconds));
    let is_past = ramp.ended_at.is_some_and(|ended_at| ended_at + watched <= draft.now());
    // Where it can't be read, it is what the ramp left: what has served everybody since is no canary.
    let has_all = draft.share_read().0.is_none_or(|share| share == Share::ALL);
    is_past && has_all && ramp.plan.revision == *draft.context.revision
}

#[cfg(test)]
mod tests;
