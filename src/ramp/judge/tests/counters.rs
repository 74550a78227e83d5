//! What grew since a stage began.

use super::*;
use GateReason as R;

/// The reason and the growth, 15 minutes after the stage began: 61 points.
fn grown(series: Vec<Series>, most: f64) -> (GateReason, Option<f64>) {
    let query = RangeQuery { bound: Bound::AtMost(most), ..errors() };
    let found = judge_range(&RangeAnswer { series, ..RangeAnswer::default() }, &query, &span(900));
    (found.reason, found.value)
}

/// The values in turn, each from its second on.
fn steps(steps: &[(i64, f64)]) -> Series {
    let from = steps.first().map_or(0, |step| step.0);
    let value = |at: i64| steps.iter().rev().find(|step| step.0 <= at).map_or(0.0, |step| step.1);
    series((from..=900).step_by(15).map(|at| (at, value(at))))
}

#[test]
fn only_what_is_counted_in_the_stage_counts() {
    for (what, series, expected) in [
        ("seven from before", steps(&[(0, 7.0)]), (R::Within, Some(0.0))),
        ("one more, long ago", steps(&[(0, 7.0), (15, 8.0)]), (R::OutsideNow, Some(1.0))),
        ("one more, now", steps(&[(0, 7.0), (900, 8.0)]), (R::OutsideNow, Some(1.0))),
        ("from nothing", steps(&[(0, 0.0), (600, 2.0)]), (R::OutsideNow, Some(2.0))),
    ] {
        assert_eq!(grown(vec![series], 0.0), expected, "{what}");
    }
}

#[test]
fn a_counter_that_begins_anew_counts_from_nothing() {
    assert_eq!(
        grown(vec![steps(&[(0, 7.0), (300, 0.0)])], 0.0),
        (R::Within, Some(0.0)),
        "restarted, and well"
    );
    let again = steps(&[(0, 7.0), (150, 9.0), (300, 1.0), (450, 4.0)]);
    assert_eq!(grown(vec![again], 5.0), (R::OutsideNow, Some(6.0)), "2, then 1, then 3");
}

#[test]
fn a_series_born_after_others_counts_in_whole() {
    // Each pod's errors, or 0 while it is up: the second pod is new.
    let old = || steps(&[(0, 3.0)]);
    assert_eq!(grown(vec![old(), steps(&[(450, 2.0)])], 0.0), (R::OutsideNow, Some(2.0)));
    assert_eq!(grown(vec![old(), steps(&[(450, 0.0)])], 0.0), (R::Within, Some(0.0)));
    // One that ends takes nothing back, and its end is no new beginning of the others.
    let ends = series(constant(0, 300, 5.0).chain(constant(315, 450, 6.0)));
    assert_eq!(grown(vec![old(), ends], 0.0), (R::OutsideNow, Some(1.0)));
    let well = series(constant(0, 450, 5.0));
    assert_eq!(grown(vec![old(), well], 0.0), (R::Within, Some(0.0)));
}

/// Each with a value from one second to another, of this server and shown by this instance.
fn shown(server: &str, instance: &str, (from, to): (i64, i64), value: f64) -> Series {
    let labels = [("server", server), ("instance", instance)];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Series { labels, ..series(constant(from, to, value)) }
}

#[test]
fn what_comes_as_another_of_its_kind_goes_may_be_its_total_or_growth_and_is_neither() {
    // Another server's keeps the stage's start known.
    let other = || shown("b", "1", (0, 900), 0.0);
    let old = |value| shown("a", "1", (0, 300), value);
    for (what, series, most, expected) in [
        ("its exporter came back", vec![other(), old(7.0), shown("a", "2", (315, 900), 7.0)], 0.0, R::Gaps),
        ("whatever its order", vec![shown("a", "2", (315, 900), 7.0), old(7.0), other()], 0.0, R::Gaps),
        ("both for a while", vec![other(), old(7.0), shown("a", "2", (240, 900), 7.0)], 0.0, R::Gaps),
        ("with one more", vec![other(), old(7.0), shown("a", "2", (315, 900), 8.0)], 0.0, R::OutsideNow),
        ("too few even in whole", vec![other(), old(7.0), shown("a", "2", (315, 900), 7.0)], 7.0, R::Within),
        ("from nothing", vec![other(), old(7.0), shown("a", "2", (315, 900), 2.0)], 0.0, R::OutsideNow),
        ("another's", vec![other(), old(7.0), shown("c", "2", (315, 900), 7.0)], 0.0, R::OutsideNow),
        (
            "beside it",
            vec![other(), shown("a", "1", (0, 900), 7.0), shown("a", "2", (315, 900), 7.0)],
            0.0,
            R::OutsideNow,
        ),
        (
            "two of one",
            vec![other(), old(7.0), shown("a", "2", (315, 900), 7.0), shown("a", "3", (315, 900), 7.0)],
            0.0,
            R::OutsideNow,
        ),
        (
            "and once more",
            vec![other(), old(7.0), shown("a", "2", (315, 600), 7.0), shown("a", "3", (615, 900), 7.0)],
            0.0,
            R::Gaps,
        ),
    ] {
        assert_eq!(grown(series, most).0, expected, "{what}");
    }
}

#[test]
fn where_nobody_knows_what_a_counter_began_with_its_first_value_is_neither_growth_nor_none() {
    // Born with its first error, or Prometheus was away: a rollback must not follow from that.
    assert_eq!(grown(vec![steps(&[(30, 1.0)])], 0.0), (R::Gaps, None));
    // What is seen to grow after that certainly did.
    assert_eq!(grown(vec![steps(&[(30, 1.0), (600, 2.0)])], 0.0), (R::OutsideNow, Some(2.0)));
    // And what would be too little even if all of it were.
    assert_eq!(grown(vec![steps(&[(30, 1.0)])], 1.0), (R::Within, Some(1.0)));
    assert_eq!(grown(vec![steps(&[(150, 1.0)])], 1.0), (R::Gaps, Some(1.0)), "10 of 61 are missing");
}

#[test]
fn an_error_stays_one_for_as_long_as_the_stage_lasts() {
    let hour = 4 * 900;
    let values = constant(0, 15, 0.0).chain(constant(30, hour, 1.0));
    let found = judge_range(&answer(values), &errors(), &span(hour));
    assert_eq!((found.reason, found.value), (R::OutsideNow, Some(1.0)));
}

#[test]
fn growth_that_has_to_come_passes_once_it_is_there() {
    let query = RangeQuery { bound: Bound::AtLeast(10.0), ..errors() };
    let reason = |values: Series| {
        let answer = RangeAnswer { series: vec![values], ..RangeAnswer::default() };
        judge_range(&answer, &query, &span(900)).reason
    };
    assert_eq!(reason(steps(&[(0, 5.0), (15, 15.0)])), R::Within);
    assert_eq!(reason(steps(&[(0, 5.0), (15, 14.0)])), R::OutsideNow);
}

#[test]
fn more_series_than_pods_can_be_are_a_mistake() {
    let many = |count: usize| vec![steps(&[(0, 0.0)]); count];
    assert_eq!(grown(many(500), 0.0).0, R::Within);
    assert_eq!(grown(many(501), 0.0).0, R::SeveralSeries);
}
