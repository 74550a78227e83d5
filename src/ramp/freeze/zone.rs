//! Places with a wall clock of their own, and what a date means there.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// How alike a name must be to a known one for it to be suggested (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub(super) TimeZone);

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no time zone")]
pub struct UnknownZone {
    pub name: String,
    /// The most similar name that there is, if one is similar at all.
    pub nearest: Option<String>,
}

/// A text that is neither a date nor an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a date nor an instant")]
pub struct NotATime(pub String);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// The zone of this name, such as `Europe/Istanbul`.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let all = TimeZoneDatabase::bundled();
        all.get(name).map(Self).map_err(|_| {
            let alike = |known: &str| strsim::jaro_winkler(name, known);
            let known = all.available().map(|known| known.as_str().to_owned());
            let nearest = known.max_by(|a, b| alike(a).total_cmp(&alike(b)));
            UnknownZone { name: name.to_owned(), nearest: nearest.filter(|nearest| alike(nearest) >= ALIKE) }
        })
    }

    /// A date (its first instant here) or an instant of RFC 3339, which says its own offset.
    ///
    /// # Errors
    /// It is neither; a time of day without an offset is not guessed at.
    pub fn instant(&self, text: &str) -> Result<DateTime<Utc>, NotATime> {
        let of_date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| self.first_of(date));
        let found = of_date.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()));
        found.ok_or_else(|| NotATime(text.to_owned()))
    }

    /// Where clocks are set forward at midnight a day begins later.
    fn first_of(&self, date: NaiveDate) -> Option<DateTime<Utc>> {
        let part = |number: u32| i8::try_from(number).ok();
        let date =
            Date::new(i16::try_from(date.year()).ok()?, part(date.month())?, part(date.day())?).ok()?;
        to_chrono(date.to_zoned(self.0.clone()).ok()?.timestamp())
    }
}

/// Whole seconds: what is smaller begins and ends no window.
pub(super) fn to_jiff(at: DateTime<Utc>) -> Option<Timestamp> {
    Timestamp::from_second(at.timestamp()).ok()
}

pub(super) fn to_chrono(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.as_second(), 0)
}
