//! Freeze windows: times in which no ramp may start.
//!
//! Recurring ones begin as cron says, by the wall clock of a place, and last so long; the others have
//! dates. The rules of time zones are built in, so that whether a Friday evening is frozen depends on no
//! package of the machine, and a server with such a window starts everywhere.

mod recurrence;
mod zone;

use chrono::{DateTime, SecondsFormat, Utc};

pub use recurrence::{Recurrence, RecurrenceError};
pub use zone::{NotATime, UnknownZone, Zone};

use crate::text::shown;

/// How many windows that follow on are looked at for when a freeze ends: days of the shortest ones, and
/// years of usual ones.
const MAX_CHAINED: usize = 1_000;

/// One window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeWindow {
    /// Shown to people.
    pub name: String,
    pub times: FreezeTimes,
}

/// When it freezes; an end is never part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreezeTimes {
    Once { from: DateTime<Utc>, until: DateTime<Utc> },
    Recurring(Box<Recurrence>),
}

/// All windows of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreezeWindows(pub Vec<FreezeWindow>);

/// That no ramp may start now, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The window's; where several freeze, that of the one that lasts longest.
    pub name: String,
    /// When that window began.
    pub since: DateTime<Utc>,
    /// When nothing freezes any more: windows that follow on are included.
    pub until: DateTime<Utc>,
}

impl FreezeTimes {
    /// Beginning and end of what freezes at an instant.
    fn around(&self, at: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let (since, until) = match self {
            Self::Once { from, until } => (*from, *until),
            Self::Recurring(recurrence) => recurrence.latest(at)?,
        };
        (since <= at && at < until).then_some((since, until))
    }
}

impl FreezeWindows {
    /// Whether something freezes at this instant.
    #[must_use]
    pub fn frozen_at(&self, now: DateTime<Utc>) -> Option<Frozen> {
        let (window, since, mut until) = self.longest(now)?;
        for _ in 0..MAX_CHAINED {
            let Some((_, _, further)) = self.longest(until) else { break };
            until = further;
        }
        Some(Frozen { name: window.name.clone(), since, until })
    }

    fn longest(&self, at: DateTime<Utc>) -> Option<(&FreezeWindow, DateTime<Utc>, DateTime<Utc>)> {
        let found = self.0.iter().filter_map(|window| {
            let (since, until) = window.times.around(at)?;
            Some((window, since, until))
        });
        found.max_by_key(|(_, _, until)| *until)
    }
}

impl Frozen {
    /// The same for people, to follow "a freeze window is open:".
    #[must_use]
    pub fn words(&self) -> String {
        let [since, until] = [self.since, self.until].map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        format!("\"{}\", from {since} until {until}", shown(&self.name))
    }
}

#[cfg(test)]
mod tests;
