//! What Loki answers.

use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;

use crate::signals::SignalError;
use crate::text::{kept, shown};

/// An answer, with what may make it less than whole.
#[derive(Debug, Deserialize)]
pub(super) struct Whole<T> {
    pub(super) data: T,
    /// That a limit was met, or a part did not answer: what came is not all.
    #[serde(default)]
    pub(super) warnings: Vec<String>,
}

/// What a query found.
#[derive(Debug, Deserialize)]
pub(super) struct Found<T> {
    pub(super) result: T,
}

pub(super) type Vector = Vec<Sample>;
pub(super) type Streams = Vec<Stream>;

#[derive(Debug, Deserialize)]
pub(super) struct Sample {
    value: (f64, String),
}

impl Sample {
    /// A number of lines.
    pub(super) fn count(&self) -> Result<u64, SignalError> {
        let text = &self.value.1;
        let number = text.parse().ok().filter(|number: &f64| *number >= 0.0 && number.fract() == 0.0);
        // Whole, and no log has more lines than a float is exact for.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and not below 0")]
        let lines = number.map(|number| number as u64);
        lines.ok_or_else(|| SignalError::NotTheSystem(format!("{:?} is no number of lines", kept(text))))
    }
}

/// One stream with its lines. Its labels would repeat the selector, and are left out.
#[derive(Debug, Deserialize)]
pub(super) struct Stream {
    values: Vec<Entry>,
}

/// Time and line, and from Loki 3 on their metadata.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Plain(String, String),
    WithMetadata(String, String, serde::de::IgnoredAny),
}

/// A line of a log; its order is that of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    /// Of the Unix epoch.
    pub(super) nanoseconds: i64,
    pub(super) text: String,
}

impl Stream {
    pub(super) fn lines(self) -> impl Iterator<Item = Line> {
        self.values.into_iter().map(|entry| {
            let (Entry::Plain(at, text) | Entry::WithMetadata(at, text, _)) = entry;
            Line { nanoseconds: at.parse().unwrap_or_default(), text }
        })
    }
}

impl Line {
    /// For evidence, with its end.
    pub(super) fn shown(&self) -> String {
        let at =
            DateTime::from_timestamp_nanos(self.nanoseconds).to_rfc3339_opts(SecondsFormat::Millis, true);
        format!("{at} {}\n", shown(&self.text))
    }
}
