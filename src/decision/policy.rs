//! A rollout's settings, as far as decisions look at them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::incident::{
    ChannelName, Goal, Incident, NoticeKind, Observation, Plan, Revision, RolloutState, Severity,
};

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
    /// Whether somebody is woken there: that a rollback began is told also after it has ended, while its
    /// alerts fire.
    pub wakes: bool,
}

/// What a rollback has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanPolicy {
    /// The target moves traffic, and knows nothing of what serves.
    TrafficOnly,
    /// It has workloads, too: the protocol's `stable --replicas=3`, weight 0, `canary --replicas=0`.
    Workloads {
        /// The stable version's replicas that carry all of the traffic.
        replicas: u16,
        /// After so long any ready endpoint has to carry it, for a critical and for a person's request.
        critical_after_seconds: u32,
        /// The same for a warning.
        warning_after_seconds: u32,
        /// What was begun on the canary has so long to end.
        drain_seconds: u32,
    },
}

impl PlanPolicy {
    /// How many pods of the stable version have to serve; `None`: nobody knows of any.
    #[must_use]
    pub fn replicas(self) -> Option<u16> {
        match self {
            Self::TrafficOnly => None,
            Self::Workloads { replicas, .. } => Some(replicas),
        }
    }

    /// The plan of a rollback that began for something this urgent.
    #[must_use]
    pub fn for_severity(self, severity: Severity) -> Plan {
        match self {
            Self::TrafficOnly => Plan { goals: vec![Goal::TrafficOff] },
            Self::Workloads { replicas, critical_after_seconds, warning_after_seconds, drain_seconds } => {
                let all_after_seconds = match severity {
                    Severity::Critical => critical_after_seconds,
                    Severity::Warning | Severity::Unknown => warning_after_seconds,
                };
                Plan {
                    goals: vec![
                        Goal::StableReplicas { at_least: replicas },
                        Goal::ShiftTraffic { replicas, all_after_seconds },
                        Goal::CanaryDown { drain_seconds, replicas },
                    ],
                }
            }
        }
    }
}

/// A rollout's settings. They are an argument of each decision and not part of the state: a changed
/// one holds for open incidents too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub mode: Mode,
    /// An alert belongs to the rollout when it carries all of these labels.
    pub matching: BTreeMap<String, String>,
    /// The version on canary. Where the target says which one that is, see [`Policy::revision_now`].
    pub revision: Revision,
    /// From a warning's `startsAt` to the decision; the protocol says five minutes.
    pub grace: TimeDelta,
    /// How long a hold lasts unless the person says otherwise.
    pub hold: TimeDelta,
    pub on_unverified: OnUnverified,
    pub plan: PlanPolicy,
    /// How long a verification may take to reach its verdict.
    pub verify_window: TimeDelta,
    /// How long a rollback is watched before it is called done: what undoes it meanwhile is set again.
    pub guard: TimeDelta,
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

impl Policy {
    /// The revision that is on canary now: as the target was last observed, or else as the open incident
    /// and the canary's run know it. A target that only moves traffic says none, so the configured one
    /// holds.
    #[must_use]
    pub fn revision_now<'a>(
        &'a self,
        state: &'a RolloutState,
        observed: Option<&'a Observation>,
    ) -> &'a Revision {
        if self.plan == PlanPolicy::TrafficOnly {
            return &self.revision;
        }
        let of_incident = || state.open_incident().map(Incident::revision);
        let of_run = || state.run.as_ref().and_then(|run| run.revision.as_ref());
        let seen = observed.and_then(|observed| observed.revision.as_ref());
        seen.or_else(of_incident).or_else(of_run).unwrap_or(&self.revision)
    }
}
