//! What people are to know: facts, not sentences, so that each channel says them in its own form.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Alert, Cause, ChannelName, Event, NoticeKind, Pause, RampFact, Reason, Revision, Share, Stage, Verdict,
};
use crate::text::{kept, kept_within};

/// The longest summary or description of an alert that a message can show.
const MAX_DESCRIPTION_CHARS: usize = 1_000;

/// The place of a notice among its incident's, or its rollout's own, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoticeId(pub u32);

impl std::fmt::Display for NoticeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A level of the protocol's escalation path, 1 to 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Level(pub u8);

impl Level {
    /// The on-call engineer, who is told first.
    pub const FIRST: Self = Self(1);
    /// The full team; nobody is left to tell after it.
    pub const LAST: Self = Self(3);
}

/// What a message shows of an alert; all texts are foreign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertFact {
    pub name: String,
    /// The annotation `summary`; empty where there is none.
    #[serde(default)]
    pub summary: String,
    /// The annotation `description`, where the shipped rules put the value.
    #[serde(default)]
    pub description: String,
    /// The annotation `threshold`.
    #[serde(default)]
    pub threshold: Option<String>,
    /// The annotation `runbook_url`.
    #[serde(default)]
    pub runbook_url: Option<String>,
    pub starts_at: DateTime<Utc>,
}

impl AlertFact {
    /// What is worth showing of an alert.
    #[must_use]
    pub fn of(alert: &Alert) -> Self {
        let annotation = |name: &str| alert.annotations.get(name).map(String::as_str);
        let long =
            |name: &str| kept_within(annotation(name).unwrap_or_default().trim(), MAX_DESCRIPTION_CHARS);
        Self {
            name: kept(alert.name()),
            summary: long("summary"),
            description: long("description"),
            threshold: annotation("threshold").map(kept),
            runbook_url: annotation("runbook_url").map(kept),
            starts_at: alert.starts_at,
        }
    }
}

/// What happened, with what texts need of it. Stored: a new member needs a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum NoticeFact {
    GraceOpened {
        alert: AlertFact,
        ends_at: DateTime<Utc>,
        /// Whether it was over before it began: a reopened one keeps its first deadline.
        is_over: bool,
        /// Whether nothing will be done at its end, because the rollout's mode is `shadow`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        shadow: bool,
    },
    GraceHeld {
        actor: String,
        reason: Reason,
        until: DateTime<Utc>,
    },
    GraceResumed {
        actor: String,
        ends_at: Option<DateTime<Utc>>,
    },
    GraceCancelled {
        reason: Reason,
    },
    WouldRollBack {
        cause: Cause,
        #[serde(default)]
        alert: Option<AlertFact>,
    },
    RollbackStarted {
        revision: Revision,
        cause: Cause,
        /// None where a person is the cause.
        #[serde(default)]
        alert: Option<AlertFact>,
        due_at: DateTime<Utc>,
    },
    RepeatedRollback(Repeated),
    RollbackEnded {
        verdict: Verdict,
    },
    RollbackNotVerified {
        /// What was read and is wrong, a sentence each.
        wrong: Vec<String>,
    },
    RollbackFailed {
        attempt: u32,
        reason: Reason,
        detail: String,
        /// None: it waits for a person.
        retry_at: Option<DateTime<Utc>>,
    },
    /// The rollback can't go on before something changes outside.
    RollbackWaits {
        waiting: Pause,
    },
    RollbackOverdue {
        since: DateTime<Utc>,
        stands: String,
    },
    Acknowledged {
        actor: String,
    },
    IncidentSuperseded {
        by: Revision,
        instead_of: Revision,
        was: String,
    },
    IncidentClosed {
        actor: String,
        words: String,
    },
    /// Every alert of a rollback has ended, after the traffic was off.
    AlertsEnded,
    EvidenceProblem {
        problems: String,
    },
    Escalated {
        level: Level,
        since: DateTime<Utc>,
        acknowledged_by: Option<String>,
    },
    /// A message can't be delivered there, and why; or not yet, after several tries.
    ChannelFailed {
        channel: ChannelName,
        error: String,
        /// Whether it is still tried.
        is_tried: bool,
        /// Whether the channel is one that wakes somebody or that the public reads: then a person has to act.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        matters: bool,
    },
    /// The public does not know yet, and its time is nearly over.
    PublicUpdateLate {
        channel: ChannelName,
        due_at: DateTime<Utc>,
    },
    WatchdogLost {
        silent_seconds: u64,
    },
    WatchdogBack,
    Ramp(RampFact),
}

/// Why a rollback is one too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// Another revision was rolled back within the hour.
    Other { revision: Revision, minutes_ago: i64 },
    /// It is so many within a day.
    Today(usize),
}

impl NoticeFact {
    /// Its kind, for filters, metrics and logs.
    #[must_use]
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::GraceOpened { .. } => NoticeKind::GraceOpened,
            Self::GraceHeld { .. } => NoticeKind::GraceHeld,
            Self::GraceResumed { .. } => NoticeKind::GraceResumed,
            Self::GraceCancelled { .. } => NoticeKind::GraceCancelled,
            Self::WouldRollBack { .. } => NoticeKind::WouldRollBack,
            Self::RollbackStarted { .. } => NoticeKind::RollbackStarted,
            Self::RepeatedRollback(_) => NoticeKind::RepeatedRollback,
            Self::RollbackEnded { .. } => NoticeKind::RollbackEnded,
            Self::RollbackNotVerified { .. } => NoticeKind::RollbackNotVerified,
            Self::RollbackFailed { .. } => NoticeKind::RollbackFailed,
            Self::RollbackWaits { .. } => NoticeKind::RollbackWaits,
            Self::RollbackOverdue { .. } => NoticeKind::RollbackOverdue,
            Self::Acknowledged { .. } => NoticeKind::Acknowledged,
            Self::IncidentSuperseded { .. } => NoticeKind::IncidentSuperseded,
            Self::IncidentClosed { .. } => NoticeKind::IncidentClosed,
            Self::AlertsEnded => NoticeKind::AlertsEnded,
            Self::EvidenceProblem { .. } => NoticeKind::EvidenceProblem,
            Self::Escalated { .. } => NoticeKind::Escalated,
            Self::ChannelFailed { .. } => NoticeKind::ChannelFailed,
            Self::PublicUpdateLate { .. } => NoticeKind::PublicUpdateLate,
            Self::WatchdogLost { .. } => NoticeKind::WatchdogLost,
            Self::WatchdogBack => NoticeKind::WatchdogBack,
            Self::Ramp(fact) => fact.kind(),
        }
    }
}

/// Something that people are to know. Those of versions that stored a sentence have that instead of
/// a fact, no id, and are never sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredNotice")]
pub struct Notice {
    pub at: DateTime<Utc>,
    pub kind: NoticeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<NoticeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<NoticeFact>,
    /// The stage and the canary's share as they were known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// What an older version said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart as it is read")]
enum StoredNotice {
    Old(DateTime<Utc>, NoticeKind, String),
    Fact {
        at: DateTime<Utc>,
        kind: NoticeKind,
        #[serde(default)]
        id: Option<NoticeId>,
        #[serde(default)]
        fact: Option<NoticeFact>,
        #[serde(default)]
        stage: Option<Stage>,
        #[serde(default)]
        share: Option<Share>,
        #[serde(default)]
        text: String,
    },
}

impl From<StoredNotice> for Notice {
    fn from(stored: StoredNotice) -> Self {
        match stored {
            StoredNotice::Old(at, kind, text) => {
                Self { at, kind, id: None, fact: None, stage: None, share: None, text }
            }
            StoredNotice::Fact { at, kind, id, fact, stage, share, text } => {
                Self { at, kind, id, fact, stage, share, text }
            }
        }
    }
}

impl Notice {
    /// The notice that an event raises; `None` for any other event.
    #[must_use]
    pub fn of(at: DateTime<Utc>, event: &Event) -> Option<Self> {
        let Event::NoticeRaised { kind, id, fact, stage, share, text, to: _ } = event else { return None };
        Some(Self {
            at,
            kind: *kind,
            id: *id,
            fact: fact.as_deref().cloned(),
            stage: *stage,
            share: *share,
            text: text.clone(),
        })
    }
}
