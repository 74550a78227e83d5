//! Loki's HTTP API: how many lines of a log match over a stage, and the first of them.
//!
//! Its reference: `docs/sources/reference/loki-http-api.md` of grafana/loki. A tenant goes into a header,
//! `X-Scope-OrgID`, as the configuration has it.

mod selector;
mod wire;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use serde::de::DeserializeOwned;

use super::SignalError;
use super::error::get;
use crate::incident::{Criterion, LogCheck, Question};
use crate::outbound::{Outbound, under};
use crate::ramp::{Answer, Asked, Judge, KeptFile, LogAnswer, StageSpan};
use crate::text::{kept, shown};
use selector::streams;
use wire::{Found, Line, Streams, Vector, Whole};

/// How many lines go into the evidence. Loki itself gives 5,000 at most unless it is told otherwise
/// (`max_entries_limit_per_query`); a person reads the first.
pub const MAX_LINES: usize = 500;

/// The longest answer: lines may be long, and Loki takes up to 256 KiB for one.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// The longest file of the evidence.
const MAX_FILE_BYTES: usize = 1 << 20;

/// One Loki.
#[derive(Debug, Clone)]
pub struct Loki {
    outbound: Outbound,
    base: Url,
}

/// The time that is looked at.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Window {
    fn of(span: &StageSpan) -> Self {
        Self { from: span.began_at, to: span.now }
    }

    /// A line of before the stage is no line of the stage.
    fn seconds(self) -> i64 {
        (self.to - self.from).num_seconds().max(1)
    }
}

/// Nanoseconds of the Unix epoch, as Loki has times.
fn nanoseconds(at: DateTime<Utc>) -> String {
    // None only for years that no stage is in.
    at.timestamp_nanos_opt().unwrap_or_default().to_string()
}

impl Loki {
    /// `base` may have a path of its own.
    #[must_use]
    pub fn new(outbound: &Outbound, base: Url) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_ANSWER_BYTES), base }
    }

    /// How many lines match; `None` where there is not one stream that they could be in. A selector that was
    /// misspelt must not look like a clean log.
    async fn count(&self, selector: &str, window: Window) -> Result<Option<u64>, SignalError> {
        let query = format!("sum(count_over_time({selector} [{}s]))", window.seconds());
        let pairs = [("query", query.as_str()), ("time", &nanoseconds(window.to))];
        let found: Found<Vector> = self.fetched("loki/api/v1/query", &pairs).await?;
        match found.result.as_slice() {
            // A sum over nothing is no 0, but no series.
            [] => Ok(self.has_streams(selector, window).await?.then_some(0)),
            [only] => only.count().map(Some),
            more => Err(SignalError::NotTheSystem(format!("{} series came where one is meant", more.len()))),
        }
    }

    /// Whether any stream of the selector had a line in this time.
    async fn has_streams(&self, selector: &str, window: Window) -> Result<bool, SignalError> {
        let no_selector = || SignalError::Refused("the selector has no {…} that selects streams".to_owned());
        let streams = streams(selector).ok_or_else(no_selector)?;
        let pairs =
            [("match[]", streams), ("start", &nanoseconds(window.from)), ("end", &nanoseconds(window.to))];
        let known: Vec<serde_json::Value> = self.fetched("loki/api/v1/series", &pairs).await?;
        Ok(!known.is_empty())
    }

    /// The first lines, in the order of their times.
    async fn lines(&self, selector: &str, window: Window) -> Result<Vec<Line>, SignalError> {
        let limit = MAX_LINES.to_string();
        let pairs = [
            ("query", selector),
            ("start", &nanoseconds(window.from)),
            ("end", &nanoseconds(window.to)),
            ("limit", &limit),
            ("direction", "forward"),
        ];
        let found: Found<Streams> = self.fetched("loki/api/v1/query_range", &pairs).await?;
        let mut lines: Vec<Line> = found.result.into_iter().flat_map(wire::Stream::lines).collect();
        lines.sort();
        Ok(lines)
    }

    async fn fetched<T: DeserializeOwned>(
        &self,
        path: &str,
        pairs: &[(&str, &str)],
    ) -> Result<T, SignalError> {
        let mut url = under(&self.base, path);
        url.query_pairs_mut().extend_pairs(pairs);
        let answer: Whole<T> = get(&self.outbound, url).await?.0;
        match answer.warnings.first() {
            Some(warning) => Err(SignalError::NoAnswer(format!("partial: {}", kept(warning)))),
            None => Ok(answer.data),
        }
    }

    async fn judged(&self, check: &LogCheck, span: &StageSpan) -> (LogAnswer, Option<KeptFile>) {
        let (asked_at, window) = (span.now, Window::of(span));
        let lines = match self.count(&check.selector, window).await {
            Ok(lines) => lines,
            Err(error) => {
                return (LogAnswer { asked_at, lines: None, error: Some(error.to_string()) }, None);
            }
        };
        // The verdict is the count's: that the lines themselves don't come keeps nothing from it.
        let said = match lines {
            Some(1..) => self.lines(&check.selector, window).await.map_err(|error| error.to_string()),
            Some(0) | None => Ok(Vec::new()),
        };
        let file = check.file.clone().map(|name| KeptFile { name, bytes: file(check, window, lines, said) });
        (LogAnswer { asked_at, lines, error: None }, file)
    }
}

/// What was looked for, how much of it there was, and the lines as far as they are kept.
fn file(check: &LogCheck, window: Window, lines: Option<u64>, said: Result<Vec<Line>, String>) -> Vec<u8> {
    let at = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let count = lines.map_or("unknown: no stream matches".to_owned(), |lines| lines.to_string());
    let mut text = format!(
        "Selector: {}\nFrom: {}\nTo: {}\nLines: {count}\n",
        shown(&check.selector),
        at(window.from),
        at(window.to)
    );
    match said {
        Err(error) => text.push_str(&format!("The lines themselves did not come: {}\n", shown(&error))),
        Ok(said) => {
            let mut left = lines.unwrap_or_default();
            for line in &said {
                // Foreign, and this is read in a terminal: one line stays one.
                let line = line.shown();
                if text.len() + line.len() > MAX_FILE_BYTES {
                    break;
                }
                text.push_str(&line);
                left = left.saturating_sub(1);
            }
            if left > 0 {
                text.push_str(&format!("[{left} lines more are in Loki]\n"));
            }
        }
    }
    text.into_bytes()
}

#[async_trait]
impl Judge for Loki {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        let (answer, kept) = match &criterion.question {
            Question::Logs(check) => {
                let (answer, kept) = self.judged(check, span).await;
                (Answer::Logs(answer), kept)
            }
            other => (Answer::failed(other, "Loki can't be asked this".to_owned(), span.now), None),
        };
        Asked { answer, kept }
    }
}

#[cfg(test)]
mod tests;
