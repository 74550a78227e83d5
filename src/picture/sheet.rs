//! The whole picture: title, panels two in a row, what it is, and its encoding as PNG.

use chrono::{DateTime, TimeDelta, Utc};

use super::canvas::Canvas;
use super::lettering::{Anchor, Lettering};
use super::panel::{Place, Times, draw_panel};
use super::{DrawError, MAX_PANELS, MAX_POINTS, Panel, Picture, WIDTH_PIXELS, palette};

const MARGIN: u32 = 14;
const GAP: u32 = 10;
const HEADER: u32 = 66;
const FOOTER: u32 = 29;
/// With its gap; five of them, header and footer are [`super::HEIGHT_PIXELS`].
const ROW: u32 = 231;
const COLUMNS: u32 = 2;

/// Draws the picture: a PNG of [`WIDTH_PIXELS`], in true colour. The same input gives the same bytes.
///
/// # Errors
/// See [`DrawError`].
pub fn draw(picture: &Picture) -> Result<Vec<u8>, DrawError> {
    check(picture)?;
    let rows = u32::try_from(picture.panels.len()).unwrap_or(u32::MAX).div_ceil(COLUMNS).max(1);
    let mut canvas = Canvas::new((WIDTH_PIXELS, HEADER + rows * ROW + FOOTER), palette::PAGE);
    draw_frame(&mut canvas, picture)?;
    let times = Times { from: picture.from, to: picture.to, step: picture.step };
    let (width, height) = ((WIDTH_PIXELS - 2 * MARGIN - GAP) / COLUMNS, ROW - GAP);
    for (number, panel) in (0..).zip(&picture.panels) {
        let left = (MARGIN + number % COLUMNS * (width + GAP)) as i32;
        let top = (HEADER + number / COLUMNS * ROW) as i32;
        draw_panel(&mut canvas, Place { left, top, width, height }, panel, &times)?;
    }
    encode(&canvas).map_err(|error| DrawError::Failed(error.to_string()))
}

fn check(picture: &Picture) -> Result<(), DrawError> {
    let Picture { from, to, step, panels, .. } = picture;
    if from >= to || *step <= TimeDelta::zero() {
        return Err(DrawError::NoTime { from: *from, to: *to, step_seconds: step.num_seconds() });
    }
    let within = |what, count, limit| match count {
        _ if count > limit => Err(DrawError::TooMany { what, count, limit }),
        _ => Ok(()),
    };
    within("panels", panels.len(), MAX_PANELS)?;
    let of = |panel: &Panel| panel.series.iter().map(|line| line.points.len()).max();
    within("points of one line", panels.iter().filter_map(of).max().unwrap_or(0), MAX_POINTS)
}

fn draw_frame(canvas: &mut Canvas, picture: &Picture) -> Result<(), DrawError> {
    let footer_top = canvas.height - FOOTER + 6;
    let mut write = |text: &str, size, colour, top: u32| {
        let lettering = Lettering::new(size, colour)?;
        let text = lettering.fitted(text, WIDTH_PIXELS - 2 * MARGIN);
        lettering.write(canvas, &text, (MARGIN as i32, top as i32), Anchor::Left);
        Ok(())
    };
    write(&picture.title, 26, palette::INK, 10)?;
    write(&picture.subtitle, 15, palette::FAINT_INK, 41)?;
    write(&footer(picture.from, picture.to), 13, palette::FAINT_INK, footer_top)
}

fn footer(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S").to_string();
    let (from, to) = (time(from), time(to));
    format!("Drawn by Backstop {version} from Prometheus, {from} to {to} UTC; not a Grafana screenshot")
}

fn encode(canvas: &Canvas) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, canvas.width, canvas.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&canvas.pixels)?;
    writer.finish()?;
    Ok(bytes)
}

impl<E: std::error::Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>> for DrawError {
    fn from(error: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        Self::Failed(error.to_string())
    }
}
