//! Why something was done or left: one closed list for log, metric, API and evidence alike.

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every variant, for metrics that exist at zero and for documentation tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text used in JSON, logs and metrics.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// The reason of a decision. The first group acts, the others are the named ways not to.
    Reason {
        /// A critical alert fires while the canary has, or may have, traffic.
        CriticalAlert => "critical_alert",
        /// The grace ended and its alert is still listed.
        StillFiring => "still_firing",
        /// The grace ended and nobody could say whether the alert still fires.
        Unverified => "unverified",
        /// A person asked for it.
        Manual => "manual",
        /// A critical fired, and perhaps resolved, while Backstop was down.
        MissedWhileDown => "missed_while_down",
        /// A failed or undone rollback is tried again.
        Retry => "retry",

        /// A warning opened a grace.
        WarningAlert => "warning_alert",
        /// The alert began before the running canary did; it gets a grace to clear.
        OlderThanCanary => "older_than_canary",
        /// The alert began before its own last resolve: stale, or a real re-fire. Asked first.
        OlderThanResolve => "older_than_resolve",
        /// The canary's share was at 0 % or unread for too long; it is read before deciding.
        ShareUnread => "share_unread",

        /// The canary has no traffic: there is nothing to roll back.
        NoCanary => "no_canary",
        /// `mode = "shadow"`: it would have rolled back.
        ShadowMode => "shadow_mode",
        /// `mode = "off"`: alerts are not acted upon.
        ModeOff => "mode_off",
        /// The alert's `severity` is neither critical nor warning.
        SeverityNotActionable => "severity_not_actionable",

        /// The same message again.
        Duplicate => "duplicate",
        /// The alert joins the grace that is open.
        JoinedGrace => "joined_grace",
        /// The alert joins the hold that a person or a silence put.
        JoinedHold => "joined_hold",
        /// A rollback is under way; the alert is recorded with it.
        RollbackRunning => "rollback_running",
        /// This run of this revision has been rolled back; the alert is recorded with it.
        AlreadyRolledBack => "already_rolled_back",

        /// Gone, and the answer can be trusted.
        ResolvedConfirmed => "resolved_confirmed",
        /// Resolved by message; no API is configured that could confirm it.
        ResolvedUnconfirmed => "resolved_unconfirmed",
        /// Resolved by message, but not confirmed: the grace goes on.
        ResolveNotTrusted => "resolve_not_trusted",
        /// A resolve of an alert that opened nothing.
        ResolvedElsewhere => "resolved_elsewhere",

        /// A person stopped the grace.
        HeldByPerson => "held_by_person",
        /// The alert is silenced in Alertmanager: a person muted it.
        HeldBySilence => "held_by_silence",
        /// Nobody answered, and the setting says to hold.
        HeldUnverified => "held_unverified",
        /// The hold ended by a person.
        ResumedByPerson => "resumed_by_person",
        /// The hold ran out.
        HoldExpired => "hold_expired",
        /// A person has taken note.
        Acknowledged => "acknowledged",

        /// A step could not be carried out.
        StepFailed => "step_failed",
        /// Something read back is wrong.
        NotVerified => "not_verified",
        /// What matters could not be read back.
        NotReadable => "not_readable",
        /// The canary has traffic again although it was rolled back.
        TrafficReturned => "traffic_returned",
        /// The rollback was carried out and read back.
        ReadBack => "read_back",
    }
}

named! {
    /// What people have to be told.
    NoticeKind {
        /// A grace has opened.
        GraceOpened => "grace_opened",
        /// A rollback has begun.
        RollbackStarted => "rollback_started",
        /// A rollback has ended, with its verdict.
        RollbackEnded => "rollback_ended",
        /// A rollback failed or can't be verified.
        RollbackFailed => "rollback_failed",
        /// A rollback has not ended within its deadline.
        RollbackOverdue => "rollback_overdue",
        /// A grace was cancelled.
        GraceCancelled => "grace_cancelled",
        /// A grace is on hold.
        GraceHeld => "grace_held",
        /// Second rollback within an hour, or third within a day.
        RepeatedRollback => "repeated_rollback",
        /// The Watchdog has been silent for too long while a canary runs.
        WatchdogLost => "watchdog_lost",
        /// The Watchdog is heard again.
        WatchdogBack => "watchdog_back",
    }
}

impl NoticeKind {
    /// Whether somebody has to be woken for it.
    #[must_use]
    pub fn pages(self) -> bool {
        match self {
            Self::RollbackFailed | Self::RollbackOverdue | Self::RepeatedRollback | Self::WatchdogLost => {
                true
            }
            Self::GraceOpened
            | Self::RollbackStarted
            | Self::RollbackEnded
            | Self::GraceCancelled
            | Self::GraceHeld
            | Self::WatchdogBack => false,
        }
    }
}

/// Who or what caused an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// An alert.
    Automatic,
    /// A person, by name.
    Manual {
        /// Who asked.
        actor: String,
    },
}

impl std::fmt::Display for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Automatic => f.write_str("Automatic"),
            Self::Manual { actor } => write!(f, "Manual ({actor})"),
        }
    }
}
