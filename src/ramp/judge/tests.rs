use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::incident::{Bound, CommandCheck, CriterionName, HttpCheck, LogCheck, OnFail, RangeQuery, Unit};
use crate::ramp::{CommandAnswer, HttpAnswer, LogAnswer, RangeAnswer, Series};

mod counters;
mod ranges;
mod singles;

/// A whole second, so that points are easy to name.
const BEGAN: i64 = 1_700_000_000;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(BEGAN + seconds)
}

/// A stage of 15 minutes, so many seconds after it began.
fn span(age: i64) -> StageSpan {
    StageSpan::new(at(0), at(age), 900)
}

/// Below 0.2 s, over 5 minutes.
fn p95() -> RangeQuery {
    RangeQuery {
        expression: "p95".to_owned(),
        bound: Bound::Below(0.2),
        unit: Unit::Seconds,
        window_seconds: 300,
        since_stage_began: false,
        samples: None,
        min_samples: 0,
    }
}

/// No growth, since the stage began.
fn errors() -> RangeQuery {
    let bound = Bound::AtMost(0.0);
    RangeQuery { bound, unit: Unit::Count, window_seconds: 0, since_stage_began: true, ..p95() }
}

#[expect(clippy::cast_precision_loss, reason = "a time of this century")]
fn time(seconds: i64) -> f64 {
    (BEGAN + seconds) as f64
}

fn series(points: impl IntoIterator<Item = (i64, f64)>) -> Series {
    let points = points.into_iter().map(|(seconds, value)| (time(seconds), value)).collect();
    Series { labels: BTreeMap::new(), points }
}

fn answer(points: impl IntoIterator<Item = (i64, f64)>) -> RangeAnswer {
    RangeAnswer { series: vec![series(points)], ..RangeAnswer::default() }
}

/// Every point from `from` to `to`, both included.
fn constant(from: i64, to: i64, value: f64) -> impl Iterator<Item = (i64, f64)> {
    (from..=to).step_by(15).map(move |seconds| (seconds, value))
}

fn criterion(question: Question) -> Criterion {
    let name = CriterionName::new("c");
    Criterion { name, title: "C".to_owned(), on_fail: OnFail::Hold, is_advisory: false, question }
}
