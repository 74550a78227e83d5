//! Colours. Red is kept for thresholds and what lies beyond them.

use plotters::style::RGBColor;

/// Behind the panels.
pub(super) const PAGE: RGBColor = RGBColor(243, 245, 248);
/// Behind a chart.
pub(super) const CARD: RGBColor = RGBColor(255, 255, 255);
/// Around a panel.
pub(super) const BORDER: RGBColor = RGBColor(214, 219, 227);
/// Lines of the grid.
pub(super) const GRID: RGBColor = RGBColor(233, 236, 241);
/// Axes.
pub(super) const AXIS: RGBColor = RGBColor(160, 169, 181);
/// Titles.
pub(super) const INK: RGBColor = RGBColor(27, 36, 48);
/// Everything else that is written.
pub(super) const FAINT_INK: RGBColor = RGBColor(92, 103, 118);
/// A threshold.
pub(super) const THRESHOLD: RGBColor = RGBColor(220, 38, 38);
/// What lies beyond a threshold.
pub(super) const BEYOND: RGBColor = RGBColor(165, 14, 14);
/// The area beyond a threshold.
pub(super) const BEYOND_AREA: RGBColor = RGBColor(253, 241, 241);

/// Of the lines, one after the other: told apart with any of the usual kinds of colour blindness, by
/// their lightness too.
pub(super) const LINES: [RGBColor; super::MAX_LINES] = [
    RGBColor(29, 90, 205),
    RGBColor(230, 145, 20),
    RGBColor(16, 130, 110),
    RGBColor(130, 80, 190),
    RGBColor(85, 170, 225),
    RGBColor(110, 115, 125),
];
