//! How old an answer may be that was asked for once, an API's, a log's or a program's; and when it is asked for
//! again, so that one that is too old holds nothing for longer than it takes to ask.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Answer, StageSpan};
use crate::incident::{Criterion, Question};

/// The longest that an API or a log takes for its answer: Loki is asked up to three questions, of 20 s each.
pub const ANSWERED_WITHIN_SECONDS: u32 = 60;

/// What came to no verdict is asked again so soon, however rarely it is asked otherwise: a log that was away for
/// a moment must not hold a stage for an hour. Not sooner, since a program may have taken all of its time.
const UNCLEAR_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(60);

/// When a stage may be left, and how often it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Its time was over then, or a person said that it had lasted long enough; `None`: it goes on still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    pub judge_interval_seconds: u32,
}

/// How often a question is asked by itself, and how long its answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub every: TimeDelta,
    pub within: TimeDelta,
}

impl Pace {
    /// `None`: it is asked in every round.
    #[must_use]
    pub fn of(question: &Question) -> Option<Self> {
        let (every, within) = match question {
            Question::Query(_) | Question::Approval => return None,
            Question::Http(check) => (check.every_seconds, ANSWERED_WITHIN_SECONDS),
            Question::Logs(check) => (check.every_seconds, ANSWERED_WITHIN_SECONDS),
            Question::Command(check) => (check.every_seconds, check.timeout_seconds),
        };
        Some(Self { every: seconds(every), within: seconds(within) })
    }
}

/// How one question was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAsked {
    pub at: DateTime<Utc>,
    /// How long its answer took, with the time that a program waited for room.
    pub took: TimeDelta,
    /// It came to a verdict.
    pub is_clear: bool,
}

/// When a question is asked again: after its time, and so that it is answered as the stage may be left
/// (`leaves_at`; `None` while nobody knows when), a judge interval before, however rarely it is asked otherwise.
#[must_use]
pub fn next_asked(
    last: &LastAsked,
    pace: Pace,
    leaves_at: Option<DateTime<Utc>>,
    judge_interval: Duration,
) -> DateTime<Utc> {
    let every = if last.is_clear { pace.every } else { pace.every.min(UNCLEAR_AGAIN_AFTER) };
    let by_itself = last.at + every;
    let interval = TimeDelta::from_std(judge_interval).unwrap_or(TimeDelta::MAX);
    let once_more = leaves_at.map(|leaves_at| leaves_at - interval - last.took.min(pace.within));
    once_more.filter(|once_more| last.at < *once_more).map_or(by_itself, |once_more| once_more.min(by_itself))
}

/// Why an answer says nothing of the stage as it is left, in words; `None`: it is not too old.
///
/// It has to be of the stage's end: asked at most a judge interval, and the time that it may take, before the stage
/// could be left. A stage that holds goes on after that, and then an answer counts for as long as the next one
/// may take to come.
pub(super) fn too_old(answer: &Answer, criterion: &Criterion, span: &StageSpan) -> Option<String> {
    let (asked_at, pace) = (answer.asked_at()?, Pace::of(&criterion.question)?);
    let leaving = span.leaving?;
    let interval = seconds(leaving.judge_interval_seconds);
    let is_before_the_end = leaving.since.is_some_and(|since| asked_at < since - interval - pace.within);
    let is_out_of_date = asked_at < span.now - pace.every.max(interval) - pace.within;
    (is_before_the_end || is_out_of_date).then(|| format!("last asked {}", ago(span.now - asked_at)))
}

fn ago(age: TimeDelta) -> String {
    match age.num_seconds() {
        seconds @ ..120 => format!("{seconds} s ago"),
        seconds => format!("{} min ago", seconds / 60),
    }
}

fn seconds(seconds: u32) -> TimeDelta {
    TimeDelta::seconds(i64::from(seconds))
}

#[cfg(test)]
mod tests;
