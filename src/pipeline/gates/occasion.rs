//! When the criteria of a stage are asked.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::{Ramp, RampId};

/// What a round was asked for. On another occasion nobody waits for the next round: a person who promotes a
/// ramp has it judged at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Occasion {
    ramp: RampId,
    stage: usize,
    /// A stage may begin anew: what was answered before says nothing of it then.
    began_at: Option<DateTime<Utc>>,
    is_paused: bool,
    is_approved: bool,
    is_promoted: bool,
}

impl Occasion {
    pub(super) fn of(ramp: &Ramp) -> Self {
        let record = ramp.record();
        Self {
            ramp: ramp.id.clone(),
            stage: ramp.stage,
            began_at: ramp.stage_began_at(),
            is_paused: ramp.paused.is_some(),
            is_approved: record.is_some_and(|record| record.approval.is_some()),
            is_promoted: record.is_some_and(|record| record.promotion.is_some()),
        }
    }

    /// Whether a person said that the stage may be left.
    pub(super) fn is_promoted(&self) -> bool {
        self.is_promoted
    }

    /// Whether it is about the same stage of the same ramp, since the same beginning.
    pub(super) fn is_same_stage(&self, other: &Self) -> bool {
        (&self.ramp, self.stage, self.began_at) == (&other.ramp, other.stage, other.began_at)
    }
}

/// When the next round begins, after one at `last`: after the interval, and as the stage has lasted its time.
pub(super) fn next_round(
    ramp: &Ramp,
    last: Option<(DateTime<Utc>, &Occasion)>,
    interval: Duration,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let Some((at, _)) = last.filter(|(at, occasion)| *at <= now && **occasion == Occasion::of(ramp)) else {
        return now;
    };
    let after_interval = at + TimeDelta::from_std(interval).unwrap_or(TimeDelta::MAX);
    ramp.stage_ends_at()
        .filter(|ends_at| *ends_at > at)
        .map_or(after_interval, |ends| ends.min(after_interval))
}
