//! One panel: its title, its note, and a chart with what is written around it.

use chrono::{DateTime, TimeDelta, Utc};

use super::axis::{Span, TimeMarks};
use super::canvas::Canvas;
use super::lettering::{Anchor, Lettering};
use super::line::{Trace, seconds};
use super::plot::{self, Plot};
use super::unit::{self, Scale};
use super::{DrawError, MAX_LINES, Panel, palette};

const PADDING: u32 = 12;
const TITLE_TOP: i32 = 8;
const NOTE_TOP: i32 = 28;
/// Where the legend or the chart begins.
const WORDS: u32 = 46;
const LEGEND_COLUMNS: usize = 3;
const LEGEND_ROW: u32 = 16;
/// Left of the value axis, for what is written there.
const VALUES: u32 = 62;
/// Under the time axis, for what is written there.
const TIMES: u32 = 18;
const TITLE_SIZE: u8 = 17;
const TEXT_SIZE: u8 = 13;
const NO_DATA_SIZE: u8 = 22;

/// The time axis of a whole picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) step: TimeDelta,
}

/// Where on the canvas something is, and how large.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Place {
    fn at(self, x: i32, y: i32) -> (i32, i32) {
        (self.left.saturating_add(x), self.top.saturating_add(y))
    }
}

/// Draws a panel over the whole place.
pub(super) fn draw_panel(
    canvas: &mut Canvas,
    place: Place,
    panel: &Panel,
    times: &Times,
) -> Result<(), DrawError> {
    canvas.fill(place.at(0, 0), (place.width, place.height), palette::BORDER);
    canvas.fill(place.at(1, 1), (place.width - 2, place.height - 2), palette::CARD);
    let drawn = panel.series.iter().take(MAX_LINES);
    let traces: Vec<Trace> =
        drawn.map(|line| Trace::new(&line.points, (times.from, times.to), times.step)).collect();
    let span = Span::of(&traces, panel.threshold);
    let scale = unit::scale(panel.unit, span.largest());
    let span = span.marked_by(&scale);
    let top = draw_words(canvas, place, panel, &traces, &scale)?;

    let margins = VALUES + PADDING - plot::MARGIN;
    let size = (place.width - margins, (place.height - TIMES).saturating_sub(top));
    let marks = TimeMarks::between(times.from, times.to);
    let end = seconds(times.to - times.from);
    let plot = Plot { size, traces: &traces, threshold: panel.threshold, span, end, time_marks: &marks.at };
    let corner = Place { width: size.0, height: size.1, ..place };
    let (left, top) = place.at((VALUES - plot::MARGIN) as i32, top as i32);
    let corner = Place { left, top, ..corner };
    canvas.paste(corner.at(0, 0), size.0, &plot.draw()?);
    draw_labels(canvas, corner, &plot, &marks, &scale)
}

/// Title, note and, where there are several lines, their names. Returns where the chart may begin.
fn draw_words(
    canvas: &mut Canvas,
    place: Place,
    panel: &Panel,
    traces: &[Trace],
    scale: &Scale,
) -> Result<u32, DrawError> {
    let (title, text) =
        (Lettering::new(TITLE_SIZE, palette::INK)?, Lettering::new(TEXT_SIZE, palette::FAINT_INK)?);
    let room = place.width - 2 * PADDING;
    let (left, right) = (PADDING as i32, (place.width - PADDING) as i32);
    let numbers = text.fitted(&numbers(traces, scale), room / 2);
    text.write(canvas, &numbers, place.at(right, TITLE_TOP + 3), Anchor::Right);
    let words = title.fitted(&panel.title, room - text.width(&numbers) - PADDING);
    title.write(canvas, &words, place.at(left, TITLE_TOP), Anchor::Left);
    text.write(canvas, &text.fitted(&note(panel), room), place.at(left, NOTE_TOP), Anchor::Left);
    if traces.len() < 2 {
        return Ok(WORDS);
    }
    let column = room / LEGEND_COLUMNS as u32;
    let lines = panel.series.iter().zip(traces).zip(palette::LINES);
    for (number, ((line, trace), colour)) in lines.enumerate() {
        let x = left + (column as usize * (number % LEGEND_COLUMNS)) as i32;
        let y = (WORDS + LEGEND_ROW * (number / LEGEND_COLUMNS) as u32) as i32;
        canvas.fill(place.at(x, y + 6), (12, 3), colour);
        let last = trace.last.map_or_else(|| "no data".to_owned(), |last| scale.value(last));
        let last = text.fitted(&last, column / 2);
        let name = text.fitted(&line.name, column.saturating_sub(30 + text.width(&last)));
        text.write(canvas, &format!("{name} {last}"), place.at(x + 17, y), Anchor::Left);
    }
    Ok(WORDS + LEGEND_ROW * traces.len().div_ceil(LEGEND_COLUMNS) as u32)
}

/// The newest value of a single line, and what can't be seen.
fn numbers(traces: &[Trace], scale: &Scale) -> String {
    let last = match traces {
        [trace] => trace.last.map(|last| format!("last {}", scale.value(last))),
        _ => None,
    };
    let off_scale: usize = traces.iter().map(|trace| trace.off_scale.len()).sum();
    let off_scale = (off_scale > 0).then(|| format!("{off_scale} off the scale"));
    last.into_iter().chain(off_scale).collect::<Vec<_>>().join(" · ")
}

fn note(panel: &Panel) -> String {
    let left_out = panel.series.len().saturating_sub(MAX_LINES);
    let left_out = (left_out > 0).then(|| format!("{left_out} more series are not drawn"));
    left_out.into_iter().chain(panel.note.clone()).collect::<Vec<_>>().join(" · ")
}

/// What is written at the axes and at the threshold; or that there is nothing.
fn draw_labels(
    canvas: &mut Canvas,
    corner: Place,
    plot: &Plot<'_>,
    marks: &TimeMarks,
    scale: &Scale,
) -> Result<(), DrawError> {
    let text = Lettering::new(TEXT_SIZE, palette::FAINT_INK)?;
    let (line, low) = (i32::from(TEXT_SIZE), plot.span.low);
    for value in plot.span.marks() {
        let (x, y) = plot.place(0.0, value);
        let words = text.fitted(&scale.mark(value, plot.span.step), VALUES - PADDING);
        text.write(canvas, &words, corner.at(x - 6, y - line / 2), Anchor::Right);
    }
    for at in &marks.at {
        let (x, y) = plot.place(*at, low);
        text.write(canvas, &marks.label(*at), corner.at(x, y + 5), Anchor::Centre);
    }
    if let Some(threshold) = plot.threshold() {
        let red = Lettering::new(TEXT_SIZE, palette::THRESHOLD)?;
        let words = format!("{} {}", threshold.sign(), scale.value(threshold.threshold()));
        let (x, y) = plot.place(plot.end, threshold.threshold());
        let (_, top) = plot.place(plot.end, plot.span.high);
        // Above the line; below it, where there is no room.
        let y = if y - top > line { y - line - 1 } else { y + 3 };
        red.write(canvas, &words, corner.at(x - 4, y), Anchor::Right);
    }
    if plot.traces.iter().all(Trace::is_empty) {
        let large = Lettering::new(NO_DATA_SIZE, palette::FAINT_INK)?;
        let middle = (corner.width as i32 / 2, corner.height as i32 / 2 - i32::from(NO_DATA_SIZE) / 2);
        large.write(canvas, "no data", corner.at(middle.0, middle.1), Anchor::Centre);
    }
    Ok(())
}
