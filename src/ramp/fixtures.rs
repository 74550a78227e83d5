//! The record of a stage's gates, for the tests of whoever writes, reads or replays one.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Answer, Gate, GatesFile, RangeAnswer, Series, StageSpan, judge_answer};
use crate::incident::fixtures::criterion;
use crate::incident::{Criterion, RampId, Revision, Share};

pub(crate) fn began_at() -> DateTime<Utc> {
    "2026-11-24T03:00:00Z".parse().expect("a time")
}

/// One gate of a stage of a quarter of an hour, which has this title and each of its values this one.
pub(crate) fn gates(ramp: &str, (stage, percent): (usize, u8), title: &str, value: f64) -> GatesFile {
    let span = StageSpan::new(began_at(), began_at() + TimeDelta::minutes(15), 900);
    let criterion = Criterion { title: title.to_owned(), ..criterion() };
    let start = began_at().timestamp();
    #[expect(clippy::cast_precision_loss, reason = "a time of this century")]
    let points = (0..=60).map(|step| ((start + step * 15) as f64, value)).collect();
    let series = vec![Series { labels: BTreeMap::new(), points }];
    let answer = Answer::Range(RangeAnswer { series, ..RangeAnswer::default() });
    let judgement = judge_answer(&answer, &criterion, &span);
    let about = (RampId::new(ramp), Revision::new("v1.4.0"), "ab".repeat(32));
    GatesFile::new(about, (stage, Share(percent)), span, vec![Gate { criterion, answer, judgement }])
}
