//! Windows that come again, by cron.

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};

use super::zone::{Zone, to_chrono, to_jiff};

/// Minute, hour, day of the month, month, day of the week.
const FIELDS: usize = 5;

/// Where it is looked for whether a window ever comes: 2024-01-01, in seconds since 1970. A leap year, so
/// that none that comes on a 29th of February is missed.
const REFERENCE: i64 = 1_704_067_200;

/// So many windows without a gap are one that never ends: 34 days of the shortest ones, and more than a
/// month of frozen minutes, such as `* * * 12 *`, is meant.
const MAX_WITHOUT_GAP: usize = 10_000;

/// Windows that begin as cron says and last so long.
///
/// A time that the clocks leave out, as they are set forward, is the first instant after it; one that comes
/// twice, as they are set back, is the first of both. The duration is that of a stopwatch: 64 hours
/// from Friday at 16:00 end on Monday at 08:00, and at 09:00 or 07:00 where the clocks were set meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    cron: Cron,
    zone: Zone,
    duration: TimeDelta,
}

/// Why an expression can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// Another number of fields; six are those with seconds.
    #[error("{expression:?} is no cron expression: that has five fields, not {count}")]
    Fields { expression: String, count: usize },
    /// A field says nothing.
    #[error("{expression:?} is no cron expression: {why}")]
    Syntax { expression: String, why: String },
    /// No day has this date.
    #[error("{expression:?} never comes")]
    NeverBegins { expression: String },
    /// Each window begins before the last one has ended.
    #[error("{expression:?} comes again before the window has ended, for ever: nothing could ever start")]
    NeverEnds { expression: String },
}

impl RecurrenceError {
    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Fields { .. } | Self::Syntax { .. } => {
                "write minute, hour, day of the month, month and day of the week, such as cron = \"0 16 * * FRI\""
            }
            Self::NeverBegins { .. } => "write a day that there is, such as cron = \"0 0 24 12 *\"",
            Self::NeverEnds { .. } => "shorten duration, or let it begin more rarely",
        }
    }
}

impl Recurrence {
    /// Windows of this length, from when a five-field cron expression says by the clocks of a zone.
    ///
    /// # Errors
    /// See [`RecurrenceError`].
    pub fn new(expression: &str, zone: Zone, duration: TimeDelta) -> Result<Self, RecurrenceError> {
        let expression = || expression.to_owned();
        let count = expression().split_whitespace().count();
        if count != FIELDS {
            return Err(RecurrenceError::Fields { expression: expression(), count });
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser
            .parse(&expression())
            .map_err(|error| RecurrenceError::Syntax { expression: expression(), why: said(&error) })?;
        let recurrence = Self { cron, zone, duration };
        let Some(first) = recurrence.first() else {
            return Err(RecurrenceError::NeverBegins { expression: expression() });
        };
        if recurrence.is_endless(first) {
            return Err(RecurrenceError::NeverEnds { expression: expression() });
        }
        Ok(recurrence)
    }

    /// The latest beginning at or before an instant, and its end, which may have passed.
    pub(super) fn latest(&self, at: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let at = to_jiff(at)?.to_zoned(self.zone.0.clone());
        let since = to_chrono(self.cron.find_previous_occurrence(&at, true).ok()?.timestamp())?;
        Some((since, since.checked_add_signed(self.duration)?))
    }

    fn first(&self) -> Option<DateTime<Utc>> {
        let reference = to_jiff(DateTime::from_timestamp(REFERENCE, 0)?)?.to_zoned(self.zone.0.clone());
        to_chrono(self.cron.find_next_occurrence(&reference, true).ok()?.timestamp())
    }

    fn is_endless(&self, first: DateTime<Utc>) -> bool {
        let mut end = first + self.duration;
        for _ in 0..MAX_WITHOUT_GAP {
            match self.latest(end) {
                Some((_, next)) if next > end => end = next,
                _ => return false,
            }
        }
        true
    }
}

/// The parser's own sentence, without the names of its types.
fn said(error: &CronError) -> String {
    let said = match error {
        CronError::ComponentError(why)
        | CronError::InvalidPattern(why)
        | CronError::IllegalCharacters(why) => why.clone(),
        other => other.to_string(),
    };
    said.trim_start_matches("CronPattern ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
impl Recurrence {
    /// What a walk forward finds, to compare with.
    pub(super) fn beginnings(&self, from: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        let from = to_jiff(from).expect("in range").to_zoned(self.zone.0.clone());
        let found = self.cron.iter_from(from, croner::Direction::Forward).take(count);
        found.map(|at| to_chrono(at.timestamp()).expect("in range")).collect()
    }
}
