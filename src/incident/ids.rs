//! Identifiers, each a type of its own so that one can't be passed for another.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it stands.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text as it was given: foreign, so it reaches a person only through [`crate::text::shown`].
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The name of one configured application, such as `spark-trading`.
    RolloutName
}
text_id! {
    /// Alertmanager's identity of an alert: 16 hex digits over all its labels
    /// (reference notes on Alertmanager, section 1). 64 bits, so the labels are stored beside it.
    Fingerprint
}
text_id! {
    /// The version on canary: as the target says it, or as it is configured.
    Revision
}

impl Revision {
    /// Of a canary whose version nobody has said yet.
    pub const UNKNOWN: &'static str = "unknown";

    /// Whether both can be the same version: what is not known may be any.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        self == other || self.as_str() == Self::UNKNOWN || other.as_str() == Self::UNKNOWN
    }
}

text_id! {
    /// A configured channel to people, such as `slack`.
    ChannelName
}
text_id! {
    /// One incident: `<rollout>-<yyyymmdd>-<hhmmss>-<4 hex>`.
    IncidentId
}

text_id! {
    /// One ramp: `<rollout>-ramp-<yyyymmdd>-<hhmmss>`. Two of a rollout never start in one second, since one
    /// has to have ended first.
    RampId
}
text_id! {
    /// A pass criterion's name in the configuration, such as `api-p95`.
    CriterionName
}

impl RampId {
    /// The id of a ramp that starts at `at`.
    #[must_use]
    pub fn compose(rollout: &RolloutName, at: DateTime<Utc>) -> Self {
        Self::new(format!("{rollout}-ramp-{}", at.format("%Y%m%d-%H%M%S")))
    }
}

impl IncidentId {
    /// The id of an incident opened at `at`. `number` separates those that open in the same second.
    #[must_use]
    pub fn compose(rollout: &RolloutName, at: DateTime<Utc>, number: u16) -> Self {
        Self::new(format!("{rollout}-{}-{number:04x}", at.format("%Y%m%d-%H%M%S")))
    }

    /// The number that the id was composed with; `None` where it was not composed here.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        let (_, number) = self.as_str().rsplit_once('-')?;
        u16::from_str_radix(number, 16).ok().filter(|_| number.len() == 4)
    }
}

/// A stage of the protocol's ramp, 1 to 5, with weights 1, 5, 25, 50 and 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Stage(u8);

/// A stage number outside 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no stage {0}: stages are 1 to 5 (1, 5, 25, 50 and 100 %)")]
pub struct UnknownStage(pub u8);

impl Stage {
    /// The weights of the stages in per cent, by the protocol.
    pub const WEIGHTS: [u8; 5] = [1, 5, 25, 50, 100];

    /// The stage that a canary share belongs to: the highest whose weight it has reached, and
    /// stage 1 for any share below. `None` at 0 %: no stage is running.
    #[must_use]
    pub fn from_share(percent: u8) -> Option<Self> {
        let reached = Self::WEIGHTS.iter().filter(|weight| **weight <= percent).count();
        match (percent, u8::try_from(reached)) {
            (0, _) | (_, Err(_)) => None,
            (_, Ok(reached)) => Some(Self(reached.max(1))),
        }
    }

    /// The stage's number, 1 to 5.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Stage {
    type Error = UnknownStage;
    fn try_from(number: u8) -> Result<Self, UnknownStage> {
        if (1..=5).contains(&number) { Ok(Self(number)) } else { Err(UnknownStage(number)) }
    }
}

impl From<Stage> for u8 {
    fn from(stage: Stage) -> u8 {
        stage.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_the_highest_weight_that_the_share_has_reached() {
        for (percent, stage) in [
            (0, None),
            (1, Some(1)),
            (4, Some(1)),
            (5, Some(2)),
            (24, Some(2)),
            (25, Some(3)),
            (49, Some(3)),
            (50, Some(4)),
            (99, Some(4)),
            (100, Some(5)),
        ] {
            assert_eq!(Stage::from_share(percent).map(Stage::number), stage, "{percent} %");
        }
    }

    #[test]
    fn an_incident_id_names_rollout_second_and_number() {
        let at = "2026-11-24T03:04:05.678Z".parse().expect("a time");
        let id = IncidentId::compose(&RolloutName::new("spark-trading"), at, 0x0a);
        assert_eq!(id.as_str(), "spark-trading-20261124-030405-000a");
        assert_eq!(id.number(), Some(10));
        assert_eq!(IncidentId::new("another-kind").number(), None);
    }

    #[test]
    fn a_stage_outside_one_to_five_is_refused_by_name() {
        assert!(Stage::try_from(0).is_err());
        assert_eq!(
            Stage::try_from(6).map_err(|e| e.to_string()),
            Err("there is no stage 6: stages are 1 to 5 (1, 5, 25, 50 and 100 %)".into())
        );
    }
}
