//! What the tests of a ramp's evidence share: a plan of two stages, and a Prometheus that says one value.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::{
    Bound, Criterion, CriterionName, OnFail, Question, RampId, RampPlan, RangeQuery, Revision, Share,
    StagePlan, Unit,
};
use crate::ramp::{Answer, Asked, HttpAnswer, Judge, RangeAnswer, Series, StageSpan};

pub(super) fn start() -> DateTime<Utc> {
    "2026-11-24T03:00:00Z".parse().expect("a time")
}

pub(super) fn id() -> RampId {
    RampId::new("spark-trading-ramp-20261124-030000")
}

pub(super) fn criterion(name: &str) -> Criterion {
    Criterion {
        name: CriterionName::new(name),
        title: format!("{name} < 1 s"),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question: Question::Query(RangeQuery {
            expression: name.to_owned(),
            bound: Bound::Below(1.0),
            unit: Unit::Seconds,
            window_seconds: 60,
            since_stage_began: false,
            samples: None,
            min_samples: 0,
        }),
    }
}

/// Two stages that ask for different things.
pub(super) fn plan() -> RampPlan {
    let stage = |share, criteria: &[&str]| StagePlan {
        share: Share(share),
        duration_seconds: 900,
        needs_approval: false,
        criteria: criteria.iter().map(|name| criterion(name)).collect(),
    };
    RampPlan {
        revision: Revision::new("v1.4.0"),
        stages: vec![stage(5, &["p95"]), stage(100, &["p95", "lag"])],
        max_hold_seconds: 3_600,
        remind_every_seconds: 900,
        watch_after_seconds: 86_400,
        stable_down: false,
    }
}

/// Prometheus, once it is up: the same value at every point of time.
#[derive(Debug, Default)]
pub(super) struct Constant {
    pub(super) asked: AtomicUsize,
    /// So many questions have no answer first.
    pub(super) down_for: usize,
}

#[async_trait]
impl Judge for Constant {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        let is_down = self.asked.fetch_add(1, Ordering::SeqCst) < self.down_for;
        let answer = match &criterion.question {
            // As of the clock, which is long after the stage's end.
            Question::Http(_) => {
                let (asked_at, status) = (start() + TimeDelta::hours(2), Some(200));
                let answer = HttpAnswer { asked_at, status, pointed: None, error: None };
                return Asked::bare(Answer::Http(answer));
            }
            Question::Query(query) if !is_down => constant(query, span),
            _ => RangeAnswer::failed("connection refused".to_owned()),
        };
        Asked::bare(Answer::Range(answer))
    }
}

pub(super) fn constant(query: &RangeQuery, span: &StageSpan) -> RangeAnswer {
    let Some(grid) = span.grid(query) else { return RangeAnswer::default() };
    let step = usize::try_from(grid.step).expect("positive");
    #[expect(clippy::cast_precision_loss, reason = "a time of this century")]
    let points = (grid.start..=grid.end).step_by(step).map(|at| (at as f64, 0.5)).collect();
    RangeAnswer { series: vec![Series { labels: BTreeMap::new(), points }], ..RangeAnswer::default() }
}
