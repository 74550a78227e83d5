//! What a rollout's configuration offers for its ramps.

use std::time::Duration;

use crate::config::RolloutConfig;
use crate::ramp::{Offers, RampOffer, StartQuestions};

/// The protocol's window.
const RATE_OVER: Duration = Duration::from_secs(300);

/// One configured rollout. Its files of criteria are read each time.
#[derive(Debug)]
pub(super) struct Configured(pub(super) RolloutConfig);

impl Offers for Configured {
    fn offer(&self) -> Result<RampOffer, String> {
        let RolloutConfig { ramp, metrics, .. } = &self.0;
        let criteria = ramp.criteria.load_with_needs(&self.0).map_err(|report| report.to_string())?;
        // As long as a stage, where that is shorter: what was before the traffic came says nothing of it.
        let over = ramp.stage_duration.min(RATE_OVER);
        Ok(RampOffer {
            stages: ramp.stages.clone(),
            stage_duration_seconds: seconds(ramp.stage_duration),
            last_stage_duration_seconds: seconds(ramp.last_stage_duration),
            judge_interval_seconds: seconds(ramp.judge_interval),
            approval: ramp.approval.clone(),
            max_hold_seconds: seconds(ramp.max_hold),
            remind_every_seconds: seconds(ramp.hold_reminder),
            watch_after_seconds: seconds(ramp.watch_after),
            stable_down: ramp.stable_down,
            criteria,
            questions: StartQuestions {
                told_apart: metrics.told_apart_query(),
                requests_per_second: metrics.requests_per_second_query(over.as_secs()),
            },
        })
    }
}

/// The configuration limits each to some days.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
