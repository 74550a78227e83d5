//! How each rollout's ramp stands. The last one's marks stay after its end; all else is 0 then.

use chrono::{DateTime, Utc};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{OfRollout, RolloutReason};
use super::{Metrics, touch};
use crate::incident::{HoldReason, Ramp, RolloutName, RolloutState, Stage};

/// The gauges of ramps, by rollout.
#[derive(Debug, Default)]
pub(super) struct Ramps {
    stage: Family<OfRollout, Gauge>,
    share_percent: Family<OfRollout, Gauge>,
    stage_started: Family<OfRollout, Gauge>,
    stage_ends: Family<OfRollout, Gauge>,
    holding: Family<RolloutReason, Gauge>,
}

impl Ramps {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "ramp_stage",
            "The protocol's stage of the ramp's share, 1 to 5; 0 without a ramp",
            self.stage.clone(),
        );
        registry.register(
            "ramp_share_percent",
            "The canary's share as the ramp set it last; 0 without a ramp",
            self.share_percent.clone(),
        );
        registry.register(
            "ramp_stage_started_timestamp_seconds",
            "When a stage's share was last read back as set; 0 before the first",
            self.stage_started.clone(),
        );
        registry.register(
            "ramp_stage_ends_timestamp_seconds",
            "When the stage will have lasted its time; 0 while its clock does not run",
            self.stage_ends.clone(),
        );
        registry.register("ramp_holding", "1 while the ramp holds for this reason", self.holding.clone());
    }

    pub(super) fn initialise(&self, rollout: &RolloutName) {
        for of_rollout in [&self.stage, &self.share_percent, &self.stage_started, &self.stage_ends] {
            touch(of_rollout, &OfRollout { rollout: rollout.to_string() });
        }
        for reason in HoldReason::ALL {
            touch(&self.holding, &of_reason(rollout, *reason));
        }
    }
}

fn of_reason(rollout: &RolloutName, reason: HoldReason) -> RolloutReason {
    RolloutReason { rollout: rollout.to_string(), reason: reason.to_string() }
}

fn seconds(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(0, |at| at.timestamp())
}

impl Metrics {
    pub(super) fn ramp(&self, rollout: &RolloutName, state: &RolloutState) {
        let (ramps, running) = (&self.families.ramps, state.running_ramp());
        let last = state.ramp.as_deref();
        let share = running.map_or(0, |ramp| ramp.share_set().0);
        let stage = Stage::from_share(share).map_or(0, Stage::number);
        for (family, value) in [
            (&ramps.stage, i64::from(stage)),
            (&ramps.share_percent, i64::from(share)),
            (&ramps.stage_started, seconds(last.and_then(Ramp::last_began_at))),
            (&ramps.stage_ends, seconds(running.and_then(Ramp::stage_ends_at))),
        ] {
            family.get_or_create_owned(&OfRollout { rollout: rollout.to_string() }).set(value);
        }
        let held_for = running.map_or(&[] as &[_], |ramp| ramp.phase.holds_for());
        for reason in HoldReason::ALL {
            let is_held = held_for.contains(reason);
            ramps.holding.get_or_create_owned(&of_reason(rollout, *reason)).set(i64::from(is_held));
        }
    }
}

#[cfg(test)]
mod tests;
