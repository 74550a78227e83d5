//! A series as it is drawn: runs without a gap, cut where they cross the threshold.

use chrono::{DateTime, TimeDelta, Utc};

use super::Threshold;

/// A value of this size or above is drawn as an infinite one: no axis could show it beside another.
const LARGEST: f64 = 1e100;

/// Samples further apart than so many halves of a step have a gap between them: one that is late by less
/// than half a step is no missing one.
const GAP_HALF_STEPS: i32 = 3;

/// Whether good values are those below the threshold.
pub(super) fn is_upper(threshold: Threshold) -> bool {
    matches!(threshold, Threshold::Below(_) | Threshold::AtMost(_))
}

/// Seconds since the picture's beginning, and the value.
pub(super) type Point = (f64, f64);

/// What is drawn of one series.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Trace {
    /// Neighbours without a gap between them.
    pub(super) runs: Vec<Vec<Point>>,
    /// Values that no axis can show: at which seconds, and whether above it.
    pub(super) off_scale: Vec<(f64, bool)>,
    /// The newest value that is a number.
    pub(super) last: Option<f64>,
}

impl Trace {
    /// Takes what lies between the times.
    pub(super) fn new(
        points: &[(DateTime<Utc>, f64)],
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        step: TimeDelta,
    ) -> Self {
        let mut points: Vec<_> = points.iter().filter(|(at, _)| (from..=to).contains(at)).collect();
        points.sort_by_key(|(at, _)| *at);
        let (mut trace, mut run, mut last) = (Self::default(), Vec::new(), None);
        for (at, value) in points {
            let has_gap = last.is_some_and(|last| *at - last > step * GAP_HALF_STEPS / 2);
            let is_drawn = value.abs() < LARGEST;
            if (has_gap || !is_drawn) && !run.is_empty() {
                trace.runs.push(std::mem::take(&mut run));
            }
            let seconds = seconds(*at - from);
            if is_drawn {
                run.push((seconds, *value));
            } else if !value.is_nan() {
                trace.off_scale.push((seconds, *value > 0.0));
            }
            trace.last = Some(*value).filter(|value| !value.is_nan()).or(trace.last);
            last = Some(*at);
        }
        if !run.is_empty() {
            trace.runs.push(run);
        }
        trace
    }

    /// Whether there is nothing to see.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.off_scale.is_empty()
    }

    /// The values that an axis has to show.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.runs.iter().flatten().map(|(_, value)| *value)
    }
}

/// Seconds, to the millisecond.
pub(super) fn seconds(delta: TimeDelta) -> f64 {
    // A picture of a thousand years has an exact number of milliseconds still.
    delta.num_milliseconds() as f64 / 1e3
}

/// A part of a run that is on one side of the threshold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) is_beyond: bool,
    pub(super) points: Vec<Point>,
}

/// Cuts a run where it crosses the threshold, so that each part has one colour.
pub(super) fn parts(run: &[Point], threshold: Option<Threshold>) -> Vec<Part> {
    let is_beyond = |value| threshold.is_some_and(|threshold| !threshold.is_met_by(value));
    let mut parts: Vec<Part> = Vec::new();
    for &(at, value) in run {
        let side = is_beyond(value);
        if let (Some(part), Some(threshold)) = (parts.last_mut(), threshold)
            && part.is_beyond != side
            && let Some(&(before, from)) = part.points.last()
        {
            // On different sides, so the values differ.
            let crossing = (
                before + (threshold.threshold() - from) / (value - from) * (at - before),
                threshold.threshold(),
            );
            part.points.push(crossing);
            parts.push(Part { is_beyond: side, points: vec![crossing] });
        }
        match parts.last_mut() {
            Some(part) => part.points.push((at, value)),
            None => parts.push(Part { is_beyond: side, points: vec![(at, value)] }),
        }
    }
    parts
}

/// The same line with fewer points: of each of `columns` columns of the picture the first, the last, the
/// smallest and the largest are what can be seen of it.
pub(super) fn thinned(points: &[Point], column_seconds: f64, columns: usize) -> Vec<Point> {
    if points.len() <= columns * 4 {
        return points.to_vec();
    }
    let column = |at: f64| (at / column_seconds) as i64;
    let same = |a: &Point, b: &Point| column(a.0) == column(b.0);
    let mut out = Vec::with_capacity(columns * 4);
    for of_column in points.chunk_by(same) {
        let by_value = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
        let found = [
            of_column.first(),
            of_column.iter().min_by(by_value),
            of_column.iter().max_by(by_value),
            of_column.last(),
        ];
        let mut kept: Vec<Point> = found.into_iter().flatten().copied().collect();
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.dedup();
        out.extend(kept);
    }
    out
}

#[cfg(test)]
mod tests;
