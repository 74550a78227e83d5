//! Why something was done or left: one closed list for log, metric, API and evidence alike.

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident => $text:literal, $meaning:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $(#[doc = $meaning] #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every variant, for metrics that exist at zero and for documentation tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text used in JSON, logs and metrics.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it means, in a sentence for people.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use named;

named! {
    /// The reason of a decision. The first group acts, the others are the named ways not to.
    Reason {
        CriticalAlert => "critical_alert", "A critical alert fires while the canary has, or may have, traffic.";
        StillFiring => "still_firing", "The grace or hold ended and its alert still fires, as Alertmanager or Prometheus says.";
        Unverified => "unverified", "The grace ended and nobody could say whether the alert still fires.";
        Manual => "manual", "A person asked for it.";
        MissedWhileDown => "missed_while_down", "A critical fired, and perhaps resolved, while Backstop was down.";
        NobodyToAsk => "nobody_to_ask", "The grace ended, its alert has not resolved by message, and neither Alertmanager nor Prometheus is configured to be asked.";
        GateFailed => "gate_failed", "A pass criterion of the ramp's stage fails, and is set to roll back.";
        Retry => "retry", "A failed or undone rollback is tried again.";

        WarningAlert => "warning_alert", "A warning opened a grace.";
        OlderThanCanary => "older_than_canary", "The alert began before the running canary did; it gets a grace to clear.";
        OlderThanResolve => "older_than_resolve", "The alert began before its own last resolve: stale, or a real re-fire. Asked first.";
        ShareUnread => "share_unread", "The canary's share was at 0 % or unread for too long; it is read before deciding.";

        NoCanary => "no_canary", "The canary has no traffic: there is nothing to roll back.";
        ShadowMode => "shadow_mode", "`mode = \"shadow\"`: it would have rolled back.";
        DoctorTest => "doctor_test", "A test alert of `backstop doctor`: it has come, and leads to nothing.";
        ModeOff => "mode_off", "`mode = \"off\"`: alerts are not acted upon.";
        SeverityNotActionable => "severity_not_actionable", "The alert's `severity` is neither critical nor warning.";

        Duplicate => "duplicate", "The same message again.";
        JoinedGrace => "joined_grace", "The alert joins the grace that is open.";
        JoinedHold => "joined_hold", "The alert joins the hold that a person or a silence put.";
        RollbackRunning => "rollback_running", "A rollback is under way; the alert is recorded with it.";
        AlreadyRolledBack => "already_rolled_back", "This run of this revision has been rolled back; the alert is recorded with it.";

        AlreadyAnswered => "already_answered", "The alert began before the last incident ended, which dealt with it.";
        Superseded => "superseded", "Another revision is on canary than the incident was about; nothing acts on the new one.";
        ClosedByPerson => "closed_by_person", "A person closed the incident.";

        ResolvedConfirmed => "resolved_confirmed", "Gone, and the answer can be trusted.";
        ResolvedUnconfirmed => "resolved_unconfirmed", "Resolved by message; no API is configured that could confirm it.";
        ResolveNotTrusted => "resolve_not_trusted", "Resolved by message, but not confirmed: the grace goes on.";
        ResolvedElsewhere => "resolved_elsewhere", "A resolve of an alert that opened nothing.";

        HeldByPerson => "held_by_person", "A person stopped the grace.";
        HeldBySilence => "held_by_silence", "The alert is silenced in Alertmanager: a person muted it.";
        HeldUnverified => "held_unverified", "Nobody answered, and the setting says to hold.";
        ResumedByPerson => "resumed_by_person", "The hold ended by a person.";
        HoldExpired => "hold_expired", "The hold ran out.";
        Acknowledged => "acknowledged", "A person has taken note.";
        Released => "released", "The revision was ramped to all of the traffic long enough ago: it is no canary any more.";

        StepFailed => "step_failed", "A step could not be carried out.";
        NotObserved => "not_observed", "What the next step depends on could not be read.";
        Obstacle => "obstacle", "The rollback can't go on before a person mends what is said here.";
        NotVerified => "not_verified", "Something read back is wrong.";
        NotReadable => "not_readable", "What matters could not be read back.";
        TrafficReturned => "traffic_returned", "The canary has traffic again although it was rolled back.";
        Undone => "undone", "Something that the rollback had set was changed by somebody else.";
        ReadBack => "read_back", "The rollback was carried out and read back.";
    }
}

named! {
    /// What is reported to people; [`NoticeKind::pages`] says for which of it somebody is woken.
    NoticeKind {
        GraceOpened => "grace_opened", "A grace has opened.";
        WouldRollBack => "would_roll_back", "In shadow mode: a rollback would have begun.";
        RollbackStarted => "rollback_started", "A rollback has begun.";
        RollbackEnded => "rollback_ended", "A rollback has ended, with its verdict.";
        RollbackNotVerified => "rollback_not_verified", "The traffic was read back as off the canary, and something else that was read back is wrong.";
        RollbackFailed => "rollback_failed", "A rollback failed or can't be verified.";
        RollbackWaits => "rollback_waits", "A rollback can't go on yet: the stable version lacks ready pods.";
        RollbackOverdue => "rollback_overdue", "A rollback has not ended within its deadline.";
        GraceCancelled => "grace_cancelled", "A grace was cancelled.";
        GraceHeld => "grace_held", "A grace is on hold.";
        GraceResumed => "grace_resumed", "A person ended a hold.";
        Acknowledged => "acknowledged", "A person has taken note.";
        AlertsEnded => "alerts_ended", "Every alert of a rollback has ended, after the traffic was off.";
        Escalated => "escalated", "An incident went on for so long that the next level is told.";
        ChannelFailed => "channel_failed", "A channel can't be told, or not yet after several tries.";
        PublicUpdateLate => "public_update_late", "The status page has no update yet, and it is nearly due.";
        IncidentSuperseded => "incident_superseded", "An incident was closed because another revision is on canary.";
        IncidentClosed => "incident_closed", "A person closed an incident.";
        EvidenceProblem => "evidence_problem", "Evidence was written elsewhere than it belongs, or what was found there is not as it was written.";
        RepeatedRollback => "repeated_rollback", "Second rollback within an hour, or third within a day.";
        WatchdogLost => "watchdog_lost", "The Watchdog has been silent for too long while a canary runs.";
        WatchdogBack => "watchdog_back", "The Watchdog is heard again, or no canary runs any more.";
        RampStarted => "ramp_started", "A ramp was started.";
        RampStageBegan => "ramp_stage_began", "A stage of a ramp began: its share was read back.";
        RampHolds => "ramp_holds", "A ramp stays in its stage, and why.";
        RampHoldsTooLong => "ramp_holds_too_long", "A ramp has held for longer than its limit.";
        RampGoesOn => "ramp_goes_on", "Nothing is in a ramp's way any more.";
        RampSucceeded => "ramp_succeeded", "A ramp has succeeded.";
        RampEnded => "ramp_ended", "A ramp ended without success.";
        RampRecordProblem => "ramp_record_problem", "A ramp's record is written, and something of it is missing or came otherwise.";
    }
}

impl Reason {
    /// Whether it says that a person decided.
    #[must_use]
    pub fn is_of_a_person(self) -> bool {
        matches!(self, Self::HeldByPerson | Self::ResumedByPerson | Self::ClosedByPerson | Self::Manual)
    }
}

impl NoticeKind {
    /// Whether nothing more is done for the incident after it.
    #[must_use]
    pub fn ends(self) -> bool {
        matches!(
            self,
            Self::WouldRollBack
                | Self::RollbackEnded
                | Self::RollbackNotVerified
                | Self::GraceCancelled
                | Self::IncidentSuperseded
                | Self::IncidentClosed
                | Self::AlertsEnded
                | Self::WatchdogBack
                | Self::RampGoesOn
                | Self::RampSucceeded
                | Self::RampEnded
        )
    }

    /// Whether somebody has to be woken for it.
    #[must_use]
    pub fn pages(self) -> bool {
        match self {
            Self::RollbackStarted
            | Self::RollbackFailed
            | Self::RollbackNotVerified
            | Self::RollbackOverdue
            | Self::RollbackWaits
            | Self::RepeatedRollback
            | Self::Escalated
            | Self::WatchdogLost
            | Self::RampHoldsTooLong => true,
            Self::GraceOpened
            | Self::WouldRollBack
            | Self::RollbackEnded
            | Self::GraceCancelled
            | Self::GraceHeld
            | Self::GraceResumed
            | Self::Acknowledged
            | Self::AlertsEnded
            | Self::ChannelFailed
            | Self::PublicUpdateLate
            | Self::IncidentSuperseded
            | Self::IncidentClosed
            | Self::EvidenceProblem
            | Self::WatchdogBack
            | Self::RampStarted
            | Self::RampStageBegan
            | Self::RampHolds
            | Self::RampGoesOn
            | Self::RampSucceeded
            | Self::RampEnded
            | Self::RampRecordProblem => false,
        }
    }
}
