//! Range queries on Prometheus, for the criteria of a ramp's stages.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::answered;
use super::{Prometheus, SignalError};
use crate::incident::{Criterion, Question, RangeQuery};
use crate::outbound::under;
use crate::ramp::{Answer, Asked, Grid, Judge, RangeAnswer, Series, StageSpan};
use crate::text::kept;

/// What stands for the judged time of the stage in an expression that counts over it.
const STAGE: &str = "$stage";

/// More series than any criterion means; they would all go into the evidence.
const MAX_SERIES: usize = 1_000;

/// Answers range queries over a stage: a Prometheus.
#[async_trait]
pub trait RangeSource: Send + Sync + std::fmt::Debug {
    /// The whole answer, or one with its error; empty before the stage is as old as the query's window.
    async fn range(&self, query: &RangeQuery, span: &StageSpan) -> RangeAnswer;
}

/// Judges the criteria that ask Prometheus.
#[derive(Debug, Clone)]
pub struct QueryJudge {
    pub source: Arc<dyn RangeSource>,
}

#[async_trait]
impl Judge for QueryJudge {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        let answer = match &criterion.question {
            Question::Query(query) => self.source.range(query, span).await,
            Question::Http(_) | Question::Logs(_) | Question::Command(_) | Question::Approval => {
                RangeAnswer::failed("Prometheus can't be asked this".to_owned())
            }
        };
        Asked::bare(Answer::Range(answer))
    }
}

/// An answer, with what may make it less than whole.
#[derive(Debug, Deserialize)]
struct Whole<T> {
    data: T,
    /// Of a store that did not answer, a label that is missing: what came may be a part.
    #[serde(default)]
    warnings: Vec<String>,
    /// VictoriaMetrics' word for the same.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

/// `result` is a matrix or a vector, or the shape would be another one.
#[derive(Debug, Deserialize)]
struct Found<T> {
    result: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct MatrixElement {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

#[derive(Debug, Deserialize)]
struct VectorElement {
    value: (f64, String),
}

#[async_trait]
impl RangeSource for Prometheus {
    async fn range(&self, query: &RangeQuery, span: &StageSpan) -> RangeAnswer {
        let Some(grid) = span.grid(query) else { return RangeAnswer::default() };
        let samples = async {
            match &query.samples {
                Some(samples) => self.count(&counted_over(samples, span), &grid).await,
                None => Ok(None),
            }
        };
        let (series, samples) = tokio::join!(self.matrix(&query.expression, &grid), samples);
        match (series, samples) {
            (Ok(series), Ok(samples)) => RangeAnswer { series, samples, error: None },
            (Err(error), _) => RangeAnswer::failed(error.to_string()),
            (_, Err(error)) => RangeAnswer::failed(format!("how many there were: {error}")),
        }
    }
}

fn counted_over(samples: &str, span: &StageSpan) -> String {
    samples.replace(STAGE, &format!("{}s", span.judged_seconds()))
}

impl Prometheus {
    async fn matrix(&self, expression: &str, grid: &Grid) -> Result<Vec<Series>, SignalError> {
        let (start, end, step) = (grid.start.to_string(), grid.end.to_string(), grid.step.to_string());
        let form = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        let found: Vec<MatrixElement> = self.whole("api/v1/query_range", &form).await?;
        if found.len() > MAX_SERIES {
            let words = format!("{} series came: sum them, or select fewer", found.len());
            return Err(SignalError::NotTheSystem(words));
        }
        let point = |(at, value): (f64, String)| Ok((at, number(&value)?));
        let series = |one: MatrixElement| {
            let points = one.values.into_iter().map(point).collect::<Result<_, SignalError>>()?;
            Ok(Series { labels: one.metric, points })
        };
        found.into_iter().map(series).collect()
    }

    /// One number as of the grid's end; none where there is no series.
    async fn count(&self, expression: &str, grid: &Grid) -> Result<Option<f64>, SignalError> {
        let form = [("query", expression), ("time", &grid.end.to_string())];
        let found: Vec<VectorElement> = self.whole("api/v1/query", &form).await?;
        match found.as_slice() {
            [] => Ok(None),
            [only] => number(&only.value.1).map(Some),
            more => Err(SignalError::NotTheSystem(format!("{} series came where one is meant", more.len()))),
        }
    }

    /// By POST: the longest expressions don't fit into an address that every proxy takes.
    async fn whole<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Vec<T>, SignalError> {
        let url = under(&self.base, path);
        let place = url.path().to_owned();
        let reply = self.outbound.post_form(url, form).await;
        let answer: Whole<Found<T>> = answered(place, reply)?.0;
        match answer.warnings.first() {
            Some(warning) => Err(SignalError::NoAnswer(format!("partial: {}", kept(warning)))),
            None if answer.is_partial => Err(SignalError::NoAnswer("partial".to_owned())),
            None => Ok(answer.data.result),
        }
    }
}

fn number(text: &str) -> Result<f64, SignalError> {
    text.parse().map_err(|_| SignalError::NotTheSystem(format!("{:?} is no value", kept(text))))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    #[test]
    fn samples_are_counted_over_as_much_of_the_stage_as_is_judged() {
        let began_at = DateTime::UNIX_EPOCH;
        for (age, expected) in [(0, "15s"), (14, "15s"), (600, "600s"), (900, "900s"), (5_000, "900s")] {
            let now = began_at + TimeDelta::seconds(age);
            let span = StageSpan::new(began_at, now, 900);
            assert_eq!(counted_over("increase(x[$stage])", &span), format!("increase(x[{expected}])"));
        }
    }
}
