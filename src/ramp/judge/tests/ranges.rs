//! What is within, outside, and not to be judged.

use super::*;
use GateReason as R;

/// The reason of a verdict after 15 minutes, in which 41 points are judged and 21 are of the last five.
fn reason(answer: &RangeAnswer) -> GateReason {
    judge_range(answer, &p95(), &span(900)).reason
}

#[test]
fn a_verdict_follows_from_the_values_of_the_stage() {
    let good = || constant(300, 900, 0.1);
    let with = |changes: &[(i64, f64)]| {
        let changed = |(seconds, value)| {
            changes
                .iter()
                .find(|(at, _)| *at == seconds)
                .map_or((seconds, value), |(_, value)| (seconds, *value))
        };
        answer(good().map(changed))
    };
    let without = |missing: &dyn Fn(i64) -> bool| answer(good().filter(|(seconds, _)| !missing(*seconds)));
    for (what, answer, expected) in [
        ("all is well", answer(good()), R::Within),
        ("below means below", answer(constant(300, 900, 0.2)), R::OutsideNow),
        ("the largest that is below", answer(constant(300, 900, 0.2_f64.next_down())), R::Within),
        ("the last value", with(&[(900, 0.3)]), R::OutsideNow),
        ("the first of the last five minutes", with(&[(600, 0.3)]), R::OutsideNow),
        ("the last before them", with(&[(585, 0.3)]), R::Within),
        ("four of 41", with(&[(300, 1.0), (315, 1.0), (330, 1.0), (345, 1.0)]), R::Within),
        (
            "five of 41",
            with(&[(300, 1.0), (315, 1.0), (330, 1.0), (345, 1.0), (360, 1.0)]),
            R::OutsideTooOften,
        ),
        ("nothing", RangeAnswer::default(), R::NoData),
        ("a series without a point", answer([]), R::NoData),
        ("only what is older than the stage", answer(constant(0, 285, 0.1)), R::Gaps),
        ("no number now", with(&[(900, f64::NAN)]), R::NotANumber),
        ("infinite now", with(&[(700 + 5, f64::INFINITY)]), R::NotANumber),
        ("no number now, and one outside", with(&[(900, f64::NAN), (885, 0.3)]), R::NotANumber),
        ("no number before: missing", with(&[(300, f64::NAN), (315, f64::INFINITY)]), R::Within),
        ("no number too often", with(&[300, 315, 330, 345, 360].map(|at| (at, f64::NAN))), R::Gaps),
        ("one is missing now", without(&|at| at == 750), R::Gaps),
        ("the last one is missing", without(&|at| at == 900), R::Gaps),
        ("late: it ended some minutes ago", without(&|at| at > 700), R::Gaps),
        ("four of 41 are missing", without(&|at| at < 360), R::Within),
        ("five of 41 are missing", without(&|at| at < 375), R::Gaps),
        ("at other times than asked", answer(good().map(|(at, value)| (at + 7, value))), R::Gaps),
        ("two values for one time", answer(good().chain([(900, 0.1)])), R::NoAnswer),
        (
            "an error beside values",
            RangeAnswer { error: Some("partial".to_owned()), ..answer(good()) },
            R::NoAnswer,
        ),
        (
            "two series, both well",
            RangeAnswer { series: vec![series(good()), series(good())], ..RangeAnswer::default() },
            R::SeveralSeries,
        ),
    ] {
        assert_eq!(reason(&answer), expected, "{what}");
    }
}

#[test]
fn exactly_nine_tenths_are_enough_and_exactly_one_tenth_may_be_outside() {
    // 40 points: the span ends a step earlier.
    let of_40 = |answer: &RangeAnswer| judge_range(answer, &p95(), &span(885)).reason;
    assert_eq!(of_40(&answer(constant(360, 885, 0.1))), R::Within, "36 of 40");
    assert_eq!(of_40(&answer(constant(375, 885, 0.1))), R::Gaps, "35 of 40");
    let outside = |last| answer(constant(300, last, 1.0).chain(constant(last + 15, 885, 0.1)));
    assert_eq!(of_40(&outside(345)), R::Within, "4 of 40");
    assert_eq!(of_40(&outside(360)), R::OutsideTooOften, "5 of 40");
    // 4 of the 36 that are there are more than a tenth of what was seen.
    let of_36 = answer(constant(360, 405, 1.0).chain(constant(420, 885, 0.1)));
    assert_eq!(of_40(&of_36), R::OutsideTooOften);
}

#[test]
fn what_is_certainly_outside_fails_in_spite_of_gaps_and_a_few_values_do_not() {
    assert_eq!(reason(&answer([(900, 0.3)])), R::OutsideNow, "now");
    assert_eq!(reason(&answer(constant(300, 360, 0.3))), R::OutsideTooOften, "5 of the 41 that were to come");
    assert_eq!(reason(&answer(constant(300, 345, 0.3))), R::Gaps, "4 of them");
}

#[test]
fn every_bound_is_kept_to_exactly() {
    for (bound, inside, outside) in [
        (Bound::Below(1.0), 0.5, 1.0),
        (Bound::AtMost(1.0), 1.0, 1.0_f64.next_up()),
        (Bound::Above(1.0), 1.5, 1.0),
        (Bound::AtLeast(1.0), 1.0, 1.0_f64.next_down()),
    ] {
        let query = RangeQuery { bound, ..p95() };
        let verdict = |value| judge_range(&answer(constant(300, 900, value)), &query, &span(900)).verdict;
        assert_eq!(verdict(inside), GateVerdict::Pass, "{bound:?} {inside}");
        assert_eq!(verdict(outside), GateVerdict::Fail, "{bound:?} {outside}");
    }
}

#[test]
fn nothing_is_judged_before_the_first_window_lies_in_the_stage() {
    for (age, expected) in [(0, R::TooEarly), (299, R::TooEarly), (300, R::Within), (-60, R::TooEarly)] {
        let answer = answer(constant(300, 300, 0.1));
        assert_eq!(judge_range(&answer, &p95(), &span(age)).reason, expected, "{age}");
    }
    // A share that was read back within a second: the first whole one counts.
    let late = StageSpan { began_at: at(0) + TimeDelta::milliseconds(1), ..span(300) };
    assert_eq!(judge_range(&answer([(300, 0.1)]), &p95(), &late).reason, R::TooEarly);
}

#[test]
fn a_gap_slides_out_once_the_stage_has_lasted_its_time_again() {
    // Prometheus was away until the 15 minutes were over.
    let back = |age: i64| judge_range(&answer(constant(900, age, 0.1)), &p95(), &span(age)).reason;
    assert_eq!(back(1_500), R::Gaps, "10 of the last 15 minutes are there");
    assert_eq!(back(1_695), R::Gaps, "7 points of 61 are missing");
    assert_eq!(back(1_710), R::Within, "6 of them");
    // And so does what was bad.
    let mended = |age: i64| {
        let values = constant(300, 900, 0.9).chain(constant(915, age, 0.1));
        judge_range(&answer(values), &p95(), &span(age)).reason
    };
    assert_eq!((mended(1_200), mended(1_500), mended(1_800)), (R::OutsideNow, R::OutsideTooOften, R::Within));
}

#[test]
fn without_enough_samples_there_is_no_verdict_good_or_bad() {
    let query = RangeQuery { samples: Some("requests".to_owned()), min_samples: 300, ..p95() };
    let with = |samples, value| RangeAnswer { samples, ..answer(constant(300, 900, value)) };
    for (what, answer, expected) in [
        ("enough", with(Some(300.0), 0.1), R::Within),
        ("enough, and bad", with(Some(300.0), 0.9), R::OutsideNow),
        ("one less", with(Some(299.0), 0.1), R::TooFewSamples),
        ("one of three fails", with(Some(3.0), 0.9), R::TooFewSamples),
        ("nobody knows", with(None, 0.9), R::TooFewSamples),
        ("no number", with(Some(f64::NAN), 0.1), R::TooFewSamples),
        ("no traffic, so no number", with(Some(0.0), f64::NAN), R::TooFewSamples),
        (
            "no traffic, so no series",
            RangeAnswer { samples: Some(0.0), ..RangeAnswer::default() },
            R::TooFewSamples,
        ),
        ("no such metric", RangeAnswer::default(), R::NoData),
    ] {
        assert_eq!(judge_range(&answer, &query, &span(900)).reason, expected, "{what}");
    }
}

#[test]
fn a_finding_says_what_was_seen_in_its_unit() {
    let words = |query: &RangeQuery, answer: &RangeAnswer| judge_range(answer, query, &span(900)).detail;
    let all = |value| answer(constant(300, 900, value));
    let ratio = RangeQuery { bound: Bound::Below(0.01), unit: Unit::Ratio, ..p95() };
    let few = RangeQuery { samples: Some("x".to_owned()), min_samples: 300, ..p95() };
    for (query, answer, expected) in [
        (p95(), all(0.123_456), "0.123 s < 0.2 s; 0 of 41 values outside"),
        (p95(), all(0.31), "0.31 s, and has to be < 0.2 s; 41 of 41 values outside"),
        (p95(), all(0.199_99), "0.19999 s < 0.2 s; 0 of 41 values outside"),
        (ratio, all(0.0), "0 % < 1 %; 0 of 41 values outside"),
        (
            p95(),
            answer(constant(300, 360, 1.0).chain(constant(375, 900, 0.1))),
            "5 of 41 values outside, and at most a tenth may be: it has to be < 0.2 s",
        ),
        (
            p95(),
            answer(constant(300, 855, 0.1)),
            "3 of 41 values are missing or unclear, 3 of them in the last five minutes",
        ),
        (few, RangeAnswer { samples: Some(12.7), ..all(0.1) }, "12 in the stage so far, and it takes 300"),
    ] {
        assert_eq!(words(&query, &answer), expected);
    }
    assert_eq!(judge_range(&all(0.31), &p95(), &span(900)).value, Some(0.31));
}

/// A point of the stage or near it, with any value.
fn points() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        8 => Just(0.1),
        1 => Just(0.3),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), any::<f64>()],
    ];
    proptest::collection::vec((0_i64..70, value), 0..70)
        .prop_map(|points| points.into_iter().map(|(number, value)| (number * 15, value)).collect())
}

proptest! {
    #[test]
    fn no_answer_with_too_little_in_it_ever_passes(
        points in points(), age in 0_i64..1_100, since in any::<bool>(), samples in proptest::option::of(0.0..600.0),
    ) {
        let query = RangeQuery {
            since_stage_began: since, samples: Some("x".to_owned()), min_samples: 300, ..p95()
        };
        let answer = RangeAnswer { samples, ..answer(points.clone()) };
        let span = span(age);
        if judge_range(&answer, &query, &span).verdict == GateVerdict::Pass {
            // Counted anew, from the rule and not from the code: every judged time of the stage.
            let first = (age - 900).max(300);
            let start = if since { 0 } else { first };
            let times: Vec<_> = (start..=age).step_by(15).filter(|at| *at >= first).collect();
            let value = |at: i64| {
                points.iter().find(|(seconds, value)| *seconds == at && value.is_finite()).map(|(_, value)| *value)
            };
            let present: Vec<_> = times.iter().filter(|at| value(**at).is_some()).collect();
            prop_assert!(present.len() * 10 >= times.len() * 9);
            prop_assert!(times.iter().filter(|at| **at >= age - 300).all(|at| value(*at).is_some()));
            prop_assert!(samples.is_some_and(|samples| samples >= 300.0));
            if !since {
                let outside = present.iter().filter(|at| value(***at).is_some_and(|value| value >= 0.2)).count();
                prop_assert!(outside * 10 <= present.len());
            }
        }
    }

    #[test]
    fn an_answer_from_the_evidence_is_judged_as_it_was(
        points in points(), age in 0_i64..1_100, since in any::<bool>(), samples in proptest::option::of(0.0..600.0),
    ) {
        let query = RangeQuery { since_stage_began: since, ..p95() };
        let criterion = criterion(Question::Query(query));
        let answer = Answer::Range(RangeAnswer { samples, ..answer(points) });
        let (span, written) = (span(age), serde_json::to_string(&(&answer, &criterion, span(age))).expect("JSON"));
        let (read, asked, of): (Answer, Criterion, StageSpan) = serde_json::from_str(&written).expect("as written");
        prop_assert_eq!(judge_answer(&read, &asked, &of), judge_answer(&answer, &criterion, &span));
    }
}
