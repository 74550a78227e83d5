//! The pixels of a picture.

use plotters::style::RGBColor;

/// Red, green and blue.
const CHANNELS: usize = 3;

/// A plot has so many pixels for each of the picture's, in both directions: halving it makes its lines
/// smooth, which the library draws with steps.
pub(super) const OVERSAMPLING: u32 = 2;

/// Pixels in true colour.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    pub(super) pixels: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Canvas {
    /// All in one colour.
    pub(super) fn new((width, height): (u32, u32), colour: RGBColor) -> Self {
        let mut canvas = Self { pixels: vec![0; buffer_bytes((width, height))], width, height };
        canvas.fill((0, 0), (width, height), colour);
        canvas
    }

    /// A rectangle, as far as it is on the canvas.
    pub(super) fn fill(&mut self, (left, top): (i32, i32), (width, height): (u32, u32), colour: RGBColor) {
        let within = |first: i32, length: u32, end: u32| {
            let last = first.saturating_add_unsigned(length).clamp(0, end as i32);
            (first.clamp(0, last) as usize, last as usize)
        };
        let ((left, right), (top, bottom)) =
            (within(left, width, self.width), within(top, height, self.height));
        for row in self.pixels.chunks_exact_mut(self.width as usize * CHANNELS).take(bottom).skip(top) {
            let pixels = row.as_chunks_mut::<CHANNELS>().0;
            pixels
                .iter_mut()
                .take(right)
                .skip(left)
                .for_each(|pixel| *pixel = [colour.0, colour.1, colour.2]);
        }
    }

    /// Mixes a colour into a pixel, by how much of it is covered: 0 to 1. One that is not on the canvas is
    /// left alone.
    pub(super) fn blend(&mut self, (x, y): (i32, i32), colour: RGBColor, coverage: f32) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if x >= self.width || y >= self.height {
            return;
        }
        let at = (y as usize * self.width as usize + x as usize) * CHANNELS;
        let Some(pixel) = self.pixels.get_mut(at..at + CHANNELS) else { return };
        for (channel, new) in pixel.iter_mut().zip([colour.0, colour.1, colour.2]) {
            let mixed = f32::from(*channel) * (1.0 - coverage) + f32::from(new) * coverage;
            *channel = mixed.round().clamp(0.0, 255.0) as u8;
        }
    }

    /// Puts a plot here, that has [`OVERSAMPLING`] times this width and any height: four of its pixels
    /// become one.
    pub(super) fn paste(&mut self, (left, top): (i32, i32), width: u32, plot: &[u8]) {
        let row = buffer_bytes((width * OVERSAMPLING, 1));
        for (y, rows) in (top..).zip(plot.chunks_exact(row * OVERSAMPLING as usize)) {
            let (upper, lower) = rows.split_at(row);
            let [upper, lower] = [upper, lower].map(|row| row.as_chunks::<{ 2 * CHANNELS }>().0);
            for (x, pairs) in (left..).zip(upper.iter().zip(lower)) {
                let of_pair = |pair: &[u8; 2 * CHANNELS], channel: usize| {
                    u16::from(pair[channel]) + u16::from(pair[channel + CHANNELS])
                };
                let mean = |channel| (of_pair(pairs.0, channel) + of_pair(pairs.1, channel) + 2) / 4;
                let [red, green, blue] = [0, 1, 2].map(|channel| mean(channel) as u8);
                self.blend((x, y), RGBColor(red, green, blue), 1.0);
            }
        }
    }
}

/// What a plot or a picture of this size takes.
pub(super) fn buffer_bytes((width, height): (u32, u32)) -> usize {
    width as usize * height as usize * CHANNELS
}
