//! The time of a stage that a criterion is judged over, and the points in it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Leaving;
use crate::incident::RangeQuery;

/// The pause between two points, in seconds: the protocol's monitoring scrapes at it.
pub const STEP_SECONDS: u32 = 15;

/// A stage has at least so many points: a shorter one, in a test or a demonstration, has them closer together.
const LEAST_POINTS: u32 = 20;

/// What is in the last five minutes has to be right, whatever was before.
const RECENT_SECONDS: i64 = 300;

/// The most points of one question; Prometheus refuses more than 11,000. A longer time, a hold over a
/// weekend, is looked at in longer steps.
const MAX_POINTS: i64 = 5_000;

/// How far a point may be from its time: Prometheus writes milliseconds.
const TOLERANCE_SECONDS: f64 = 0.002;

/// A stage at the time when it is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSpan {
    /// When its share was read back.
    pub began_at: DateTime<Utc>,
    /// When the question is asked.
    pub now: DateTime<Utc>,
    /// How long the stage lasts, by its plan.
    pub duration_seconds: u32,
    /// Usually [`STEP_SECONDS`].
    pub step_seconds: u32,
    /// What decides how old an answer may be that was asked for once; `None`: each was asked just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Leaving>,
}

/// The points of time that are asked for, in whole Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub start: i64,
    pub end: i64,
    pub step: i64,
    /// Earlier points only say what a counter began with.
    judged_from: i64,
}

impl StageSpan {
    /// A stage that began then, of this length, as of `now`.
    #[must_use]
    pub fn new(began_at: DateTime<Utc>, now: DateTime<Utc>, duration_seconds: u32) -> Self {
        let step_seconds = STEP_SECONDS.min(duration_seconds / LEAST_POINTS).max(1);
        Self { began_at, now: now.max(began_at), duration_seconds, step_seconds, leaving: None }
    }

    /// What is asked for a question; none while the stage is younger than what the question looks back at.
    ///
    /// A point is judged once its window lies in the stage. Only as much time counts as the stage lasts:
    /// after that the time that is judged slides, since a Prometheus that was away for the whole stage would
    /// else hold the ramp for nine times as long, until its gap is a tenth.
    #[must_use]
    pub fn grid(&self, query: &RangeQuery) -> Option<Grid> {
        // Whole seconds inside the stage: exact as floating-point numbers, and as text.
        let began = self.began_at.timestamp() + i64::from(self.began_at.timestamp_subsec_nanos() > 0);
        let end = self.now.timestamp();
        let whole_window = began + i64::from(query.window_seconds);
        let judged_from = whole_window.max(end - i64::from(self.duration_seconds));
        // What a counter began with is never left behind: an error stays one for as long as the stage lasts.
        let start = if query.since_stage_began { began } else { judged_from };
        let step = i64::from(self.step_seconds.max(1));
        let step = step * ((end - start) / step / MAX_POINTS + 1);
        (end >= whole_window && end >= start).then_some(Grid { start, end, step, judged_from })
    }

    /// How much of the stage is judged, in seconds, for a count over it.
    #[must_use]
    pub fn judged_seconds(&self) -> u32 {
        let age = u32::try_from((self.now - self.began_at).num_seconds()).unwrap_or(0);
        age.min(self.duration_seconds).max(self.step_seconds).max(1)
    }
}

impl Grid {
    /// How many points there are.
    #[must_use]
    pub fn points(&self) -> usize {
        usize::try_from((self.end - self.start) / self.step + 1).unwrap_or(0)
    }

    /// The number of the point that a value of this time is for; none where it is for none.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "casts saturate, and times of this century are exact"
    )]
    pub fn number_of(&self, unix_seconds: f64) -> Option<usize> {
        // Casts saturate: what is no number, or far away, is off by more than the tolerance.
        let number = ((unix_seconds - self.start as f64) / self.step as f64).round() as usize;
        let distance = (unix_seconds - self.at(number) as f64).abs();
        (number < self.points() && distance <= TOLERANCE_SECONDS).then_some(number)
    }

    /// Whether the point is one that is judged.
    #[must_use]
    pub fn is_judged(&self, number: usize) -> bool {
        self.at(number) >= self.judged_from
    }

    /// Whether the point is of the last five minutes; the last one always is.
    #[must_use]
    pub fn is_recent(&self, number: usize) -> bool {
        self.at(number) > self.end - RECENT_SECONDS.max(self.step) - 1
    }

    fn at(&self, number: usize) -> i64 {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.start.saturating_add(self.step.saturating_mul(number))
    }
}
