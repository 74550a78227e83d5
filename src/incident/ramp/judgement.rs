//! What became of a criterion.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::reason::named;
use crate::incident::CriterionName;

named! {
    /// Whether a criterion lets its ramp go on.
    GateVerdict {
        Pass => "pass", "It holds, as enough data say.";
        Fail => "fail", "It does not hold.";
        Unknown => "unknown", "Nobody can say: that is never a pass.";
    }
}

impl GateVerdict {
    /// As evidence and terminals write it: `PASS`.
    #[must_use]
    pub fn in_capitals(self) -> String {
        self.as_str().to_ascii_uppercase()
    }
}

named! {
    /// Why a criterion got its verdict.
    GateReason {
        Within => "within", "Enough data, all as they have to be.";
        OutsideNow => "outside_now", "A value of the last five minutes is outside.";
        OutsideTooOften => "outside_too_often", "More than a tenth of all values of the stage are outside.";
        NotAsExpected => "not_as_expected", "The answer is another one than expected.";
        CommandFailed => "command_failed", "The program ended with 1.";
        TooManyLines => "too_many_lines", "More log lines match than may.";
        TooEarly => "too_early", "The stage is younger than what the criterion looks back at.";
        TooFewSamples => "too_few_samples", "Too little has happened in the stage to say anything.";
        NoData => "no_data", "The answer is empty.";
        NotANumber => "not_a_number", "A value is no number.";
        Gaps => "gaps", "Less than nine tenths of the stage have data, or the last five minutes lack some.";
        SeveralSeries => "several_series", "Several series came where one is meant.";
        NoAnswer => "no_answer", "Who was asked gave no usable answer.";
        CommandUnclear => "command_unclear", "The program said neither yes nor no, or did not end in time.";
        NotAsked => "not_asked", "It has not been asked yet.";
        AskedTooLongAgo => "asked_too_long_ago", "It passed when it was last asked, too long ago to leave a stage by.";
        NotApproved => "not_approved", "No person has approved it yet.";
        Approved => "approved", "A person has approved it.";
    }
}

/// What became of one criterion at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub criterion: CriterionName,
    pub verdict: GateVerdict,
    pub reason: GateReason,
    /// The last value, in the criterion's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// A sentence for people, with what was seen.
    pub detail: String,
    pub judged_at: DateTime<Utc>,
}
