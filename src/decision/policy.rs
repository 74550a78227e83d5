//! A rollout's settings, as far as decisions look at them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::incident::{ChannelName, NoticeKind, Revision};

/// What Backstop may do for a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Armed,
    /// Decide, record what would have been done, touch nothing.
    Shadow,
    /// Record alerts, do nothing.
    Off,
}

/// What to do at the end of a grace when nobody can say whether the alert still fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnverified {
    /// Roll back, and say that it was not verified: a needless rollback costs a release, a missed
    /// one costs customers.
    RollBack,
    Hold,
}

/// A channel to people, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub channel: ChannelName,
    pub kinds: BTreeSet<NoticeKind>,
    /// Within which time of the first notice something has to be delivered there; for those that the
    /// public reads.
    pub first_within: Option<TimeDelta>,
}

/// A rollout's settings. They are an argument of each decision and not part of the state: a changed
/// one holds for open incidents too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub mode: Mode,
    /// An alert belongs to the rollout when it carries all of these labels.
    pub matching: BTreeMap<String, String>,
    pub revision: Revision,
    /// From a warning's `startsAt` to the decision; the protocol says five minutes.
    pub grace: TimeDelta,
    /// How long a hold lasts unless the person says otherwise.
    pub hold: TimeDelta,
    pub on_unverified: OnUnverified,
    /// How long a verification may take to reach its verdict.
    pub verify_window: TimeDelta,
    /// How long a whole rollback may take, verification included, before it is reported that it has not
    /// ended.
    pub rollback_deadline: TimeDelta,
    /// How long a reading of the share above 0 % may be relied upon.
    pub reading_valid: TimeDelta,
    /// After this long without a Watchdog its silence is reported; nothing is rolled back for it.
    pub watchdog_timeout: TimeDelta,
    /// The configured channels. Empty: people learn of nothing but by log and metrics.
    pub recipients: Vec<Recipient>,
}
