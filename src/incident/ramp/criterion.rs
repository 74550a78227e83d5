//! What has to hold in a stage before its ramp goes on. Frozen with the plan, so that evidence can be judged
//! again by what was asked then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::incident::CriterionName;

/// One pass criterion of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    pub name: CriterionName,
    /// As the protocol or its author says it, such as `API P95 < 200 ms`; foreign text.
    pub title: String,
    #[serde(default)]
    pub on_fail: OnFail,
    /// It can hold the ramp and nothing more, whatever [`Criterion::on_fail`] says: a comparison with the
    /// stable version, for instance.
    #[serde(default)]
    pub is_advisory: bool,
    pub question: Question,
}

/// What a criterion that fails leads to. One that can't be judged always holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFail {
    /// The ramp stays where it is, and people are told.
    #[default]
    Hold,
    /// The ramp ends with a rollback.
    RollBack,
}

/// What is asked, by the kind of system that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Question {
    /// Prometheus, over the stage.
    Query(RangeQuery),
    /// An HTTP API.
    Http(HttpCheck),
    /// Loki: how many lines match.
    Logs(LogCheck),
    /// A program.
    Command(CommandCheck),
    /// A person, as with the protocol's "user feedback".
    Approval,
}

/// One expression over the time of a stage, and what each of its points is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeQuery {
    /// PromQL that yields one series.
    pub expression: String,
    pub bound: Bound,
    pub unit: Unit,
    /// How far the expression looks back: nothing is judged before the stage is as old.
    pub window_seconds: u32,
    /// A counter that is judged by how much it grew since the stage began, and counts from 0 if it has no
    /// series yet: one that is born with its first error is invisible to `increase()`.
    #[serde(default)]
    pub since_stage_began: bool,
    /// PromQL of a counter of what the expression is about, such as the canary's requests; without one,
    /// every point counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<String>,
    /// So many of them over the stage say something.
    #[serde(default)]
    pub min_samples: u64,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    Below(f64),
    AtMost(f64),
    Above(f64),
    AtLeast(f64),
}

impl Bound {
    /// The threshold itself.
    #[must_use]
    pub fn threshold(self) -> f64 {
        match self {
            Self::Below(value) | Self::AtMost(value) | Self::Above(value) | Self::AtLeast(value) => value,
        }
    }

    /// Whether a value is as it has to be. Not a number never is.
    #[must_use]
    pub fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::Below(bound) => value < bound,
            Self::AtMost(bound) => value <= bound,
            Self::Above(bound) => value > bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }

    /// As it is written, such as `<`.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Below(_) => "<",
            Self::AtMost(_) => "<=",
            Self::Above(_) => ">",
            Self::AtLeast(_) => ">=",
        }
    }
}

/// The unit of a value, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    #[default]
    Count,
    Seconds,
    /// 1 is all.
    Ratio,
    PerSecond,
    PerMinute,
    Bytes,
}

/// A GET request whose answer is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpCheck {
    /// Holds no secret: those come from the configuration as it is asked.
    pub url: String,
    /// The HTTP status that passes.
    pub status: u16,
    /// JSON pointer (RFC 6901) into the answer; without one the status alone counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What it has to point at, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<serde_json::Value>,
    pub every_seconds: u32,
}

/// Lines that Loki counts over the stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogCheck {
    /// LogQL that selects lines; Backstop counts them.
    pub selector: String,
    pub at_most: u64,
    pub every_seconds: u32,
    /// The file of the stage's evidence that has the first of the lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A program: its end says pass (0), fail (1) or nothing (all else).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandCheck {
    /// The program and its arguments; no shell reads them.
    pub argv: Vec<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The names of the variables that it gets from Backstop's own environment.
    #[serde(default)]
    pub environment: Vec<String>,
    /// What it gets beside those; no secrets, since all of it is evidence.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    pub timeout_seconds: u32,
    pub every_seconds: u32,
    /// The file of the stage's evidence that has what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}
