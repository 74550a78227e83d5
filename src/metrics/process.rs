//! What the process says about its own log and secrets.

use std::sync::atomic::Ordering;

use super::Metrics;
use super::labels::{Cause, SecretState};

impl Metrics {
    /// So many lines are in no log since the start: not read in time, not writable, left out because
    /// they repeat.
    pub fn log_lines_dropped(&self, overflowed: u64, unwritable: u64, repeated: u64) {
        for (cause, lines) in [("overflow", overflowed), ("unwritable", unwritable), ("repeated", repeated)] {
            let counter = self.families.log_lines_dropped.get_or_create_owned(&Cause { cause: cause.into() });
            // Two scrapes at once must not count the same lines twice.
            counter.inner().fetch_max(lines, Ordering::Relaxed);
        }
    }

    /// So many secrets are as their files say, are gone, or have files that don't answer.
    pub fn secret_files(&self, usable: usize, gone: usize, unclear: usize) {
        for (state, count) in [("usable", usable), ("gone", gone), ("unclear", unclear)] {
            let gauge = self.families.secret_files.get_or_create_owned(&SecretState { state: state.into() });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
