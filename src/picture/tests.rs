//! The pictures, decoded again: what is where on them.

use plotters::style::RGBColor;
use proptest::prelude::*;

use super::*;

/// The first panel, from its left upper to its right lower corner.
const FIRST: ((u32, u32), (u32, u32)) = ((14, 66), (494, 286));

/// Columns of the first panel's axes.
const AXIS_COLUMNS: std::ops::Range<u32> = 78..482;

struct Decoded {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Decoded {
    fn of(picture: &Picture) -> Self {
        let bytes = draw(picture).expect("drawn");
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("whole");
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        Self { width: info.width, height: info.height, pixels }
    }

    fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y * self.width + x) as usize * 3;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    fn has(&self, x: u32, y: u32, colour: RGBColor) -> bool {
        self.at(x, y) == [colour.0, colour.1, colour.2]
    }

    /// Rows of the first panel where most of the axis' columns have this colour.
    fn rows(&self, colour: RGBColor) -> Vec<u32> {
        let most = AXIS_COLUMNS.len() / 2;
        let is_most = |y: &u32| AXIS_COLUMNS.filter(|x| self.has(*x, *y, colour)).count() > most;
        (FIRST.0.1..FIRST.1.1).filter(is_most).collect()
    }

    /// Pixels of the first panel with this colour.
    fn places(&self, colour: RGBColor) -> Vec<(u32, u32)> {
        let rows = FIRST.0.1..FIRST.1.1;
        let all = rows.flat_map(|y| (FIRST.0.0..FIRST.1.0).map(move |x| (x, y)));
        all.filter(|(x, y)| self.has(*x, *y, colour)).collect()
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_789_365 + seconds)
}

fn line(values: impl IntoIterator<Item = f64>) -> Line {
    let points = (0..).zip(values).map(|(number, value)| (at(15 * number), value));
    Line { name: "a line".to_owned(), points: points.collect() }
}

fn panel(series: Vec<Line>, threshold: Option<Threshold>) -> Panel {
    Panel { title: "P95".to_owned(), unit: Unit::Seconds, series, threshold, note: Some("pass".to_owned()) }
}

fn picture(panels: Vec<Panel>) -> Picture {
    Picture {
        title: "spark-canary · stage 25 %".to_owned(),
        subtitle: "revision 7f3a91c".to_owned(),
        from: at(0),
        to: at(900),
        step: TimeDelta::seconds(15),
        panels,
    }
}

fn one(values: impl IntoIterator<Item = f64>, threshold: Option<Threshold>) -> Decoded {
    Decoded::of(&picture(vec![panel(vec![line(values)], threshold)]))
}

#[test]
fn ten_panels_are_drawn_two_in_a_row_and_nothing_of_them_outside() {
    let ten = |series: &[Line]| {
        let panels = (0..10).map(|_| panel(series.to_vec(), Some(Threshold::Below(0.2))));
        Decoded::of(&picture(panels.collect()))
    };
    let (with, without) = (ten(&[line([0.1; 61])]), ten(&[]));
    assert_eq!((with.width, with.height), (WIDTH_PIXELS, HEIGHT_PIXELS));
    let mut differing = [0; 10];
    for y in 0..with.height {
        for x in (0..with.width).filter(|x| with.at(*x, y) != without.at(*x, y)) {
            let (row, column) = ((y - FIRST.0.1) / 231, u32::from(x > 500));
            let (left, top) = (FIRST.0.0 + column * 491, FIRST.0.1 + row * 231);
            assert!((left..left + 481).contains(&x) && (top..top + 221).contains(&y), "{x} {y}");
            differing[(row * 2 + column) as usize] += 1;
        }
    }
    assert!(differing[0] > 500 && differing.iter().all(|count| *count == differing[0]), "{differing:?}");
}

#[test]
fn the_threshold_is_a_red_line_at_its_height_on_the_axis() {
    for (threshold, value) in [(0.2, 0.1), (30.0, 7.5), (1.0, 2.0)] {
        let decoded = one([value; 61], Some(Threshold::Below(threshold)));
        let rows = |colour| decoded.rows(colour);
        let (zero, red) = (rows(palette::AXIS), rows(palette::THRESHOLD));
        let drawn = rows(if value < threshold { palette::LINES[0] } else { palette::BEYOND });
        let (Some(zero), Some(red), Some(drawn)) = (zero.last(), red.first(), drawn.first()) else {
            panic!("{zero:?} {red:?} {drawn:?}")
        };
        let expected = f64::from(zero - drawn) * threshold / value;
        assert!((f64::from(zero - red) - expected).abs() <= 2.0 + threshold / value, "{zero} {red} {drawn}");
    }
    assert!(one([1.0; 61], None).places(palette::THRESHOLD).is_empty());
}

#[test]
fn only_what_lies_beyond_the_threshold_is_red() {
    let spike = (0..61).map(|number| if number == 30 { 2.0 } else { 0.5 });
    let decoded = one(spike, Some(Threshold::Below(1.0)));
    let threshold = decoded.rows(palette::THRESHOLD)[0];
    let beyond = decoded.places(palette::BEYOND);
    assert!(!beyond.is_empty() && beyond.iter().all(|(_, y)| *y <= threshold), "{beyond:?}");
    let inside = decoded.places(palette::LINES[0]);
    assert!(!inside.is_empty() && inside.iter().all(|(_, y)| *y + 1 >= threshold));
    assert!(one([0.5; 61], Some(Threshold::Below(1.0))).places(palette::BEYOND).is_empty());
    let below = one([0.5; 61], Some(Threshold::AtLeast(1.0)));
    assert!(below.places(palette::LINES[0]).is_empty() && !below.places(palette::BEYOND).is_empty());
}

#[test]
fn a_gap_leaves_no_pixel_of_the_line() {
    let missing = |number: &i64| (20..40).contains(number);
    let nan = line((0..61).map(|number| if missing(&number) { f64::NAN } else { 1.0 }));
    let points = (0..61).filter(|number| !missing(number)).map(|number| (at(15 * number), 1.0));
    let absent = Line { points: points.collect(), ..nan.clone() };
    let of = |line: Line| Decoded::of(&picture(vec![panel(vec![line], None)]));
    let (nan, absent) = (of(nan), of(absent));
    assert_eq!(nan.pixels, absent.pixels);
    let columns: std::collections::BTreeSet<u32> =
        nan.places(palette::LINES[0]).into_iter().map(|(x, _)| x).collect();
    let width = f64::from(AXIS_COLUMNS.end - AXIS_COLUMNS.start);
    let column = |number: f64| AXIS_COLUMNS.start + (width * number / 60.0) as u32;
    let gap = column(19.0) + 6..column(40.0) - 6;
    assert!(columns.iter().all(|x| !gap.contains(x)), "{columns:?} {gap:?}");
    assert!((column(1.0)..column(18.0)).all(|x| columns.contains(&x)), "{columns:?}");
    assert!((column(42.0)..column(59.0)).all(|x| columns.contains(&x)), "{columns:?}");
}

#[test]
fn a_sample_that_stands_alone_is_a_dot() {
    let alone = one((0..61).map(|number| if number == 30 { 1.0 } else { f64::NAN }), None);
    let places = alone.places(palette::LINES[0]);
    let (left, right) = (places.iter().map(|place| place.0).min(), places.iter().map(|place| place.0).max());
    assert!(left.zip(right).is_some_and(|(left, right)| left > 270 && right < 290), "{places:?}");
}

#[test]
fn where_there_is_no_data_it_says_so() {
    let threshold = Some(Threshold::Below(1.0));
    let empty = Decoded::of(&picture(vec![panel(vec![], threshold)]));
    let numberless = one([f64::NAN; 61], threshold);
    let outside = Line { points: vec![(at(-15), 1.0), (at(915), 1.0)], ..line([]) };
    let outside = Decoded::of(&picture(vec![panel(vec![outside], threshold)]));
    let written = |decoded: &Decoded| {
        let places = decoded.places(palette::FAINT_INK);
        places.into_iter().filter(|(x, y)| (230..330).contains(x) && (150..220).contains(y)).count()
    };
    assert!(empty.pixels == numberless.pixels && empty.pixels == outside.pixels);
    assert!(written(&empty) > 20, "{}", written(&empty));
    assert_eq!(written(&one([0.0; 61], threshold)), 0);
}

#[test]
fn a_value_that_no_axis_can_show_is_a_red_dot_at_its_edge() {
    let decoded = one((0..61).map(|number| if number == 30 { f64::INFINITY } else { 0.1 }), None);
    let dots = decoded.places(palette::BEYOND);
    assert!(dots.len() > 20 && dots.iter().all(|(x, _)| (270..290).contains(x)), "{dots:?}");
    let line = decoded.places(palette::LINES[0]);
    assert!(dots.iter().all(|dot| line.iter().all(|point| dot.1 < point.1)));
}

#[test]
fn more_lines_than_can_be_told_apart_are_counted_in_words() {
    let lines = |count| vec![line([1.0; 61]); count];
    let of = |count| Decoded::of(&picture(vec![panel(lines(count), None)]));
    let (most, more) = (of(MAX_LINES), of(MAX_LINES + 3));
    let differing = |y: &u32| (0..WIDTH_PIXELS).any(|x| most.at(x, *y) != more.at(x, *y));
    let rows: Vec<_> = (0..most.height).filter(differing).collect();
    // The note's own line, and nothing else.
    assert!(!rows.is_empty() && rows.iter().all(|y| (90..112).contains(y)), "{rows:?}");
}

#[test]
fn a_text_from_outside_stays_in_its_panel() {
    let long = "\u{202e}W✅\n".repeat(10_000);
    let line = Line { name: long.clone(), ..line([1.0; 61]) };
    let wild = Panel {
        title: long.clone(),
        unit: Unit::PerMinute,
        series: vec![line; 5],
        threshold: Some(Threshold::Below(1e9)),
        note: Some(long.clone()),
    };
    let wild = Picture { title: long.clone(), subtitle: long, ..picture(vec![wild]) };
    let decoded = Decoded::of(&wild);
    for y in FIRST.0.1 + 1..FIRST.1.1 {
        let is_card = |x: u32| decoded.has(x, y, palette::CARD);
        assert!((FIRST.0.0 + 1..FIRST.0.0 + 4).chain(FIRST.1.0 - 4..FIRST.1.0).all(is_card), "{y}");
    }
    let right = |y| (WIDTH_PIXELS - 13..WIDTH_PIXELS).all(|x| decoded.has(x, y, palette::PAGE));
    assert!((0..decoded.height).all(right));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let panels = vec![panel(vec![line((0..61).map(f64::from))], Some(Threshold::AtMost(30.0))); 3];
    let picture = picture(panels);
    assert_eq!(draw(&picture), draw(&picture.clone()));
}

#[test]
fn what_can_not_be_drawn_is_refused_with_its_limit() {
    let words = |picture: &Picture| draw(picture).expect_err("refused").to_string();
    let many = picture(vec![panel(vec![], None); MAX_PANELS + 1]);
    assert_eq!(words(&many), "a picture of 41 panels is asked for, and 40 is the most");
    let long = picture(vec![panel(vec![line(vec![1.0; MAX_POINTS + 1])], None)]);
    assert_eq!(words(&long), "a picture of 11001 points of one line is asked for, and 11000 is the most");
    for wrong in [
        Picture { to: at(0), ..picture(vec![]) },
        Picture { to: at(-1), ..picture(vec![]) },
        Picture { step: TimeDelta::zero(), ..picture(vec![]) },
    ] {
        assert!(words(&wrong).contains("shows no time"), "{wrong:?}");
    }
    assert_eq!(Decoded::of(&picture(vec![])).width, WIDTH_PIXELS);
}

const UNITS: [Unit; 6] =
    [Unit::Count, Unit::Seconds, Unit::Ratio, Unit::PerSecond, Unit::PerMinute, Unit::Bytes];

fn any_threshold() -> impl Strategy<Value = Option<Threshold>> {
    let value = prop_oneof![any::<f64>(), 0.0..100.0];
    proptest::option::of(prop_oneof![
        value.clone().prop_map(Threshold::Below),
        value.clone().prop_map(Threshold::AtMost),
        value.clone().prop_map(Threshold::Above),
        value.prop_map(Threshold::AtLeast),
    ])
}

fn any_line() -> impl Strategy<Value = Line> {
    let edges = [0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 9.9e99, -9.9e99];
    let value = prop_oneof![
        any::<f64>(),
        0.0..1.0,
        proptest::sample::select(edges.to_vec()),
        Just(f64::NAN),
        Just(f64::NEG_INFINITY)
    ];
    let points = proptest::collection::vec((-100_i64..1_000, value), 0..80);
    ("\\PC*", points).prop_map(|(name, points)| {
        let points = points.into_iter().map(|(seconds, value)| (at(seconds), value)).collect();
        Line { name, points }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn whatever_was_measured_is_drawn(
        series in proptest::collection::vec(any_line(), 0..8),
        threshold in any_threshold(),
        (title, note) in ("\\PC*", proptest::option::of("\\PC*")),
        unit in proptest::sample::select(UNITS.to_vec()),
        (step, seconds) in (1_i64..100, prop_oneof![1_i64..2_000, 1_i64..10_000_000_000]),
    ) {
        let panel = Panel { title, unit, series, threshold, note };
        let step = TimeDelta::seconds(step);
        let decoded = Decoded::of(&Picture { to: at(seconds), step, ..picture(vec![panel]) });
        prop_assert_eq!((decoded.width, decoded.height), (WIDTH_PIXELS, 326));
    }
}
