//! What was made sure of since the last observation, without another one.

use chrono::{DateTime, Utc};

use super::Observed;
use crate::clock::Moment;
use crate::incident::{RolloutName, Share};

impl Observed {
    /// Records a share that was read beside the revision of the latest observation, by a question that was
    /// asked at `asked_at`.
    pub fn glanced(&self, rollout: &RolloutName, asked_at: Moment, share: Share) {
        self.share(rollout, asked_at, Some(share));
        self.lock().glances.insert(rollout.clone(), asked_at);
    }

    /// When the revision was last asked for that the latest observation saw, on the wall clock that shows `now`.
    #[must_use]
    pub fn revision_seen_at(&self, rollout: &RolloutName, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let inner = self.lock();
        let observed_at = inner.observations.get(rollout).map(|(at, _)| *at)?;
        let glanced_at = inner.glances.get(rollout).copied();
        Some(self.on_wall(glanced_at.map_or(observed_at, |at| at.max(observed_at)), now))
    }
}
