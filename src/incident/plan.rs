//! The goals of a rollback, in their order. Stored as it begins, so that a changed configuration
//! doesn't change a rollback under way.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Step, StepOutcome, StepRecord};

/// One thing to reach. All are absolute, so that one that is reached already costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// No traffic on the canary, whatever serves instead: for targets that don't say.
    TrafficOff,
    /// The stable version asks for at least so many replicas.
    StableReplicas { at_least: u16 },
    /// No traffic on the canary, and never more on the stable version than its ready endpoints carry.
    ShiftTraffic {
        /// So many ready endpoints carry all of it.
        replicas: u16,
        /// After so long, any one of them has to: a bad canary for everybody beats a slow stable for
        /// some, but not for ever.
        all_after_seconds: u32,
    },
    /// The canary has no pods, once the traffic has been off it for so long.
    CanaryDown {
        drain_seconds: u32,
        /// The stable version has to have so many ready endpoints, or the canary stays.
        replicas: u16,
    },
}

/// The goals of a rollback, in the order in which they are reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    pub goals: Vec<Goal>,
}

impl Default for Plan {
    /// That of every rollback that was stored before plans were.
    fn default() -> Self {
        Self { goals: vec![Goal::TrafficOff] }
    }
}

/// What an attempt has done of its plan, as far as its next step depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The step that is under way.
    pub step: Option<Step>,
    /// What is waited for before the next one.
    pub waiting: Option<Pause>,
    pub last_step_ended_at: Option<DateTime<Utc>>,
    /// When the traffic was last taken off the canary.
    pub traffic_off_at: Option<DateTime<Utc>>,
    /// How many of its steps found their conditions gone.
    pub not_now: u32,
}

impl Progress {
    pub(super) fn ended(&mut self, record: &StepRecord) {
        self.step = None;
        self.waiting = None;
        self.last_step_ended_at = Some(record.ended_at);
        if record.step.takes_traffic_off() && record.outcome.is_done() {
            self.traffic_off_at = Some(record.ended_at);
        }
        self.not_now += u32::from(record.outcome == StepOutcome::NotNow);
    }

    /// The clock was set: spans stay as long as they were.
    pub(super) fn clock_stepped(&mut self, by: TimeDelta) {
        let times = [&mut self.last_step_ended_at, &mut self.traffic_off_at];
        times.into_iter().flatten().for_each(|at| *at += by);
    }
}

/// What a rollback waits for before its next step. Each has a name for machines and a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// No endpoint of the stable version is ready: shifting now would leave users with nothing.
    NoReadyStable,
    /// Some are, and the canary has the least share that they can't carry.
    StableComingUp,
    /// The traffic is off, and what was begun on the canary may end.
    Draining,
    /// The traffic is off, but the stable version lacks pods: the canary's stay.
    StableShort,
    /// The traffic is off, and no endpoint of the stable version is ready: nobody is served.
    NobodyServes,
    /// The controller that owns the rollout was told to stop it, and takes the traffic off itself.
    OwnerRollsBack,
}

impl Pause {
    /// The text used in JSON, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoReadyStable => "no_ready_stable",
            Self::StableComingUp => "stable_coming_up",
            Self::Draining => "draining",
            Self::StableShort => "stable_short",
            Self::NobodyServes => "nobody_serves",
            Self::OwnerRollsBack => "owner_rolls_back",
        }
    }

    /// What it waits for, in a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoReadyStable => {
                "No pod of the stable version is ready: the traffic stays where it is, because taking it off the canary would leave users with nothing."
            }
            Self::StableComingUp => {
                "Too few pods of the stable version are ready to carry everything: the canary keeps the rest until they are."
            }
            Self::Draining => "The traffic is off the canary; its pods may finish what they began.",
            Self::StableShort => {
                "The traffic is off the canary; its pods stay until the stable version has all of its own."
            }
            Self::NobodyServes => {
                "No traffic leads to the canary, and no pod of the stable version is ready: users get errors until one is."
            }
            Self::OwnerRollsBack => {
                "The controller that owns the rollout was told to stop it; it takes the traffic off the canary itself."
            }
        }
    }
}
