//! Notices when the wall clock is set, by comparing it with the one that nobody can set.

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::{Clock, Moment};

/// The least difference that counts as a step. NTP slews both clocks alike, and a pause between reading
/// the one and the other is far shorter. A machine that slept moves both.
const STEP: TimeDelta = TimeDelta::seconds(2);

/// Where both clocks stood at the start, or at the last step.
#[derive(Debug)]
pub(super) struct StepDetector {
    wall: DateTime<Utc>,
    moment: Moment,
}

impl StepDetector {
    /// Begins now. `last_seen` is the last time that the process before wrote down: a wall clock that
    /// shows an earlier one was set back meanwhile. (One that was set forward looks like a long rest.)
    pub(super) fn starting(clock: &dyn Clock, last_seen: Option<DateTime<Utc>>) -> Self {
        let now = clock.now();
        Self { wall: last_seen.map_or(now, |last_seen| last_seen.max(now)), moment: clock.moment() }
    }

    /// By how much the clock was set since the start or the last step; `None`: by less than [`STEP`].
    pub(super) fn stepped(&mut self, clock: &dyn Clock) -> Option<TimeDelta> {
        let (now, moment) = (clock.now(), clock.moment());
        let gone = TimeDelta::from_std(moment.since(self.moment)).unwrap_or(TimeDelta::MAX);
        let by = now - self.wall.checked_add_signed(gone).unwrap_or(now);
        if by.abs() < STEP {
            return None;
        }
        (self.wall, self.moment) = (now, moment);
        Some(by)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::SteppedClock;

    fn noon() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().expect("a time")
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_is_noticed_once_in_either_direction_and_running_time_is_none() {
        let clock = SteppedClock::starting_at(noon());
        let mut detector = StepDetector::starting(&clock, None);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        clock.step(TimeDelta::milliseconds(1_900));
        assert_eq!(detector.stepped(&clock), None, "slewed");
        clock.step(TimeDelta::hours(2));
        let by = TimeDelta::hours(2) + TimeDelta::milliseconds(1_900);
        assert_eq!(detector.stepped(&clock), Some(by));
        assert_eq!(detector.stepped(&clock), None);
        clock.step(-TimeDelta::hours(2));
        assert_eq!(detector.stepped(&clock), Some(-TimeDelta::hours(2)));
        clock.step(STEP);
        assert_eq!(detector.stepped(&clock), Some(STEP), "the least that counts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_is_not_taken_for_a_clock_that_was_set() {
        let clock = SteppedClock::starting_at(noon());
        let mut detector = StepDetector::starting(&clock, None);
        clock.suspend(Duration::from_secs(8 * 3_600));
        assert_eq!(detector.stepped(&clock), None);
        clock.step(TimeDelta::hours(1));
        assert_eq!(detector.stepped(&clock), Some(TimeDelta::hours(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_back_while_nobody_was_there_is_noticed_at_the_start() {
        let clock = SteppedClock::starting_at(noon());
        let mut detector = StepDetector::starting(&clock, Some(noon() + TimeDelta::hours(3)));
        assert_eq!(detector.stepped(&clock), Some(-TimeDelta::hours(3)));
        let mut rested = StepDetector::starting(&clock, Some(noon() - TimeDelta::hours(3)));
        assert_eq!(rested.stepped(&clock), None);
    }
}
