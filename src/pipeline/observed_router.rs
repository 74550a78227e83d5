//! A traffic system whose every reading is observed, dated by when it was asked for.

use async_trait::async_trait;

use super::{Observed, Rollout};
use crate::clock::Clock;
use crate::execution::{ActError, ReadError, TrafficRouter};
use crate::incident::{Answer, Share};

/// The traffic system of a rollout, on behalf of a step: what the step reads back in between is
/// news for everybody, and only here is it known when it was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObservedRouter<'a> {
    pub(super) rollout: &'a Rollout,
    pub(super) observed: &'a Observed,
    pub(super) clock: &'a dyn Clock,
}

#[async_trait]
impl TrafficRouter for ObservedRouter<'_> {
    fn describe_set(&self, share: Share) -> String {
        self.rollout.router.describe_set(share)
    }

    async fn set_share(&self, share: Share) -> Result<Answer, ActError> {
        self.observed.request_sent(&self.rollout.name, self.clock.now());
        let sent = self.rollout.router.set_share(share).await;
        self.observed.request_answered(&self.rollout.name, &sent);
        sent
    }

    fn can_read(&self) -> bool {
        self.rollout.router.can_read()
    }

    async fn read_share(&self) -> Result<Share, ReadError> {
        let asked_at = self.observed.moment();
        let share = self.rollout.router.read_share().await;
        if let Ok(share) = &share {
            self.observed.share(&self.rollout.name, asked_at, Some(*share));
        }
        share
    }
}
