//! Why a person's request about a ramp was refused, with the remedy.

use crate::incident::{RampId, Share};
use crate::text::shown;

/// Why a request about a ramp was refused. Each has a name for machines, see [`RampRefusal::as_str`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RampRefusal {
    #[error("ramp {0} runs already: wait for its end, or abort it")]
    AlreadyRunning(RampId),
    #[error("no ramp runs: start one with `backstop rollout start --revision …`")]
    NotRunning,
    #[error("the rollout's mode is not \"armed\": nothing would roll the canary back; arm it first")]
    NotArmed,
    #[error("an incident is open ({0}): close it, or wait for its end")]
    IncidentOpen(String),
    #[error("the canary has {0} of the traffic: a ramp begins at 0 %; roll it back first")]
    ShareNotZero(Share),
    #[error(
        "the canary's share can't be read: a ramp has to read back what it sets; see read_url, or `backstop doctor`"
    )]
    ShareUnread,
    #[error("these alerts fire: {}; a ramp begins when none does", .0.join(", "))]
    AlertFires(Vec<String>),
    #[error(
        "the Watchdog has been silent for {0} s: alerts may not arrive; check Prometheus and Alertmanager"
    )]
    WatchdogSilent(u64),
    #[error("a freeze window is open: {0}")]
    Frozen(String),
    #[error("these criteria can't be judged: {}; mend their questions, or switch them off", .0.join(" "))]
    Unanswered(Vec<String>),
    #[error("{} is on canary, not {}: deploy the revision that is to be ramped, or name the one that is there", shown(.seen), shown(.wanted))]
    OtherRevision { seen: String, wanted: String },
    #[error("{} was rolled back at {at}: to try it again all the same, say --again --reason \"…\"", shown(.revision))]
    RolledBackBefore { revision: String, at: String },
    #[error("{} Say --yes if that is known.", .0.join(" "))]
    NotConfirmed(Vec<String>),
    #[error("this needs a reason: say --reason \"…\"")]
    NeedsReason,
    #[error("stage {stage} can't be left: {why} To do it all the same, say --force --reason \"…\"")]
    GatesDontPass { stage: usize, why: String },
    #[error("stage {stage} can't be left, not by force either: {why}")]
    CantBeForced { stage: usize, why: String },
    #[error("{0}")]
    WrongState(String),
}

impl RampRefusal {
    /// The text used in JSON, logs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AlreadyRunning(_) => "already_running",
            Self::NotRunning => "not_running",
            Self::NotArmed => "not_armed",
            Self::IncidentOpen(_) => "incident_open",
            Self::ShareNotZero(_) => "share_not_zero",
            Self::ShareUnread => "share_unread",
            Self::AlertFires(_) => "alert_fires",
            Self::WatchdogSilent(_) => "watchdog_silent",
            Self::Frozen(_) => "frozen",
            Self::Unanswered(_) => "unanswered",
            Self::OtherRevision { .. } => "other_revision",
            Self::RolledBackBefore { .. } => "rolled_back_before",
            Self::NotConfirmed(_) => "not_confirmed",
            Self::NeedsReason => "needs_reason",
            Self::GatesDontPass { .. } => "gates_dont_pass",
            Self::CantBeForced { .. } => "cant_be_forced",
            Self::WrongState(_) => "wrong_state",
        }
    }
}
