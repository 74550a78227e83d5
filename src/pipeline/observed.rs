//! What was observed since the process began and needn't survive it: readings of the share and the
//! Watchdog's last sign of life. Losing it costs one more reading.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::decision::Reading;
use crate::incident::{RolloutName, Share};

/// The observations.
#[derive(Debug)]
pub struct Observed {
    started_at: DateTime<Utc>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    readings: BTreeMap<RolloutName, (Reading, Option<DateTime<Utc>>)>,
    watchdog_at: Option<DateTime<Utc>>,
}

impl Observed {
    /// Nothing observed yet, at the start of the process.
    #[must_use]
    pub fn new(started_at: DateTime<Utc>) -> Self {
        Self { started_at, inner: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a reading of the share; `None`: it could not be read.
    pub fn share(&self, rollout: &RolloutName, at: DateTime<Utc>, share: Option<Share>) {
        let mut inner = self.lock();
        let zero_before = inner.readings.get(rollout).and_then(|(_, zero_at)| *zero_at);
        let zero_at = if share == Some(Share::ZERO) { Some(at) } else { zero_before };
        inner.readings.insert(rollout.clone(), (Reading::At { at, share }, zero_at));
    }

    /// The latest reading, and when the share was last read as 0 %.
    #[must_use]
    pub fn reading(&self, rollout: &RolloutName) -> (Reading, Option<DateTime<Utc>>) {
        self.lock().readings.get(rollout).copied().unwrap_or((Reading::Never, None))
    }

    /// The Watchdog was heard.
    pub fn watchdog_heard(&self, at: DateTime<Utc>) {
        let mut inner = self.lock();
        inner.watchdog_at = inner.watchdog_at.max(Some(at));
    }

    /// Seconds since the Watchdog was heard, or since the start if it never was.
    #[must_use]
    pub fn watchdog_silent_seconds(&self, now: DateTime<Utc>) -> u64 {
        let since = self.lock().watchdog_at.unwrap_or(self.started_at);
        u64::try_from((now - since).num_seconds()).unwrap_or(0)
    }
}
