//! Why a ramp does not go on.

use serde::{Deserialize, Serialize};

use super::super::reason::named;

named! {
    /// Why a ramp stays where it is. None of these rolls back.
    HoldReason {
        Paused => "paused", "A person paused the ramp; its stage's clock stands still.";
        CriterionFails => "criterion_fails", "A pass criterion does not hold.";
        CriterionUnknown => "criterion_unknown", "A pass criterion can't be judged: what is not known is no pass.";
        ApprovalMissing => "approval_missing", "The stage waits for a person's approval.";
        IncidentOpen => "incident_open", "An incident of the rollout is open.";
        WatchdogSilent => "watchdog_silent", "The Watchdog is silent: alerts may not arrive.";
        ShareUnread => "share_unread", "The canary's share can't be read.";
        ShareChanged => "share_changed", "Somebody else changed the canary's share.";
        RevisionChanged => "revision_changed", "Another revision is on canary than the ramp was started for.";
        StepFailed => "step_failed", "The canary's share could not be set, or not be read back.";
        CanaryNotReady => "canary_not_ready", "Too few pods of the canary are ready for the next share.";
        Frozen => "frozen", "A freeze window is open.";
        NotArmed => "not_armed", "The rollout is no longer armed.";
        EvidenceUnwritten => "evidence_unwritten", "The evidence of a stage can't be written.";
    }
}

impl HoldReason {
    /// Whether it is said of criteria, which have names of their own.
    #[must_use]
    pub fn is_of_criteria(self) -> bool {
        matches!(self, Self::CriterionFails | Self::CriterionUnknown)
    }

    /// Whether a person may go on in spite of it, with a reason. What is not the gates' is not for a person
    /// to overrule: the next share would not be set all the same, or the ramp would act on something else than it
    /// believes.
    #[must_use]
    pub fn may_be_forced(self) -> bool {
        matches!(self, Self::CriterionFails | Self::CriterionUnknown | Self::ApprovalMissing)
    }
}
