//! The table in `alert-rules/README.md`: with which traffic which fault is found how fast, and how
//! often chance alone fires. Computed by drawing requests, with the constants of the rules.

use backstop::promql::{CERTAIN, GOES_ON, LEAST_REQUESTS};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::canary::poisson;

/// Between two evaluations, in seconds.
const STEP: f64 = 15.0;
/// Evaluations in five minutes, and in one.
const LONG: usize = 20;
const SHORT: usize = 4;
/// Evaluations in a ramp of ninety minutes.
const RAMP: usize = 360;
/// A grace, in evaluations.
const GRACE: usize = 20;
/// Ramps for a cell of a bad canary: its median needs few.
const RAMPS: usize = 400;
/// The same of a good one: one in a hundred is to be seen.
const GOOD_RAMPS: usize = 4_000;

/// Requests a second that the canary has.
const TRAFFIC: [f64; 6] = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// Shares of errors of bad canaries, and of good ones.
const BAD: [f64; 6] = [0.025, 0.04, 0.05, 0.1, 0.3, 1.0];
const GOOD: [f64; 2] = [0.005, 0.01];

fn normal(random: &mut StdRng) -> f64 {
    let (a, b): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// A Poisson count; for large means by its normal approximation.
fn count(random: &mut StdRng, mean: f64) -> f64 {
    if mean > 30.0 {
        return (mean + mean.sqrt() * normal(random)).round().max(0.0);
    }
    f64::from(poisson(random, mean))
}

/// Wilson's lower bound, as the rules record it.
fn lower_bound(hits: f64, all: f64, z: f64) -> f64 {
    let square = z * z;
    (hits + square / 2.0 - z * (hits * (all - hits).max(0.0) / all + square / 4.0).sqrt()) / (all + square)
}

/// When a ramp is rolled back, by which of the two rules, in evaluations.
struct End {
    critical: Option<usize>,
    warning: Option<usize>,
}

fn ramp(random: &mut StdRng, rate: f64, share: f64) -> End {
    let (mut all, mut bad) = (Vec::new(), Vec::new());
    let mut end = End { critical: None, warning: None };
    // The warning's alert and the grace that it opened: how it begins and reopens is `decide`'s.
    let (mut fires, mut deadline, mut cancelled) = (false, None, None);
    for step in 0..RAMP {
        bad.push(count(random, rate * STEP * share));
        let good = count(random, rate * STEP * (1.0 - share));
        all.push(good + bad[step]);
        let sum = |values: &[f64], window: usize| values.iter().rev().take(window).sum::<f64>();
        let (n, k) = (sum(&all, LONG), sum(&bad, LONG));
        let above = |threshold: f64| {
            n >= f64::from(LEAST_REQUESTS) && k / n > threshold && lower_bound(k, n, CERTAIN) > threshold
        };
        if above(0.03) && end.critical.is_none() {
            end.critical = Some(step + 1);
        }
        let recent = lower_bound(sum(&bad, SHORT), sum(&all, SHORT), GOES_ON);
        let now = above(0.015) && recent > 0.015;
        if now && !fires && cancelled.is_none_or(|at| step - at > GRACE) {
            deadline = Some(step + GRACE);
        }
        if !now && fires {
            cancelled = Some(step);
        }
        fires = now;
        if fires && end.warning.is_none() && deadline.is_some_and(|deadline| step >= deadline) {
            end.warning = Some(step + 1);
        }
        if end.critical.is_some() && end.warning.is_some() {
            break;
        }
    }
    end
}

fn ramps(rate: f64, share: f64, count: usize) -> Vec<End> {
    let mut random = StdRng::seed_from_u64((rate * 1000.0 + share * 10.0).to_bits());
    (0..count).map(|_| ramp(&mut random, rate, share)).collect()
}

/// The median time, or a dash where fewer than nine in ten ramps are rolled back at all.
fn found_after(rate: f64, share: f64) -> String {
    let first = |end: &End| match (end.critical, end.warning) {
        (Some(critical), Some(warning)) => Some(critical.min(warning)),
        (critical, warning) => critical.or(warning),
    };
    let mut found: Vec<_> = ramps(rate, share, RAMPS).iter().filter_map(first).collect();
    if found.len() * 10 < RAMPS * 9 {
        return format!("{} % of ramps", found.len() * 100 / RAMPS);
    }
    found.sort_unstable();
    let seconds = found[found.len() / 2] as f64 * STEP;
    if seconds < 100.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

/// How many of a hundred good canaries are rolled back.
fn false_ones(rate: f64, share: f64) -> String {
    let ends = ramps(rate, share, GOOD_RAMPS);
    let wrong = ends.iter().filter(|end| end.critical.is_some() || end.warning.is_some()).count();
    format!("{:.1} %", wrong as f64 * 100.0 / GOOD_RAMPS as f64)
}

/// The table as it stands in the README.
fn table() -> String {
    let percent = |share: &f64| format!("{} %", share * 100.0);
    let heads: Vec<_> = BAD
        .iter()
        .map(percent)
        .chain(GOOD.iter().map(|share| format!("false at {}", percent(share))))
        .collect();
    let mut text =
        format!("| requests a second | {} |\n| --- |{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
    for rate in TRAFFIC {
        let bad = BAD.iter().map(|share| found_after(rate, *share));
        let good = GOOD.iter().map(|share| false_ones(rate, *share));
        text.push_str(&format!("| {rate} | {} |\n", bad.chain(good).collect::<Vec<_>>().join(" | ")));
    }
    text
}

#[test]
fn the_table_of_what_is_found_how_fast_is_as_computed() {
    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules/README.md");
    let readme = std::fs::read_to_string(readme).expect("read");
    let table = table();
    assert!(readme.contains(&table), "alert-rules/README.md does not have the table as computed:\n{table}");
}
