//! What is written: the font that is part of the program, and texts made to fit.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, PxScaleFont, ScaleFont, point};
use plotters::style::RGBColor;

use super::DrawError;
use super::canvas::Canvas;

/// A subset of DejaVu Sans; its licence stands beside it.
static BYTES: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");

/// In place of a character that the font lacks.
const REPLACEMENT: char = '?';

/// No line of a picture is longer, whatever the font: what is longer needn't be measured.
const MAX_CHARS: usize = 400;

static FONT: LazyLock<Result<FontRef<'static>, String>> = LazyLock::new(|| {
    FontRef::try_from_slice(BYTES).map_err(|error| format!("its font can't be read: {error}"))
});

/// Where a text stands, relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Centre,
    Right,
}

/// The font in one size and colour.
#[derive(Debug, Clone)]
pub(super) struct Lettering {
    font: PxScaleFont<&'static FontRef<'static>>,
    colour: RGBColor,
}

impl Lettering {
    /// `size_pixels` is the height of a line.
    ///
    /// # Errors
    /// [`DrawError::Failed`] where the program's own font is broken.
    pub(super) fn new(size_pixels: u8, colour: RGBColor) -> Result<Self, DrawError> {
        let font = FONT.as_ref().map_err(|error| DrawError::Failed(error.clone()))?;
        Ok(Self { font: font.into_scaled(f32::from(size_pixels)), colour })
    }

    /// How wide a text is, in pixels.
    pub(super) fn width(&self, text: &str) -> u32 {
        text.chars().map(|c| self.font.h_advance(self.font.glyph_id(c))).sum::<f32>().ceil() as u32
    }

    /// A text from outside as it is written on one line: what the font lacks is replaced, what steers or
    /// turns round is lacking too, and what is wider than there is room for is cut.
    pub(super) fn fitted(&self, text: &str, room_pixels: u32) -> String {
        let has = |c: &char| self.font.glyph_id(*c).0 != 0;
        let replaced = |c: char| Some(c).filter(has).unwrap_or(REPLACEMENT);
        let all: String = text.trim().chars().take(MAX_CHARS).map(replaced).collect();
        let is_whole = text.trim().chars().nth(MAX_CHARS).is_none();
        if is_whole && self.width(&all) <= room_pixels {
            return all;
        }
        let ends = all.char_indices().map(|(at, _)| at);
        let cut = |end: usize| format!("{}…", all.get(..end).unwrap_or_default().trim_end());
        let fits = |text: &String| self.width(text) <= room_pixels;
        ends.rev().map(cut).find(fits).unwrap_or_default()
    }

    /// Writes a text whose line begins at this height.
    pub(super) fn write(&self, canvas: &mut Canvas, text: &str, (x, top): (i32, i32), anchor: Anchor) {
        let width = self.width(text) as i32;
        let left = match anchor {
            Anchor::Left => x,
            Anchor::Centre => x - width / 2,
            Anchor::Right => x - width,
        };
        let mut at = point(left as f32, top as f32 + self.font.ascent().round());
        for c in text.chars() {
            let glyph = self.font.glyph_id(c);
            let advance = self.font.h_advance(glyph);
            if let Some(outline) =
                self.font.outline_glyph(glyph.with_scale_and_position(self.font.scale(), at))
            {
                let corner = outline.px_bounds().min;
                outline.draw(|x, y, coverage| {
                    let at = (corner.x as i32 + x as i32, corner.y as i32 + y as i32);
                    canvas.blend(at, self.colour, coverage);
                });
            }
            at.x += advance;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::palette::INK;

    fn lettering() -> Lettering {
        Lettering::new(12, INK).expect("a font")
    }

    #[test]
    fn a_text_that_fits_stays_as_it_is_with_letters_signs_and_figures() {
        let letters = ["P95 latency < 200 ms", "Gecikme yüksek: İşlem, ğ ı ş", "µs · 5 – 6 ≤ ≥ × … → °"];
        for text in letters {
            assert_eq!(lettering().fitted(text, 1_000), text);
        }
    }

    #[test]
    fn what_the_font_lacks_is_replaced() {
        assert_eq!(lettering().fitted("a\u{202e}b\n✅\u{1b}[2J", 1_000), "a?b???[2J");
        assert_eq!(lettering().fitted("  \t ", 1_000), "");
    }

    #[test]
    fn a_text_that_is_too_wide_is_cut_and_shows_it() {
        for room in [0, 5, 20, 100, 300] {
            let text = lettering().fitted(&"wide ".repeat(10_000), room);
            assert!(lettering().width(&text) <= room, "{text}");
            assert!(room < 20 || text.ends_with('…'), "{room}: {text}");
        }
        assert!(lettering().fitted(&"i".repeat(MAX_CHARS + 1), u32::MAX).ends_with('…'));
    }
}
