//! The only place that reads the wall clock.
//!
//! Decisions take time as an argument; whoever needs the present asks a [`Clock`]. Tests use
//! [`SteppedClock`], which follows tokio's time and can be stepped without waiting.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the present time, UTC.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present time.
    fn now(&self) -> DateTime<Utc>;
}

/// The system's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that starts at a given instant, runs with tokio's (pausable) time, and can be stepped
/// in either direction, as an operator or NTP may step the real one.
#[derive(Debug)]
pub struct SteppedClock {
    base: DateTime<Utc>,
    started: tokio::time::Instant,
    offset: Mutex<TimeDelta>,
}

impl SteppedClock {
    /// A clock that shows `base` now.
    #[must_use]
    pub fn starting_at(base: DateTime<Utc>) -> Self {
        Self { base, started: tokio::time::Instant::now(), offset: Mutex::new(TimeDelta::zero()) }
    }

    /// Moves the clock by `step`, which may be negative.
    pub fn step(&self, step: TimeDelta) {
        let mut offset = self.offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *offset += step;
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> DateTime<Utc> {
        let offset = *self.offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let elapsed = TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX);
        self.base + elapsed + offset
    }
}
