//! Notices when the wall clock is set, by comparing it with the monotonic one.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// A difference that is taken for a step. NTP slews both clocks alike, and a pause between reading
/// the one and the other is far shorter.
const STEP: TimeDelta = TimeDelta::seconds(2);

/// Where both clocks stood.
#[derive(Debug)]
pub(super) struct StepDetector {
    wall: DateTime<Utc>,
    monotonic: Instant,
}

impl StepDetector {
    /// Begins now. `last_alive` is when the process before was last alive: a wall clock that shows an
    /// earlier time was set back meanwhile. (One that was set forward can't be told from a long rest.)
    pub(super) fn starting(now: DateTime<Utc>, last_alive: Option<DateTime<Utc>>) -> Self {
        Self { wall: last_alive.map_or(now, |last_alive| last_alive.max(now)), monotonic: Instant::now() }
    }

    /// By how much the clock was set since it was last asked.
    pub(super) fn stepped(&mut self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let elapsed = TimeDelta::from_std(self.monotonic.elapsed()).unwrap_or(TimeDelta::MAX);
        let by = now - self.wall.checked_add_signed(elapsed).unwrap_or(now);
        if by.abs() < STEP {
            return None;
        }
        (self.wall, self.monotonic) = (now, Instant::now());
        Some(by)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().expect("a time")
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_is_noticed_once_in_either_direction_and_running_time_is_none() {
        let mut detector = StepDetector::starting(noon(), None);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let one = noon() + TimeDelta::hours(1);
        assert_eq!(detector.stepped(one + TimeDelta::milliseconds(1_900)), None, "slewed");
        assert_eq!(detector.stepped(one + TimeDelta::hours(2)), Some(TimeDelta::hours(2)));
        assert_eq!(detector.stepped(one + TimeDelta::hours(2)), None);
        assert_eq!(detector.stepped(one), Some(-TimeDelta::hours(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_back_while_nobody_was_there_is_noticed_at_the_start() {
        let mut detector = StepDetector::starting(noon(), Some(noon() + TimeDelta::hours(3)));
        assert_eq!(detector.stepped(noon()), Some(-TimeDelta::hours(3)));
        let mut rested = StepDetector::starting(noon(), Some(noon() - TimeDelta::hours(3)));
        assert_eq!(rested.stepped(noon()), None);
    }
}
