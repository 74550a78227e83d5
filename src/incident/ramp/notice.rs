//! What people are to know of a ramp.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::HoldReason;
use crate::incident::{NoticeKind, RampId, Revision, Share};
use crate::text::shown;

/// Something of a ramp that people are to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RampFact {
    pub ramp: RampId,
    pub revision: Revision,
    /// That of the stage that it is about.
    pub share: Share,
    pub said: RampSaid,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RampSaid {
    Started {
        actor: String,
        shares: Vec<Share>,
        warnings: Vec<String>,
    },
    /// A stage's share was read back.
    StageBegan {
        ends_at: DateTime<Utc>,
    },
    Holds {
        reasons: Vec<HoldReason>,
        detail: String,
        since: DateTime<Utc>,
    },
    /// It has held for longer than its limit: somebody has to decide.
    HoldsTooLong {
        reasons: Vec<HoldReason>,
        detail: String,
        since: DateTime<Utc>,
    },
    GoesOn,
    Succeeded {
        started_at: DateTime<Utc>,
        stages: usize,
        /// What persons did to its stages, each in half a sentence.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by_persons: Vec<String>,
        /// For so long its alerts still lead to a rollback.
        #[serde(default)]
        watched_seconds: u32,
    },
    /// Without success: rolled back, aborted, or ended by somebody else. In a sentence.
    Ended {
        how: String,
    },
    /// A record of it is written, and something is missing of it or came otherwise, which the files that lie
    /// there may not say.
    RecordProblem {
        /// Counted from 0; none for the record of the whole.
        stage: Option<usize>,
        /// In sentences.
        problems: String,
    },
}

impl RampFact {
    /// Its kind, for filters, metrics and logs.
    #[must_use]
    pub fn kind(&self) -> NoticeKind {
        match &self.said {
            RampSaid::Started { .. } => NoticeKind::RampStarted,
            RampSaid::StageBegan { .. } => NoticeKind::RampStageBegan,
            RampSaid::Holds { .. } => NoticeKind::RampHolds,
            RampSaid::HoldsTooLong { .. } => NoticeKind::RampHoldsTooLong,
            RampSaid::GoesOn => NoticeKind::RampGoesOn,
            RampSaid::Succeeded { .. } => NoticeKind::RampSucceeded,
            RampSaid::Ended { .. } => NoticeKind::RampEnded,
            RampSaid::RecordProblem { .. } => NoticeKind::RampRecordProblem,
        }
    }

    /// What happened, in half a sentence without a stop.
    #[must_use]
    pub fn sentence(&self, at: DateTime<Utc>) -> String {
        let revision = shown(self.revision.as_str());
        match &self.said {
            RampSaid::Started { actor, shares, .. } => {
                let shares: Vec<_> = shares.iter().map(|share| share.0.to_string()).collect();
                format!("{} ramps {revision}: {} %", shown(actor), shares.join(", "))
            }
            RampSaid::StageBegan { ends_at } => {
                format!("{revision} has {}, until {} at least", self.share, clock_time(*ends_at))
            }
            RampSaid::Holds { reasons, detail, since } => {
                format!("the ramp of {revision} holds at {}{}", self.share, why(reasons, detail, at - *since))
            }
            RampSaid::HoldsTooLong { reasons, detail, since } => {
                let why = why(reasons, detail, at - *since);
                format!(
                    "the ramp of {revision} still holds at {}{why}: promote, abort, or mend it",
                    self.share
                )
            }
            RampSaid::GoesOn => format!("nothing is in the way of {revision} any more at {}", self.share),
            RampSaid::Succeeded { started_at, stages, by_persons, .. } => {
                let took = at - *started_at;
                let took = match took.num_minutes() {
                    0 => format!("{} seconds", took.num_seconds()),
                    minutes => format!("{minutes} minutes"),
                };
                let by_persons = match by_persons.as_slice() {
                    [] => String::new(),
                    some => format!(" ({})", some.join(", ")),
                };
                format!(
                    "the ramp of {revision} has passed its {stages} stages in {took}{by_persons}: it has all of the traffic"
                )
            }
            RampSaid::Ended { how } => {
                format!("the ramp of {revision} has ended at {}: {}", self.share, shown(how))
            }
            RampSaid::RecordProblem { stage, problems } => {
                let of_stage = stage.map(|stage| format!("stage {} ({}) of ", stage + 1, self.share));
                let (of_stage, problems) = (of_stage.unwrap_or_default(), shown(problems));
                format!(
                    "the record of {of_stage}the ramp of {revision} is written, and not all is well with it: {problems}"
                )
            }
        }
    }
}

fn why(reasons: &[HoldReason], detail: &str, held: TimeDelta) -> String {
    let meanings: Vec<_> = reasons.iter().map(|reason| reason.meaning().trim_end_matches('.')).collect();
    let minutes = held.num_minutes();
    let held = if minutes > 0 { format!(" for {minutes} minutes") } else { String::new() };
    let detail = if detail.is_empty() { String::new() } else { format!(" ({})", shown(detail)) };
    format!("{held}. {}{detail}", meanings.join(". "))
}

fn clock_time(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S UTC").to_string()
}
