//! What each event is called, and which bytes belong to it.

use super::{BlobRef, Event};

impl Event {
    /// The blob that the event refers to, which is stored in the same batch.
    #[must_use]
    pub fn blob(&self) -> Option<&BlobRef> {
        match self {
            Self::IncidentOpened(opened) => opened.alert.as_ref()?.body.as_ref(),
            Self::TriageStarted { alert } | Self::AlertAttached(alert) => alert.body.as_ref(),
            Self::SnapshotTaken { body, .. } => body.as_ref(),
            Self::AlertSeen { .. }
            | Self::TriageEnded
            | Self::ShareRead { .. }
            | Self::WatchdogLost { .. }
            | Self::WatchdogBack
            | Self::Ramp { .. }
            | Self::ClockStepped { .. }
            | Self::GraceStarted { .. }
            | Self::GraceMoved { .. }
            | Self::AlertResolved { .. }
            | Self::Confirmed { .. }
            | Self::Held { .. }
            | Self::Resumed { .. }
            | Self::Acknowledged { .. }
            | Self::Cancelled { .. }
            | Self::Declined { .. }
            | Self::Superseded { .. }
            | Self::Closed { .. }
            | Self::CauseAdded(_)
            | Self::RollbackStarted { .. }
            | Self::StepStarted { .. }
            | Self::RollbackWaiting { .. }
            | Self::StepEnded(_)
            | Self::VerificationStarted { .. }
            | Self::VerificationEnded(_)
            | Self::RolledBack
            | Self::Failed { .. }
            | Self::EvidenceWritten { .. }
            | Self::EscalationPlanned { .. }
            | Self::NoticeRaised { .. }
            | Self::MessageBegun { .. }
            | Self::MessageEnded { .. }
            | Self::MessagesSuperseded { .. } => None,
        }
    }

    /// The name of the event's type, as stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AlertSeen { .. } => "alert_seen",
            Self::TriageStarted { .. } => "triage_started",
            Self::TriageEnded => "triage_ended",
            Self::ShareRead { .. } => "share_read",
            Self::WatchdogLost { .. } => "watchdog_lost",
            Self::WatchdogBack => "watchdog_back",
            Self::Ramp { happened, .. } => happened.name(),
            Self::ClockStepped { .. } => "clock_stepped",
            Self::IncidentOpened(_) => "incident_opened",
            Self::GraceStarted { .. } => "grace_started",
            Self::GraceMoved { .. } => "grace_moved",
            Self::AlertAttached(_) => "alert_attached",
            Self::AlertResolved { .. } => "alert_resolved",
            Self::Confirmed { .. } => "confirmed",
            Self::Held { .. } => "held",
            Self::Resumed { .. } => "resumed",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Cancelled { .. } => "cancelled",
            Self::Declined { .. } => "declined",
            Self::Superseded { .. } => "superseded",
            Self::Closed { .. } => "closed",
            Self::CauseAdded(_) => "cause_added",
            Self::RollbackStarted { .. } => "rollback_started",
            Self::StepStarted { .. } => "step_started",
            Self::RollbackWaiting { .. } => "rollback_waiting",
            Self::StepEnded(_) => "step_ended",
            Self::VerificationStarted { .. } => "verification_started",
            Self::VerificationEnded(_) => "verification_ended",
            Self::RolledBack => "rolled_back",
            Self::Failed { .. } => "failed",
            Self::SnapshotTaken { .. } => "snapshot_taken",
            Self::EvidenceWritten { .. } => "evidence_written",
            Self::EscalationPlanned { .. } => "escalation_planned",
            Self::NoticeRaised { .. } => "notice_raised",
            Self::MessageBegun { .. } => "message_begun",
            Self::MessageEnded { .. } => "message_ended",
            Self::MessagesSuperseded { .. } => "messages_superseded",
        }
    }
}
