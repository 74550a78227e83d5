//! The only place that reads the machine's clocks.
//!
//! Decisions take time as an argument; whoever needs the present asks a [`Clock`]. Tests use
//! [`SteppedClock`], which follows tokio's time and can be stepped or suspended without waiting.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustix::time::{ClockId, clock_gettime};

/// The clock that nobody can set and that runs on while the machine is suspended. Linux's
/// `CLOCK_MONOTONIC`, which [`std::time::Instant`] reads, stands still then: a reading from before
/// an hour of sleep would look a second old. Elsewhere the monotonic clock is the nearest to it.
#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// A point in time by which ages are measured: it neither steps nor stands still. Means nothing to
/// another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// How much time went by since `earlier`; zero if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

/// The wall clock and the clock of ages. A trait, so that tests can step both without waiting.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present time on the wall clock, UTC; may step either way.
    fn now(&self) -> DateTime<Utc>;

    /// The present on the clock of ages: two of these can be subtracted whatever the wall clock does.
    fn moment(&self) -> Moment;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn moment(&self) -> Moment {
        let since_boot = clock_gettime(SINCE_BOOT);
        let seconds = u64::try_from(since_boot.tv_sec).unwrap_or_default();
        Moment(Duration::new(seconds, u32::try_from(since_boot.tv_nsec).unwrap_or_default()))
    }
}

/// A clock that starts at a given instant, runs with tokio's (pausable) time, and can be stepped
/// in either direction, as an operator or NTP may step the real one, or be suspended.
#[derive(Debug)]
pub struct SteppedClock {
    base: DateTime<Utc>,
    started: tokio::time::Instant,
    moved: Mutex<Moved>,
}

/// By what a [`SteppedClock`] is ahead of tokio's time.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    stepped: TimeDelta,
    suspended: Duration,
}

impl SteppedClock {
    /// A clock that shows `base` now.
    #[must_use]
    pub fn starting_at(base: DateTime<Utc>) -> Self {
        Self { base, started: tokio::time::Instant::now(), moved: Mutex::default() }
    }

    /// Moves the wall clock by `step`, which may be negative.
    pub fn step(&self, step: TimeDelta) {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).stepped += step;
    }

    /// Time that goes by while the machine sleeps: no timer runs, both clocks show it afterwards.
    pub fn suspend(&self, span: Duration) {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).suspended += span;
    }

    fn moved(&self) -> Moved {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> DateTime<Utc> {
        let gone = self.started.elapsed() + self.moved().suspended;
        self.base + TimeDelta::from_std(gone).unwrap_or(TimeDelta::MAX) + self.moved().stepped
    }

    fn moment(&self) -> Moment {
        // Not from zero: something may be dated before the clock's start.
        Moment(Duration::from_secs(86_400)) + self.started.elapsed() + self.moved().suspended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_moments_run_on_with_its_timers() {
        let before = SystemClock.moment();
        std::thread::sleep(Duration::from_millis(20));
        let gone = SystemClock.moment().since(before);
        assert!(gone >= Duration::from_millis(20) && gone < Duration::from_secs(20), "{gone:?}");
        assert_eq!(before.since(SystemClock.moment()), Duration::ZERO);
    }
}
