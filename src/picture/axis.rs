//! Where the axes begin and end, and where they are marked.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use super::Threshold;
use super::line::{Trace, seconds};
use super::unit::Scale;

/// The most marks of a time axis: each is some 45 pixels wide.
const MAX_TIME_MARKS: i64 = 7;

/// About as many marks as a value axis gets.
const VALUE_MARKS: f64 = 4.0;

/// Room above the largest value, so that a line doesn't run along the edge.
const HEADROOM: f64 = 0.12;

/// How far apart marks of time may be, in seconds: what people read off a clock.
const TIME_STEPS_SECONDS: [i64; 17] =
    [1, 5, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 604_800];

/// The range of a value axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Between two marks: 1, 2 or 5 times a power of ten.
    pub(super) step: f64,
}

impl Span {
    /// From zero, or below it where a value is, to somewhat above the largest value or threshold.
    pub(super) fn of(traces: &[Trace], threshold: Option<Threshold>) -> Self {
        let threshold = threshold.map(Threshold::threshold).filter(|threshold| threshold.is_finite());
        let values = || traces.iter().flat_map(Trace::values).chain(threshold);
        let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
        // Below this a step could not be told from nothing.
        let height = if high - low < f64::MIN_POSITIVE * 1e8 { 1.0 } else { high - low };
        let room = |edge: f64| if edge == 0.0 { 0.0 } else { HEADROOM * height };
        let (low, high) = (low - room(low), high + room(high));
        let high = if high == low { low + height } else { high };
        Self { low, high, step: 1.0 }
    }

    /// With a step that makes round numbers of what is written.
    pub(super) fn marked_by(self, scale: &Scale) -> Self {
        let rough = (self.high - self.low) * scale.factor / VALUE_MARKS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough).unwrap_or(10.0);
        Self { step: step * power / scale.factor, ..self }
    }

    /// Where the axis is marked.
    pub(super) fn marks(self) -> Vec<f64> {
        let (first, last) = ((self.low / self.step).ceil(), (self.high / self.step).floor());
        let count = (last - first).clamp(0.0, VALUE_MARKS * 3.0) as u32;
        (0..=count).map(|number| (first + f64::from(number)) * self.step).collect()
    }

    /// The largest size of a number on it.
    pub(super) fn largest(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }
}

/// Marks of a time axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeMarks {
    /// Seconds since the picture's beginning.
    pub(super) at: Vec<f64>,
    from: DateTime<Utc>,
    format: &'static str,
}

impl TimeMarks {
    /// At round times of the day, in UTC.
    pub(super) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let span_seconds = (to - from).num_seconds();
        let fits = |step: &i64| span_seconds / step < MAX_TIME_MARKS;
        let long = span_seconds / MAX_TIME_MARKS + 1;
        let step = TIME_STEPS_SECONDS.into_iter().find(fits).unwrap_or(long);
        let first = (from.timestamp() + step - 1).div_euclid(step) * step;
        let times = (0..=MAX_TIME_MARKS).filter_map(|n| DateTime::from_timestamp(first + n * step, 0));
        let at = times.filter(|at| (from..=to).contains(at)).map(|at| seconds(at - from)).collect();
        let format = match step {
            ..60 => "%H:%M:%S",
            60..21_600 => "%H:%M",
            21_600..86_400 => "%d %b %H:%M",
            _ => "%d %b",
        };
        Self { at, from, format }
    }

    /// What is written at a mark.
    pub(super) fn label(&self, seconds: f64) -> String {
        let at = self.from + TimeDelta::milliseconds((seconds * 1e3).round() as i64);
        at.format(self.format).to_string()
    }
}

/// Where a value stands among the pixels of its axis, linearly.
#[derive(Debug, Clone)]
pub(super) struct Axis(pub(super) Range<f64>);

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.0.start) / (self.0.end - self.0.start);
        from + (share * f64::from(to - from)).round() as i32
    }

    /// None: the marks are drawn one by one, where [`Span`] and [`TimeMarks`] have them.
    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        Vec::new()
    }

    fn range(&self) -> Range<f64> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Unit;
    use super::super::unit::scale;
    use super::*;

    fn span(values: &[f64], threshold: Option<Threshold>) -> Span {
        let run = values.iter().map(|value| (0.0, *value)).collect();
        let span = Span::of(&[Trace { runs: vec![run], ..Trace::default() }], threshold);
        span.marked_by(&scale(Unit::Count, span.largest()))
    }

    #[test]
    fn a_value_axis_shows_every_value_the_threshold_and_zero() {
        for (values, threshold) in [
            (vec![], None),
            (vec![0.0], None),
            (vec![5.0, 5.0], None),
            (vec![-5.0], None),
            (vec![0.1], Some(Threshold::Below(30.0))),
            (vec![1e99, -1e99], Some(Threshold::AtMost(0.0))),
            (vec![1e-320], None),
            (vec![1.0], Some(Threshold::Below(f64::INFINITY))),
        ] {
            let found = span(&values, threshold);
            let shown = values.iter().copied().chain([0.0]);
            let shown = shown.chain(threshold.map(Threshold::threshold).filter(|value| value.is_finite()));
            assert!(shown.clone().all(|value| (found.low..=found.high).contains(&value)), "{found:?}");
            let marks = found.marks();
            assert!((2..=10).contains(&marks.len()), "{values:?}: {marks:?}");
            assert!(marks.iter().all(|mark| (found.low..=found.high).contains(mark)), "{found:?} {marks:?}");
        }
    }

    #[test]
    fn a_value_axis_is_marked_in_round_numbers_of_what_is_written() {
        assert_eq!(span(&[], Some(Threshold::Below(0.9))).marks(), [0.0, 0.5, 1.0]);
        assert_eq!(span(&[200.0], None).marks(), [0.0, 100.0, 200.0]);
        let size = f64::from(1_u32 << 20);
        let bytes = Span::of(&[], Some(Threshold::Below(3.0 * size)));
        let scale = scale(Unit::Bytes, bytes.largest());
        let marks = bytes.marked_by(&scale).marks().into_iter().map(|mark| mark / size);
        assert_eq!(marks.collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_time_axis_is_marked_at_round_times_of_the_day_in_utc() {
        let from: DateTime<Utc> = "2026-11-27T14:22:45Z".parse().expect("a time");
        for (minutes, expected) in [
            (1, "14:22:45 14:23:00 14:23:15 14:23:30 14:23:45"),
            (15, "14:25 14:30 14:35"),
            (30, "14:25 14:30 14:35 14:40 14:45 14:50"),
            (600, "16:00 18:00 20:00 22:00 00:00"),
            (10_000_000, ""),
        ] {
            let marks = TimeMarks::between(from, from + TimeDelta::minutes(minutes));
            let labels: Vec<_> = marks.at.iter().map(|at| marks.label(*at)).collect();
            assert!(labels.len() as i64 <= MAX_TIME_MARKS + 1, "{labels:?}");
            assert!(expected.is_empty() || labels.join(" ") == expected, "{labels:?}");
        }
    }
}
