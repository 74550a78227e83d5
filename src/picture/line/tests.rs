use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn trace(points: &[(i64, f64)]) -> Trace {
    let points: Vec<_> = points.iter().map(|(seconds, value)| (at(*seconds), *value)).collect();
    Trace::new(&points, (at(0), at(1_000)), TimeDelta::seconds(15))
}

#[test]
fn a_line_is_broken_by_a_missing_sample_and_by_one_that_is_no_number() {
    let nan = f64::NAN;
    for (points, runs) in [
        (vec![], vec![]),
        (vec![(0, 1.0), (15, 2.0), (30, 3.0)], vec![vec![0, 15, 30]]),
        (vec![(30, 3.0), (0, 1.0), (15, 2.0)], vec![vec![0, 15, 30]]),
        (vec![(0, 1.0), (22, 2.0)], vec![vec![0, 22]]),
        (vec![(0, 1.0), (30, 2.0)], vec![vec![0], vec![30]]),
        (vec![(0, 1.0), (15, nan), (30, 2.0)], vec![vec![0], vec![30]]),
        (vec![(0, nan), (15, 1.0)], vec![vec![15]]),
        (vec![(-15, 1.0), (0, 1.0), (1_000, 1.0), (1_001, 1.0)], vec![vec![0], vec![1_000]]),
    ] {
        let found: Vec<Vec<i64>> =
            trace(&points).runs.iter().map(|run| run.iter().map(|point| point.0 as i64).collect()).collect();
        assert_eq!(found, runs, "{points:?}");
    }
}

#[test]
fn what_no_axis_can_show_breaks_the_line_and_is_marked_at_its_edge() {
    let found = trace(&[(0, 1.0), (15, f64::INFINITY), (30, -1e200), (45, 2.0)]);
    assert_eq!(found.off_scale, [(15.0, true), (30.0, false)]);
    assert_eq!(found.runs, [[(0.0, 1.0)], [(45.0, 2.0)]]);
    assert!(trace(&[(0, f64::NAN)]).is_empty() && !trace(&[(0, f64::INFINITY)]).is_empty());
}

#[test]
fn a_run_is_cut_where_it_crosses_the_bound() {
    let run = [(0.0, 0.0), (10.0, 4.0), (20.0, 0.0)];
    let found = parts(&run, Some(Threshold::Below(2.0)));
    let part = |is_beyond, points: &[Point]| Part { is_beyond, points: points.to_vec() };
    assert_eq!(
        found,
        [
            part(false, &[(0.0, 0.0), (5.0, 2.0)]),
            part(true, &[(5.0, 2.0), (10.0, 4.0), (15.0, 2.0)]),
            part(false, &[(15.0, 2.0), (20.0, 0.0)]),
        ]
    );
    assert_eq!(parts(&run, None), [part(false, &run)]);
    assert_eq!(parts(&[], Some(Threshold::Below(2.0))), []);
}

#[test]
fn a_value_at_the_threshold_is_on_the_side_that_the_threshold_says() {
    for (threshold, is_beyond) in [
        (Threshold::Below(1.0), true),
        (Threshold::AtMost(1.0), false),
        (Threshold::Above(1.0), true),
        (Threshold::AtLeast(1.0), false),
    ] {
        let found = parts(&[(0.0, 1.0)], Some(threshold));
        assert_eq!(found, [Part { is_beyond, points: vec![(0.0, 1.0)] }], "{threshold:?}");
    }
}

#[test]
fn a_thinned_line_keeps_every_peak() {
    let points: Vec<Point> =
        (0..10_000).map(|n| (f64::from(n), if n == 7_777 { 9.0 } else { f64::from(n % 3) })).collect();
    let found = thinned(&points, 100.0, 100);
    assert!(found.len() <= 400, "{}", found.len());
    assert!(
        found.contains(&(7_777.0, 9.0)) && found.contains(&(0.0, 0.0)) && found.contains(&(9_999.0, 0.0))
    );
    assert!(found.is_sorted_by(|a, b| a.0 < b.0));
    assert_eq!(thinned(&points[..400], 100.0, 100), points[..400]);
}
