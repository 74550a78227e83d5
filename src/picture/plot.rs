//! The chart alone: grid, lines and threshold, drawn larger than it is shown.

use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::{
    BitMapBackend, Circle, CoordTranslate, DrawingArea, IntoDrawingArea, PathElement, Rectangle,
};
use plotters::style::{Color, RGBColor};

use super::axis::{Axis, Span};
use super::canvas::{OVERSAMPLING, buffer_bytes};
use super::line::{Trace, is_upper, parts, thinned};
use super::{DrawError, Threshold, palette};

/// Around the axes, so that a dot on one of them is whole.
pub(super) const MARGIN: u32 = 5;

/// Of a line.
const STROKE: u32 = 2 * OVERSAMPLING;
/// Of a sample that stands alone: its radius.
const DOT: u32 = 2 * OVERSAMPLING;
/// Of one that no axis can show.
const OFF_SCALE_DOT: u32 = 4 * OVERSAMPLING;
/// A line that is shorter can't be seen without a dot.
const SHORT_PIXELS: f64 = 3.0;

type Coordinates = Cartesian2d<Axis, Axis>;
type Area<'a> = DrawingArea<BitMapBackend<'a>, Coordinates>;

/// What a chart shows.
#[derive(Debug)]
pub(super) struct Plot<'a> {
    /// With its margins, in pixels of the picture.
    pub(super) size: (u32, u32),
    pub(super) traces: &'a [Trace],
    pub(super) threshold: Option<Threshold>,
    pub(super) span: Span,
    /// In seconds; it begins with zero.
    pub(super) end: f64,
    /// In seconds.
    pub(super) time_marks: &'a [f64],
}

impl Plot<'_> {
    /// The pixel of the picture, from the plot's own corner, that shows this.
    pub(super) fn place(&self, seconds: f64, value: f64) -> (i32, i32) {
        let (x, y) = self.coordinates().translate(&(seconds, value));
        (x.div_euclid(OVERSAMPLING as i32), y.div_euclid(OVERSAMPLING as i32))
    }

    fn coordinates(&self) -> Coordinates {
        let scaled = |pixels: u32| (pixels * OVERSAMPLING) as i32;
        let ((width, height), near) = (self.size, scaled(MARGIN));
        let (far_x, far_y) = (scaled(width.saturating_sub(MARGIN)), scaled(height.saturating_sub(MARGIN)));
        let (x, y) = (Axis(0.0..self.end), Axis(self.span.low..self.span.high));
        // Pixels are counted downwards, and values upwards.
        Cartesian2d::new(x, y, (near..far_x, far_y..near))
    }

    /// The pixels, of [`OVERSAMPLING`] times the size.
    ///
    /// # Errors
    /// [`DrawError::Failed`].
    pub(super) fn draw(&self) -> Result<Vec<u8>, DrawError> {
        let size = (self.size.0 * OVERSAMPLING, self.size.1 * OVERSAMPLING);
        let mut pixels = vec![0; buffer_bytes(size)];
        {
            let ground: DrawingArea<_, Shift> =
                BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
            ground.fill(&palette::CARD)?;
            let area = ground.apply_coord_spec(self.coordinates());
            self.draw_grid(&area)?;
            for (trace, colour) in self.traces.iter().zip(palette::LINES) {
                self.draw_trace(&area, trace, colour)?;
            }
            self.draw_threshold(&area)?;
            self.draw_off_scale(&area)?;
            area.present()?;
        }
        Ok(pixels)
    }

    /// The threshold, where there is one that an axis can show.
    pub(super) fn threshold(&self) -> Option<Threshold> {
        self.threshold.filter(|threshold| threshold.threshold().is_finite())
    }

    fn draw_grid(&self, area: &Area<'_>) -> Result<(), DrawError> {
        let Span { low, high, .. } = self.span;
        if let Some(threshold) = self.threshold() {
            let edge = if is_upper(threshold) { high } else { low };
            let corners = [(0.0, threshold.threshold()), (self.end, edge)];
            area.draw(&Rectangle::new(corners, palette::BEYOND_AREA.filled()))?;
        }
        for value in self.span.marks() {
            self.draw_straight(area, (0.0, value), (self.end, value), palette::GRID)?;
        }
        for at in self.time_marks {
            self.draw_straight(area, (*at, low), (*at, high), palette::GRID)?;
        }
        self.draw_straight(area, (0.0, low), (0.0, high), palette::AXIS)?;
        self.draw_straight(area, (0.0, low), (self.end, low), palette::AXIS)
    }

    /// A level or upright line that fills whole pixels of the picture, so that it is sharp.
    fn draw_straight(
        &self,
        area: &Area<'_>,
        from: (f64, f64),
        to: (f64, f64),
        colour: RGBColor,
    ) -> Result<(), DrawError> {
        // A filled rectangle of the library leaves out its last row and column.
        let first = |pixel: i32| pixel.div_euclid(OVERSAMPLING as i32) * OVERSAMPLING as i32;
        let [from, to] = [from, to].map(|at| {
            let (x, y) = area.map_coordinate(&at);
            (first(x), first(y))
        });
        let (left, right) = (from.0.min(to.0), from.0.max(to.0) + OVERSAMPLING as i32);
        let (top, bottom) = (from.1.min(to.1), from.1.max(to.1) + OVERSAMPLING as i32);
        let plain = area.strip_coord_spec();
        plain.draw(&Rectangle::new([(left, top), (right, bottom)], colour.filled()))?;
        Ok(())
    }

    fn draw_trace(&self, area: &Area<'_>, trace: &Trace, colour: RGBColor) -> Result<(), DrawError> {
        let (width, _) = self.size;
        let column_seconds = self.end / f64::from(width.max(1));
        for run in &trace.runs {
            let run = thinned(run, column_seconds, width as usize);
            for part in parts(&run, self.threshold) {
                let colour = if part.is_beyond { palette::BEYOND } else { colour };
                let (first, last) = (part.points.first(), part.points.last());
                let length = last.zip(first).map_or(0.0, |(last, first)| last.0 - first.0);
                if length < SHORT_PIXELS * column_seconds {
                    for point in &part.points {
                        area.draw(&Circle::new(*point, DOT, colour.filled()))?;
                    }
                }
                // The library draws no line through a single point.
                if part.points.len() > 1 {
                    area.draw(&PathElement::new(part.points, colour.stroke_width(STROKE)))?;
                }
            }
        }
        Ok(())
    }

    fn draw_threshold(&self, area: &Area<'_>) -> Result<(), DrawError> {
        let Some(threshold) = self.threshold() else { return Ok(()) };
        let value = threshold.threshold();
        self.draw_straight(area, (0.0, value), (self.end, value), palette::THRESHOLD)
    }

    fn draw_off_scale(&self, area: &Area<'_>) -> Result<(), DrawError> {
        for (at, is_above) in self.traces.iter().flat_map(|trace| &trace.off_scale) {
            let edge = if *is_above { self.span.high } else { self.span.low };
            area.draw(&Circle::new((*at, edge), OFF_SCALE_DOT, palette::BEYOND.filled()))?;
        }
        Ok(())
    }
}
