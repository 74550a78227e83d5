//! When what happened, and how long each part of the reaction took.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::incident::{Incident, Reaction};

/// The instants and the spans between them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Times {
    /// When the alert that caused it began, by its own word; none where a person did, and where its
    /// start says nothing of this canary (older than it, or found afterwards).
    pub alert_started_at: Option<DateTime<Utc>>,
    /// When that alert was received; of a person's request, when it was made.
    pub received_at: Option<DateTime<Utc>>,
    pub opened_at: DateTime<Utc>,
    pub rollback_started_at: Option<DateTime<Utc>>,
    /// When the traffic system first acknowledged that the canary has none.
    pub traffic_off_at: Option<DateTime<Utc>>,
    /// When the share was read as 0 %.
    pub traffic_read_off_at: Option<DateTime<Utc>>,
    /// When the last verification had its verdict.
    pub verdict_at: Option<DateTime<Utc>>,
    pub closed_at: Option<DateTime<Utc>>,
    /// From the alert's start until it was received.
    pub detect_seconds: Option<f64>,
    /// From then until the rollback began: of a warning, its grace is in it.
    pub decide_seconds: Option<f64>,
    /// From then until the traffic off was acknowledged.
    pub act_seconds: Option<f64>,
    /// From then until the verdict.
    pub verify_seconds: Option<f64>,
}

impl Times {
    pub(super) fn of(incident: &Incident) -> Self {
        let Reaction {
            severity: _,
            started_at,
            received_at,
            rollback_started_at,
            traffic_off_at,
            read_off_at,
            verdict_at,
        } = incident.reaction();
        Self {
            alert_started_at: started_at,
            received_at,
            opened_at: incident.opened_at,
            rollback_started_at,
            traffic_off_at,
            traffic_read_off_at: read_off_at,
            verdict_at,
            closed_at: incident.closed_at,
            detect_seconds: span(started_at, received_at),
            decide_seconds: span(received_at, rollback_started_at),
            act_seconds: span(rollback_started_at, traffic_off_at),
            verify_seconds: span(traffic_off_at, verdict_at),
        }
    }
}

/// In seconds, to the millisecond. Clocks that differ make no time negative.
pub(super) fn span(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Option<f64> {
    let span = (to? - from?).max(TimeDelta::zero());
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a year fit")]
    let milliseconds = span.num_milliseconds() as f64;
    Some(milliseconds / 1_000.0)
}

/// A time for people, in a document that says that all are UTC.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time within a sentence.
pub(super) fn time_utc(at: DateTime<Utc>) -> String {
    format!("{} UTC", time(at))
}

/// A time of day, to the millisecond: much happens within one second.
pub(super) fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S%.3f").to_string()
}

/// A span for people.
pub(super) fn spoken(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "far below the largest")]
    let whole = seconds.round() as i64;
    match whole {
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1_000.0),
        ..120 => format!("{seconds:.1} s"),
        120..7_200 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
    }
}

/// How often, for people.
pub(super) fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_spoken_as_people_would() {
        for (seconds, spoken_as) in [
            (0.0, "0 ms"),
            (0.84, "840 ms"),
            (119.4, "119.4 s"),
            (312.0, "5 min 12 s"),
            (7_500.0, "2 h 5 min"),
        ] {
            assert_eq!(spoken(seconds), spoken_as);
        }
    }

    #[test]
    fn a_clock_that_went_back_makes_no_time_negative() {
        let at = DateTime::UNIX_EPOCH;
        assert_eq!(span(Some(at), Some(at - TimeDelta::seconds(3))), Some(0.0));
        assert_eq!(span(Some(at), Some(at + TimeDelta::milliseconds(1_500))), Some(1.5));
        assert_eq!(span(None, Some(at)), None);
    }
}
