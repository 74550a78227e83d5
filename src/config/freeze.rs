//! `[[rollouts.freeze]]`: times in which no ramp starts.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use toml_edit::Item;

use super::reader::Reader;
use crate::ramp::freeze::{FreezeTimes, FreezeWindow, FreezeWindows, Recurrence, RecurrenceError, Zone};

/// More would be a calendar, which is kept elsewhere; each is looked at whenever a ramp is asked for.
const MAX_WINDOWS: usize = 20;

/// The longest name: it stands in messages to people.
const MAX_NAME_CHARS: usize = 63;

/// Shorter is a slip of the unit; nobody plans for less.
const LEAST_DURATION: Duration = Duration::from_secs(5 * 60);

/// Longer ones have dates. Below it, that an expression comes again too soon is found.
const MOST_DURATION: Duration = Duration::from_secs(31 * 24 * 3_600);

/// All windows of a rollout.
pub(super) fn read(rollout: &Reader<'_>) -> FreezeWindows {
    let tables = rollout.tables("freeze");
    if tables.len() > MAX_WINDOWS {
        let message = format!("has {} windows, and {MAX_WINDOWS} are the most", tables.len());
        rollout.error("freeze", message, "join some, as cron = \"0 16 * * WED,FRI\" does");
    }
    let mut names = BTreeSet::new();
    let mut windows = Vec::new();
    for table in tables.iter().take(MAX_WINDOWS) {
        let name = name(table);
        if !name.is_empty() && !names.insert(name.clone()) {
            table.error("name", format!("{name:?} is another window's, too"), "give each its own name");
        }
        let times = times(table);
        table.finish();
        windows.extend(times.map(|times| FreezeWindow { name, times }));
    }
    FreezeWindows(windows)
}

fn name(reader: &Reader<'_>) -> String {
    let name = reader.required("name", "weekend");
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let remedy = format!("write at most {MAX_NAME_CHARS} characters, in one line");
        reader.error("name", "is no name to be shown to people", remedy);
    }
    name
}

/// `None`: something is wrong, and has been reported.
fn times(reader: &Reader<'_>) -> Option<FreezeTimes> {
    let zone = zone(reader);
    let cron = reader.text("cron");
    let duration = reader.duration("duration", LEAST_DURATION, LEAST_DURATION, MOST_DURATION);
    let [from, until] = ["from", "until"].map(|key| instant(reader, key, zone.as_ref()));
    let [by_cron, by_dates] =
        [["cron", "duration"], ["from", "until"]].map(|keys| keys.iter().any(|key| reader.has(key)));
    match (by_cron, by_dates) {
        (false, false) => {
            let remedy = "add cron = \"0 16 * * FRI\" and duration = \"64h\", or from and until with dates";
            reader.error("cron", "is missing, and from with until, too: it would freeze nothing", remedy);
            None
        }
        (true, true) => {
            let key = if reader.has("from") { "from" } else { "until" };
            reader.error(key, "is set beside cron or duration", "make two windows of it");
            None
        }
        (true, false) => {
            demand(reader, &[("cron", "0 16 * * FRI"), ("duration", "64h")]);
            recurrence(reader, &cron?, zone?, duration)
        }
        (false, true) => {
            demand(reader, &[("from", "2026-12-20"), ("until", "2027-01-03")]);
            let (from, until) = (from?, until?);
            if from >= until {
                let remedy = "write the first instant after the freeze: a date is its midnight";
                reader.error("until", "is not after from, so it would freeze nothing", remedy);
            }
            Some(FreezeTimes::Once { from, until })
        }
    }
}

fn demand(reader: &Reader<'_>, keys: &[(&str, &str)]) {
    for (key, example) in keys.iter().filter(|(key, _)| !reader.has(key)) {
        reader.error(key, "is missing", format!("add {key} = \"{example}\""));
    }
}

fn recurrence(reader: &Reader<'_>, cron: &str, zone: Zone, duration: Duration) -> Option<FreezeTimes> {
    if !reader.has("duration") {
        return None;
    }
    let duration = TimeDelta::from_std(duration).ok()?;
    let read = Recurrence::new(cron, zone, duration).map_err(|error| {
        let key = match error {
            RecurrenceError::NeverEnds { .. } => "duration",
            RecurrenceError::Fields { .. }
            | RecurrenceError::Syntax { .. }
            | RecurrenceError::NeverBegins { .. } => "cron",
        };
        reader.error(key, error.to_string(), error.remedy());
    });
    read.ok().map(|recurrence| FreezeTimes::Recurring(Box::new(recurrence)))
}

fn zone(reader: &Reader<'_>) -> Option<Zone> {
    let Some(name) = reader.text("time_zone") else { return Some(Zone::default()) };
    let read = Zone::named(&name).map_err(|error| {
        let nearest = error.nearest.as_deref().unwrap_or("Europe/Istanbul");
        reader.error("time_zone", error.to_string(), format!("write an IANA name, such as {nearest:?}"));
    });
    read.ok()
}

/// A date or instant, as a text or as TOML's own. Without a zone, which has been reported, nothing is said
/// of it.
fn instant(reader: &Reader<'_>, key: &str, zone: Option<&Zone>) -> Option<DateTime<Utc>> {
    let of_toml = reader.item(key).and_then(Item::as_datetime).map(ToString::to_string);
    let text = of_toml.or_else(|| reader.text(key))?;
    let read = zone?.instant(&text).map_err(|error| {
        let remedy = format!("write {key} = \"2026-12-20\" or {key} = \"2026-12-20T16:00:00+03:00\"");
        reader.error(key, error.to_string(), remedy);
    });
    read.ok()
}

#[cfg(test)]
pub(super) mod tests;
