//! What was answered to a criterion's question. It goes into a stage's evidence as it is, and is judged again
//! from there: whatever a verdict depends on stands in here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::incident::Question;

/// What one question was answered, by the kind of system that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    Range(RangeAnswer),
    Http(HttpAnswer),
    Logs(LogAnswer),
    Command(CommandAnswer),
    Approval(ApprovalAnswer),
}

impl Answer {
    /// When the one answer was asked for that it is; `None`: it is about a time, or a person's word.
    #[must_use]
    pub fn asked_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Http(answer) => Some(answer.asked_at),
            Self::Logs(answer) => Some(answer.asked_at),
            Self::Command(answer) => Some(answer.asked_at),
            Self::Range(_) | Self::Approval(_) => None,
        }
    }

    /// That a question got no answer, and why; of a person's word there is none.
    #[must_use]
    pub fn failed(question: &Question, error: String, asked_at: DateTime<Utc>) -> Self {
        let error = Some(error);
        match question {
            Question::Query(_) => Self::Range(RangeAnswer { error, ..RangeAnswer::default() }),
            Question::Http(_) => Self::Http(HttpAnswer { asked_at, status: None, pointed: None, error }),
            Question::Logs(_) => Self::Logs(LogAnswer { asked_at, lines: None, error }),
            Question::Command(_) => {
                Self::Command(CommandAnswer { asked_at, exit_code: None, error, last_line: None })
            }
            Question::Approval => Self::Approval(ApprovalAnswer::default()),
        }
    }
}

/// Prometheus' answer to a range query.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RangeAnswer {
    pub series: Vec<Series>,
    /// How many of what the expression is about there were over the stage, where that is asked; none where
    /// nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<f64>,
    /// Why there is no whole answer; what came then counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One series of a range query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub labels: BTreeMap<String, String>,
    /// Unix seconds, and the value. Written as Prometheus does, since JSON has no NaN.
    #[serde(with = "points")]
    pub points: Vec<(f64, f64)>,
}

impl RangeAnswer {
    /// That there is no answer, and why.
    #[must_use]
    pub fn failed(error: String) -> Self {
        Self { error: Some(error), ..Self::default() }
    }
}

/// What an HTTP API answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpAnswer {
    pub asked_at: DateTime<Utc>,
    /// None where no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the criterion's pointer points at; none where that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointed: Option<serde_json::Value>,
    /// Why there is no answer that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How many lines of a log matched since the stage began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogAnswer {
    pub asked_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Why they could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandAnswer {
    /// When it was started, which may be long after it was to be: programs wait for room.
    pub asked_at: DateTime<Utc>,
    /// None where it did not start, or was ended by a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it has no exit code: not started, its time was over, a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The last line that it wrote, for people; the whole is a file of the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<String>,
}

/// A person's word, where the question is for one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApprovalAnswer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// Values as texts, such as `"0.12"`, `"NaN"` and `"+Inf"`; those that are numbers come back bit for bit.
mod points {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer>(points: &[(f64, f64)], to: S) -> Result<S::Ok, S::Error> {
        let text = |value: f64| match value {
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            _ => value.to_string(),
        };
        points.iter().map(|&(at, value)| (at, text(value))).collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(f64, f64)>, D::Error> {
        let points: Vec<(f64, String)> = Vec::deserialize(from)?;
        let value = |text: &str| {
            text.parse().map_err(|_| de::Error::custom(format!("{text:?} is no value, such as \"0.12\"")))
        };
        points.iter().map(|(at, text)| Ok((*at, value(text)?))).collect()
    }
}
