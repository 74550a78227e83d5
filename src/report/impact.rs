//! How much of the traffic was at stake, and for how long at most.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::times::{span, spoken, time_utc};
use crate::incident::{Incident, Phase, Share};

/// What ends the time of the impact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The traffic was read as off the canary.
    ReadBack,
    /// There was no rollback: the last of its alerts ended.
    AlertsEnded,
    /// Nothing that was seen.
    Unknown,
}

/// The share of the traffic that the canary had, from the alert's start to the traffic read as off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Impact {
    /// The largest share that was read for the decision and just before a request; none if none was read
    /// in time to say what was at stake.
    pub share_percent: Option<u8>,
    /// When that share was read; of one from just before a request, when that began, which is a second
    /// later at the most.
    pub share_read_at: Option<DateTime<Utc>>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub until_what: Until,
    pub at_most_seconds: Option<f64>,
    /// False where the canary was read to have no traffic, and nothing else happened.
    pub had_traffic: bool,
}

impl Impact {
    pub(super) fn of(incident: &Incident) -> Self {
        let reaction = incident.reaction();
        let share = at_stake(incident);
        let ended = incident.alerts.iter().map(|attached| attached.alert.ends_at).collect::<Option<Vec<_>>>();
        let ended = ended.and_then(|ended| ended.into_iter().max());
        let (until, until_what) = match (incident.has_rolled_back(), reaction.read_off_at, ended) {
            (true, Some(read), _) => (Some(read), Until::ReadBack),
            (false, _, Some(ended)) if incident.phase.is_closed() => (Some(ended), Until::AlertsEnded),
            _ => (None, Until::Unknown),
        };
        Self {
            share_percent: share.map(|(Share(percent), _)| percent),
            share_read_at: share.and_then(|(_, read_at)| read_at),
            from: reaction.started_at,
            until,
            until_what,
            at_most_seconds: span(reaction.started_at, until),
            had_traffic: had_traffic(incident),
        }
    }

    /// In a sentence or two.
    pub(super) fn sentence(&self) -> String {
        if !self.had_traffic {
            return "None by the canary: it was read to have no traffic.".to_owned();
        }
        let share = match self.share_percent {
            Some(percent) => format!("At most {} of the traffic", Share(percent)),
            None => "An unknown share of the traffic".to_owned(),
        };
        let end = match self.until_what {
            Until::ReadBack => "the traffic was read as off the canary",
            Until::AlertsEnded => "the last alert ended; the canary kept its traffic",
            Until::Unknown => "",
        };
        match (self.from, self.until, self.at_most_seconds) {
            (Some(from), Some(until), Some(seconds)) => format!(
                "{share} for at most {}: from {} (the alert's start) to {} ({end}). What the canary did before its alert began is not in it.",
                spoken(seconds),
                time_utc(from),
                time_utc(until),
            ),
            (None, Some(until), _) => {
                format!("{share} until {} ({end}). Since when is not known.", time_utc(until))
            }
            (Some(from), ..) => format!(
                "{share} since {} (the alert's start). Until when is not known: nothing that was read says that it is off the canary.",
                time_utc(from)
            ),
            (None, None, _) => format!("{share}. Since when and until when is not known."),
        }
    }
}

/// The largest share that was read, and when that one was. A canary that was first seen after a request
/// was made, or without traffic, may have had any share before: nothing is said of how much then.
fn at_stake(incident: &Incident) -> Option<(Share, Option<DateTime<Utc>>)> {
    let cause = incident.cause();
    let decided = cause.share.map(|share| (share, cause.share_read_at));
    let mut before = incident.steps.iter().map(|step| Some((step.share_before?, Some(step.started_at))));
    let first = before.next().flatten();
    decided.or(first)?;
    // Of equal ones the earliest: it says for how long that was so.
    let known = decided.into_iter().chain(first).chain(before.flatten());
    let largest = known.reduce(|largest, next| if next.0 > largest.0 { next } else { largest });
    largest.filter(|(share, _)| *share > Share::ZERO)
}

/// Whether the canary had, or may have had, traffic.
fn had_traffic(incident: &Incident) -> bool {
    let nothing = matches!(incident.phase, Phase::Declined { .. }) && incident.share() == Some(Share::ZERO);
    !nothing
}
