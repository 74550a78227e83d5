//! How bad a canary has to be before a criterion can see it, and how many requests that takes.
//!
//! Where no label tells the canary's requests from stable's, its failures are diluted by all that stable
//! serves well: at a share of 1 % a canary that fails every request is 1 % of all, and no threshold of
//! the protocol is crossed. A gate that passes then has shown nothing, which a person has to know before
//! a ramp starts, and not after the incident.

use std::time::Duration;

use crate::incident::Share;

/// What a criterion judges, as far as it says how much has to be seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The part of the requests that fail stays below this, 0 to 1.
    Ratio { threshold: f64 },
    /// This quantile, 0 to 1, stays below some value: 0.95 says that no more than 5 % are above it.
    Quantile { quantile: f64 },
}

/// Whose requests a criterion's series count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A label tells them apart from stable's.
    CanaryAlone,
    /// Nothing does: one process serves both, or its series don't say which they are.
    CanaryAndStable,
}

/// What a criterion can see of a canary with this share of the traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionFloor {
    pub share: Share,
    pub counted: Counted,
    /// The part of the canary's requests, 0 to 1, that has to be bad before it shows; `None`: it never
    /// does, not even if all of them are.
    pub bad_above: Option<f64>,
    /// The canary's requests over the stage without which a pass would show nothing.
    pub requests_needed: u64,
}

/// Zero bad ones among `3 / p` requests show with 95 % confidence that fewer than `p` are bad: the rule of
/// three, never below the exact `ln(0.05) / ln(1 - p)`. For 1 % it says 300, and the exact one 299.
const RULE_OF_THREE: f64 = 3.0;

/// Fewer say nothing of a quantile: the 95th percentile of less than 59 requests is the slowest of them.
const LEAST_FOR_QUANTILES: f64 = 60.0;

/// A canary of which more than this part may be bad unseen is nothing to start without being asked.
const CONFIRM_ABOVE: f64 = 0.5;

/// Divisions such as `3 / 0.015` may end a hair above the whole number that is meant.
const ROUNDING: f64 = 1e-9;

impl Statistic {
    /// The part of the requests that may be bad, 0 to 1.
    fn tolerated(self) -> f64 {
        match self {
            Self::Ratio { threshold } => threshold,
            Self::Quantile { quantile } => 1.0 - quantile,
        }
    }

    /// How many requests a stage needs before it can pass.
    #[must_use]
    pub fn requests_needed(self) -> u64 {
        let for_confidence = (RULE_OF_THREE / self.tolerated() - ROUNDING).ceil();
        let needed = match self {
            Self::Ratio { .. } => for_confidence,
            // A higher quantile than the 95th rests on fewer of the requests, and takes more of them.
            Self::Quantile { .. } => for_confidence.max(LEAST_FOR_QUANTILES),
        };
        // A threshold of 0 asks for a number that no stage reaches: casts keep to the range of u64.
        needed as u64
    }
}

/// What a criterion can see of a canary at this share. A value that only reaches its threshold when every
/// single request is bad counts as never seen: one good one hides it.
#[must_use]
pub fn detection_floor(statistic: Statistic, share: Share, counted: Counted) -> DetectionFloor {
    let of_all = match counted {
        Counted::CanaryAlone => 1.0,
        Counted::CanaryAndStable => f64::from(share.0) / 100.0,
    };
    let bad_above = Some(statistic.tolerated() / of_all).filter(|part| *part < 1.0 - ROUNDING);
    DetectionFloor { share, counted, bad_above, requests_needed: statistic.requests_needed() }
}

impl DetectionFloor {
    /// Whether a person has to confirm that a ramp starts in spite of it.
    #[must_use]
    pub fn is_too_high(self) -> bool {
        self.bad_above.is_none_or(|part| part > CONFIRM_ABOVE)
    }

    /// How long a stage lasts until the canary has had enough requests; `None`: it never has.
    #[must_use]
    pub fn enough_after(self, canary_requests_per_second: f64) -> Option<Duration> {
        let seconds = (self.requests_needed as f64 / canary_requests_per_second - ROUNDING).ceil();
        // Refuses what comes of a rate that is 0, below it or no number.
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// What can be seen, in a sentence for people.
    #[must_use]
    pub fn words(self) -> String {
        let share = self.share;
        let Some(part) = self.bad_above else {
            return format!(
                "at {share} it can't see the canary: if all of its requests were bad, they would be {share} of \
                 all; to have them counted alone, give their series a label and name it in rollouts.metrics.canary"
            );
        };
        match self.counted {
            Counted::CanaryAlone => format!("at {share} it sees the canary once {} are bad", more_than(part)),
            Counted::CanaryAndStable => format!(
                "at {share} it sees the canary only once {} are bad, since stable's are counted with them",
                more_than(part)
            ),
        }
    }

    /// Whether a stage of this length sees enough requests, in a sentence for people.
    #[must_use]
    pub fn words_on_time(self, stage: Duration, canary_requests_per_second: f64) -> String {
        let needed = self.requests_needed;
        let Some(after) = self.enough_after(canary_requests_per_second) else {
            return format!(
                "the stage needs {needed} requests of the canary, which has none now: it would hold for want of them"
            );
        };
        let (after_words, stage_words) =
            (humantime::format_duration(after), humantime::format_duration(stage));
        if after > stage {
            format!(
                "the stage needs {needed} requests of the canary, which take {after_words} at today's rate: \
                 after its {stage_words} it would hold for want of them"
            )
        } else {
            format!(
                "the stage needs {needed} requests of the canary, which take {after_words} of its {stage_words} \
                 at today's rate"
            )
        }
    }
}

/// Such as `more than 2.4 % of its requests`, with as many digits as a person wants to read.
fn more_than(part: f64) -> String {
    let percent = (part * 1_000.0).round() / 10.0;
    format!("more than {percent} % of its requests")
}

#[cfg(test)]
mod tests;
