//! By how much counters grew since a stage began.

use std::cmp::Ordering;

use crate::ramp::Series;

/// What a value certainly is, and what it may be at most; both the same where it was seen itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) least: f64,
    pub(super) most: f64,
}

/// The growth of all series together at each point. A value below the one before is a counter that began
/// anew, from 0, and so is a series that comes later than others: it counts in whole.
///
/// Where no series has a value at the stage's start, nobody can say whether there was none or nobody looked:
/// the first value may be growth, or not. So it may where a series comes and another one of the same kind goes:
/// see [`handed_over`].
pub(super) fn growth(series: &[Vec<Option<f64>>], handed_over: &[Option<f64>]) -> Vec<Option<Range>> {
    let points = series.iter().map(Vec::len).max().unwrap_or(0);
    let is_start_known = series.iter().any(|points| points.first().copied().flatten().is_some());
    let mut totals = vec![None; points];
    for (which, points) in series.iter().enumerate() {
        let total_before = handed_over.get(which).copied().flatten().unwrap_or(0.0);
        let certain = is_start_known.then_some(total_before);
        let (mut before, mut grown) = (None, Range { least: 0.0, most: 0.0 });
        for (number, total) in totals.iter_mut().enumerate() {
            let value = points.get(number).copied().flatten();
            if let Some(value) = value {
                let by = match before {
                    None if number == 0 => Range { least: 0.0, most: 0.0 },
                    None => Range { least: certain.map_or(0.0, |total| value - total), most: value },
                    Some(before) => {
                        let by = if value < before { value } else { value - before };
                        Range { least: by, most: by }
                    }
                };
                grown = Range { least: grown.least + by.least, most: grown.most + by.most };
                before = Some(value);
            }
            // A series that has ended, or whose point is missing, keeps what it grew by.
            if before.is_some() {
                let so_far = total.get_or_insert(Range { least: 0.0, most: 0.0 });
                *so_far = Range { least: so_far.least + grown.least, most: so_far.most + grown.most };
            }
        }
    }
    for (number, total) in totals.iter_mut().enumerate() {
        if !series.iter().any(|points| points.get(number).copied().flatten().is_some()) {
            *total = None;
        }
    }
    totals
}

/// Labels that say which process shows a series, and not what it counts.
const OF_THE_PROCESS: [&str; 2] = ["instance", "pod"];

/// For each series the total with which another one of the same kind has ended, where it may go on from there: it
/// came after that one, and began with as much or more.
///
/// An exporter that is restarted under another address shows its whole total as a new series. So does a new pod
/// that has counted as much by itself. Nothing in the series tells the two apart, so what lies between is neither
/// growth nor none.
pub(super) fn handed_over(series: &[Series], points: &[Vec<Option<f64>>]) -> Vec<Option<f64>> {
    let valued = |which: usize| -> Vec<(usize, f64)> {
        let of = points.get(which).map_or(&[][..], Vec::as_slice);
        of.iter().enumerate().filter_map(|(number, value)| Some((number, (*value)?))).collect()
    };
    let valued: Vec<_> = (0..series.len()).map(valued).collect();
    let kind = |which: usize| {
        let labels = series.get(which).map(|one| one.labels.iter()).into_iter().flatten();
        labels.filter(|(name, _)| !OF_THE_PROCESS.contains(&name.as_str())).collect::<Vec<_>>()
    };
    let end = points.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1);
    let mut is_taken = vec![false; series.len()];
    let mut of_one = |which: usize| {
        let (came_at, first) = *valued.get(which)?.first().filter(|(number, _)| *number > 0)?;
        let may_be = |other: &usize| -> Option<(usize, f64)> {
            let (there_at, _) = valued.get(*other)?.first()?;
            let (gone_at, total) = valued.get(*other)?.last().copied()?;
            let is_one =
                *there_at < came_at && gone_at < end && total <= first && kind(*other) == kind(which);
            is_one.then_some((gone_at, total))
        };
        let others = (0..series.len()).filter(|other| *other != which && !is_taken[*other]);
        let found = others.filter_map(|other| Some((may_be(&other)?, other)));
        let ((_, total), other) =
            found.max_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(Ordering::Equal))?;
        is_taken[other] = true;
        Some(total)
    };
    (0..series.len()).map(&mut of_one).collect()
}
