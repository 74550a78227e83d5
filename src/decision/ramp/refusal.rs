//! Why a person's request about a ramp was refused, with the remedy.

use serde::{Deserialize, Serialize};

use crate::incident::{RampId, Share, named};
use crate::text::shown;

/// Why a request about a ramp was refused. Each has a name for machines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RampRefusal {
    #[error("ramp {0} runs already: wait for its end, or abort it")]
    AlreadyRunning(RampId),
    #[error(
        "the evidence of ramp {0} is not written yet, and a new ramp would leave it so: try again in a moment, or mend the evidence folder"
    )]
    EvidenceUnwritten(RampId),
    #[error(
        "no ramp runs: start one with `backstop rollout start --revision …`, or take the traffic off the canary with `backstop rollback --reason …`"
    )]
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
    #[error("these criteria can't be judged: {} Mend their questions, or switch them off", .0.join(" "))]
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
    #[error("stage {stage} can't be approved yet, an approval comes last: {why}")]
    ApprovedTooEarly { stage: usize, why: String },
    #[error(
        "stage {stage} is the last, with all of the traffic, and its time is what shows that the revision holds: to end it before all the same, say --force --reason \"…\""
    )]
    LastStageIsWatched { stage: usize },
    #[error("{0}")]
    WrongState(String),
}

named! {
    /// The name of a refusal, for machines.
    RampRefusalName {
        AlreadyRunning => "already_running", "A ramp of the rollout runs already.";
        EvidenceUnwritten => "evidence_unwritten", "The evidence of the last ramp is not written yet.";
        NotRunning => "not_running", "No ramp runs.";
        NotArmed => "not_armed", "The rollout's mode is not `armed`: nothing would roll the canary back.";
        IncidentOpen => "incident_open", "An incident of the rollout is open.";
        ShareNotZero => "share_not_zero", "The canary has traffic already; a ramp begins at 0 %.";
        ShareUnread => "share_unread", "The canary's share can't be read, so what a ramp sets can't be read back.";
        AlertFires => "alert_fires", "An alert of the rollout fires.";
        WatchdogSilent => "watchdog_silent", "The Watchdog is silent: alerts may not arrive.";
        Frozen => "frozen", "A freeze window is open.";
        Unanswered => "unanswered", "The question of a criterion has no answer, so it would never pass.";
        OtherRevision => "other_revision", "Another revision is on canary than the ramp is to be of.";
        RolledBackBefore => "rolled_back_before", "The revision was rolled back before: `--again --reason` starts it all the same.";
        NotConfirmed => "not_confirmed", "The stages can't show every bad version that a criterion is there for: `--yes` says that this is known.";
        NeedsReason => "needs_reason", "What overrules the criteria needs a reason.";
        GatesDontPass => "gates_dont_pass", "The stage's criteria don't pass: `--force --reason` leaves it all the same.";
        CantBeForced => "cant_be_forced", "Something is in the way that no person can overrule: the ramp would act on something else than it believes.";
        ApprovedTooEarly => "approved_too_early", "An approval comes last: once the stage's time is over and nothing else is in its way.";
        LastStageIsWatched => "last_stage_is_watched", "The last stage is not shortened without a reason: `--force --reason`.";
        WrongState => "wrong_state", "The ramp does not stand where that can be asked of it.";
    }
}

impl RampRefusal {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> RampRefusalName {
        match self {
            Self::AlreadyRunning(_) => RampRefusalName::AlreadyRunning,
            Self::EvidenceUnwritten(_) => RampRefusalName::EvidenceUnwritten,
            Self::NotRunning => RampRefusalName::NotRunning,
            Self::NotArmed => RampRefusalName::NotArmed,
            Self::IncidentOpen(_) => RampRefusalName::IncidentOpen,
            Self::ShareNotZero(_) => RampRefusalName::ShareNotZero,
            Self::ShareUnread => RampRefusalName::ShareUnread,
            Self::AlertFires(_) => RampRefusalName::AlertFires,
            Self::WatchdogSilent(_) => RampRefusalName::WatchdogSilent,
            Self::Frozen(_) => RampRefusalName::Frozen,
            Self::Unanswered(_) => RampRefusalName::Unanswered,
            Self::OtherRevision { .. } => RampRefusalName::OtherRevision,
            Self::RolledBackBefore { .. } => RampRefusalName::RolledBackBefore,
            Self::NotConfirmed(_) => RampRefusalName::NotConfirmed,
            Self::NeedsReason => RampRefusalName::NeedsReason,
            Self::GatesDontPass { .. } => RampRefusalName::GatesDontPass,
            Self::CantBeForced { .. } => RampRefusalName::CantBeForced,
            Self::ApprovedTooEarly { .. } => RampRefusalName::ApprovedTooEarly,
            Self::LastStageIsWatched { .. } => RampRefusalName::LastStageIsWatched,
            Self::WrongState(_) => RampRefusalName::WrongState,
        }
    }
}
