//! What happens next to an incident.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::incident::{Incident, Phase};

/// What happens next, if nobody and nothing comes in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextView {
    /// At the latest when; none: now, or not before a person acts.
    pub at: Option<DateTime<Utc>>,
    /// In words, to follow the time.
    pub what: String,
}

impl NextView {
    /// What the incident's state leads to; `None` once it has closed.
    #[must_use]
    pub fn of(incident: &Incident) -> Option<Self> {
        let (at, what) = match &incident.phase {
            Phase::Opened => (None, "it is decided"),
            Phase::Grace { confirm_early: true, .. } => {
                (None, "Alertmanager and Prometheus are asked whether its alerts are really gone")
            }
            Phase::Grace { .. } => (
                incident.grace_ends_at,
                "the grace ends: the canary is rolled back unless its alerts are known to be gone",
            ),
            Phase::Held(hold) => (Some(hold.until), "the hold ends and its alerts are asked for again"),
            Phase::RollingBack { .. } => (
                incident.rollback_due_at,
                "the traffic is off and verified, or people are told that it is not",
            ),
            Phase::Verifying { until, .. } => (Some(*until), "the verification has its verdict"),
            Phase::Failed { retry_at: Some(retry_at), .. } => {
                (Some(*retry_at), "the rollback is tried again")
            }
            Phase::Failed { retry_at: None, .. } => (
                None,
                "nothing, before a person acts: take the traffic off, then `backstop incident close`, or `backstop rollback` again",
            ),
            Phase::RolledBack
            | Phase::Cancelled { .. }
            | Phase::Declined { .. }
            | Phase::Superseded { .. }
            | Phase::Closed { .. } => return None,
        };
        Some(Self { at, what: what.to_owned() })
    }
}
