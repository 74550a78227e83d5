//! The verdict on a range of values.

use super::Finding;
use super::growth::{Range, growth, handed_over};
use super::words::{compared, in_unit};
use crate::incident::{GateReason, GateVerdict, RangeQuery};
use crate::ramp::{Grid, RangeAnswer, Series, StageSpan};
use crate::text::kept;

/// Of ten points so many have to be there.
const PRESENT_OF_TEN: usize = 9;

/// Of ten points so many may be outside.
const OUTSIDE_OF_TEN: usize = 1;

/// A counter has one series for each pod, or a few: more are a mistake in the expression.
const MAX_COUNTER_SERIES: usize = 500;

/// What the judged points of a stage are like.
#[derive(Debug, Default)]
struct Tally {
    expected: usize,
    present: usize,
    outside: usize,
    /// Of the last five minutes.
    recent_missing: usize,
    last: Option<f64>,
    /// The last of those outside in the last five minutes.
    recent_outside: Option<f64>,
}

/// What Prometheus' answer says of a question, at a time of a stage.
///
/// The order counts. First what makes an answer none at all; then whether enough happened for any verdict,
/// since one of three requests that fails is no fail; then what is certainly outside, which a gap elsewhere
/// does not excuse; and a pass last, for which nothing may be missing.
#[must_use]
pub fn judge_range(answer: &RangeAnswer, query: &RangeQuery, span: &StageSpan) -> Finding {
    if let Some(error) = &answer.error {
        return Finding::unknown(GateReason::NoAnswer, kept(error));
    }
    let Some(grid) = span.grid(query) else {
        let window = humantime::format_duration(std::time::Duration::from_secs(query.window_seconds.into()));
        let detail = format!("it looks back {window}, and the stage is younger than that");
        return Finding::unknown(GateReason::TooEarly, detail);
    };
    let most = if query.since_stage_began { MAX_COUNTER_SERIES } else { 1 };
    if answer.series.len() > most {
        return Finding::unknown(GateReason::SeveralSeries, several(&answer.series, most));
    }
    let samples = answer.samples.filter(|samples| samples.is_finite());
    if let Some(finding) = samples.and_then(|samples| too_few(samples, query)) {
        return finding;
    }
    if answer.series.iter().all(|series| series.points.is_empty()) {
        return Finding::unknown(GateReason::NoData, "Prometheus has no such series in the stage");
    }
    if query.samples.is_some() && samples.is_none() {
        let detail =
            format!("nobody knows how many there were to judge by, and it takes {}", query.min_samples);
        return Finding::unknown(GateReason::TooFewSamples, detail);
    }
    let placed: Option<Vec<_>> = answer.series.iter().map(|series| placed(series, &grid)).collect();
    let Some(series) = placed else {
        return Finding::unknown(GateReason::NoAnswer, "the answer has two values for one time");
    };
    let no_number = |number: usize| {
        let values = series.iter().filter_map(|points| points.get(number).copied().flatten());
        values.into_iter().find(|value| !value.is_finite())
    };
    if let Some(value) = (0..grid.points()).filter(|number| grid.is_recent(*number)).find_map(no_number) {
        let detail = format!("a value of the last five minutes is {value}");
        return Finding::unknown(GateReason::NotANumber, detail);
    }
    verdict(&tally(&answer.series, &series, query, &grid), query)
}

/// `None`: there are enough.
#[expect(clippy::cast_precision_loss, reason = "no stage has so many")]
fn too_few(samples: f64, query: &RangeQuery) -> Option<Finding> {
    (query.samples.is_some() && samples < query.min_samples as f64).then(|| {
        let seen = samples.max(0.0).floor();
        let detail = format!("{seen} in the stage so far, and it takes {}", query.min_samples);
        Finding::unknown(GateReason::TooFewSamples, detail)
    })
}

fn several(series: &[Series], most: usize) -> String {
    let label = |(name, value): (&String, &String)| format!("{name}={value:?}");
    let labels = series.first().map(|first| first.labels.iter().map(label).collect::<Vec<_>>().join(","));
    let labels = kept(&labels.unwrap_or_default());
    format!("{} series came where at most {most} is meant; the first is {{{labels}}}", series.len())
}

/// The values by the number of their point; those of other times are left out. `None`: two are for one point.
fn placed(series: &Series, grid: &Grid) -> Option<Vec<Option<f64>>> {
    let mut points = vec![None; grid.points()];
    for &(at, value) in &series.points {
        if let Some(point) = grid.number_of(at).and_then(|number| points.get_mut(number)) {
            if point.is_some() {
                return None;
            }
            *point = Some(value);
        }
    }
    Some(points)
}

/// What a counter's answer is judged by, at Unix seconds: by how much all of its series together may have grown
/// since the stage began. `None`: the question is for no counter, or nothing in the answer can be placed.
#[must_use]
pub fn judged_growth(answer: &RangeAnswer, query: &RangeQuery, span: &StageSpan) -> Option<Vec<(i64, f64)>> {
    let grid = span.grid(query).filter(|_| query.since_stage_began)?;
    let series: Vec<_> =
        answer.series.iter().take(MAX_COUNTER_SERIES).map(|one| placed(one, &grid)).collect::<Option<_>>()?;
    let at = |number: usize| grid.start + grid.step * i64::try_from(number).unwrap_or(i64::MAX);
    let grown = values(&answer.series, &series, query).into_iter().enumerate();
    Some(grown.filter_map(|(number, value)| Some((at(number), value?.most))).collect())
}

/// What each point is judged by.
fn values(answered: &[Series], series: &[Vec<Option<f64>>], query: &RangeQuery) -> Vec<Option<Range>> {
    let finite = |points: &Vec<Option<f64>>| -> Vec<_> {
        points.iter().map(|value| value.filter(|value| value.is_finite())).collect()
    };
    let series: Vec<_> = series.iter().map(finite).collect();
    if query.since_stage_began {
        return growth(&series, &handed_over(answered, &series));
    }
    let seen = |value: &Option<f64>| value.map(|value| Range { least: value, most: value });
    series.first().map(|points| points.iter().map(seen).collect()).unwrap_or_default()
}

fn tally(answered: &[Series], series: &[Vec<Option<f64>>], query: &RangeQuery, grid: &Grid) -> Tally {
    let mut tally = Tally::default();
    for (number, value) in
        values(answered, series, query).into_iter().enumerate().filter(|(number, _)| grid.is_judged(*number))
    {
        tally.expected += 1;
        // A growth that may be inside or outside says no more than one that is missing.
        let is_met = value.map(|value| [value.least, value.most].map(|one| query.bound.is_met_by(one)));
        match (value, is_met) {
            (Some(value), Some([least, most])) if least == most => {
                tally.present += 1;
                tally.last = Some(value.most);
                if !least {
                    tally.outside += 1;
                    tally.recent_outside =
                        Some(value.most).filter(|_| grid.is_recent(number)).or(tally.recent_outside);
                }
            }
            _ if grid.is_recent(number) => tally.recent_missing += 1,
            _ => {}
        }
    }
    tally
}

fn verdict(tally: &Tally, query: &RangeQuery) -> Finding {
    let Tally { expected, present, outside, recent_missing, last, recent_outside } = *tally;
    let of_all = format!("{outside} of {present} values outside");
    let found = |verdict, reason, detail| Finding { verdict, reason, value: last, detail };
    let words = |value: f64| compared(value, query.bound, query.unit);
    if let Some(value) = recent_outside {
        return found(GateVerdict::Fail, GateReason::OutsideNow, format!("{}; {of_all}", words(value)));
    }
    let is_covered = present * 10 >= expected * PRESENT_OF_TEN && present > 0;
    // However little there is of it: so many of all that were to come.
    let too_often = |points: usize| outside * 10 > points * OUTSIDE_OF_TEN;
    if too_often(expected) || (is_covered && too_often(present)) {
        let bound = format!("{} {}", query.bound.sign(), in_unit(query.bound.threshold(), query.unit, None));
        let detail = format!("{of_all}, and at most a tenth may be: it has to be {bound}");
        return found(GateVerdict::Fail, GateReason::OutsideTooOften, detail);
    }
    match last {
        Some(value) if is_covered && recent_missing == 0 => {
            found(GateVerdict::Pass, GateReason::Within, format!("{}; {of_all}", words(value)))
        }
        Some(_) | None => {
            let missing = expected - present;
            let detail = format!(
                "{missing} of {expected} values are missing or unclear, {recent_missing} of them in the last five minutes"
            );
            found(GateVerdict::Unknown, GateReason::Gaps, detail)
        }
    }
}
