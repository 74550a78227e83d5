//! By how much counters grew since a stage began.

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
/// the first value may be growth, or not.
pub(super) fn growth(series: &[Vec<Option<f64>>]) -> Vec<Option<Range>> {
    let points = series.iter().map(Vec::len).max().unwrap_or(0);
    let is_start_known = series.iter().any(|points| points.first().copied().flatten().is_some());
    let mut totals = vec![None; points];
    for points in series {
        let (mut before, mut grown) = (None, Range { least: 0.0, most: 0.0 });
        for (number, total) in totals.iter_mut().enumerate() {
            let value = points.get(number).copied().flatten();
            if let Some(value) = value {
                let by = match before {
                    None if number == 0 => Range { least: 0.0, most: 0.0 },
                    None => Range { least: if is_start_known { value } else { 0.0 }, most: value },
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
