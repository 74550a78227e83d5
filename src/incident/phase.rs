//! Where an incident stands.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Reason, Revision};

/// Why a grace runs instead of a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraceCause {
    /// A warning: the protocol's five minutes.
    Warning,
    /// The alert is older than the canary: it may be about its predecessor.
    OlderThanCanary,
    /// The alert is older than its own resolve: it may be a stale message.
    OlderThanResolve,
}

/// A grace that is stopped by a person, or by Backstop itself (the actor is `backstop` then).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub actor: String,
    pub reason: Reason,
    pub until: DateTime<Utc>,
}

/// Where an incident stands; [`Phase::is_closed`] says in which phases nothing more is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Phase {
    /// Opened a moment ago, by the same append that says what follows.
    Opened,
    Grace {
        cause: GraceCause,
        /// Set when every alert has resolved by message and that is yet to be confirmed.
        confirm_early: bool,
    },
    /// The grace is stopped: by a person, by a silence, or because nobody answered.
    Held(Hold),
    /// The steps are being carried out.
    RollingBack {
        /// 1 for the first.
        attempt: u32,
        since: DateTime<Utc>,
    },
    /// The steps are done and the world is being read.
    Verifying {
        since: DateTime<Utc>,
        until: DateTime<Utc>,
        attempt: u32,
    },
    /// Read back as off the canary; verification ended.
    RolledBack,
    /// The grace ended without a rollback.
    Cancelled {
        reason: Reason,
    },
    Declined {
        reason: Reason,
    },
    /// Failed or not verifiable; open, and tried again or left to a person.
    Failed {
        reason: Reason,
        attempt: u32,
        /// When it is tried again; `None`: it waits for a person.
        retry_at: Option<DateTime<Utc>>,
    },
    /// Another revision is on canary.
    Superseded {
        by: Revision,
    },
    Closed {
        actor: String,
        words: String,
    },
}

impl Phase {
    /// Every name that [`Phase::name`] gives.
    pub const NAMES: [&str; 10] = [
        "grace",
        "held",
        "rolling_back",
        "verifying",
        "rolled_back",
        "cancelled",
        "declined",
        "superseded",
        "closed",
        "failed",
    ];

    /// The state's name in the API (design, section 7).
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened | Self::RollingBack { .. } => "rolling_back",
            Self::Grace { .. } => "grace",
            Self::Held(_) => "held",
            Self::Verifying { .. } => "verifying",
            Self::RolledBack => "rolled_back",
            Self::Cancelled { .. } => "cancelled",
            Self::Declined { .. } => "declined",
            Self::Failed { .. } => "failed",
            Self::Superseded { .. } => "superseded",
            Self::Closed { .. } => "closed",
        }
    }

    /// Whether nothing more will be done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match self {
            Self::RolledBack
            | Self::Cancelled { .. }
            | Self::Declined { .. }
            | Self::Superseded { .. }
            | Self::Closed { .. } => true,
            Self::Opened
            | Self::Grace { .. }
            | Self::Held(_)
            | Self::RollingBack { .. }
            | Self::Verifying { .. }
            | Self::Failed { .. } => false,
        }
    }
}
