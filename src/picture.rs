//! Pictures of what was measured: a panel for each query, drawn as PNG from the same range answers
//! that a stage was judged by.
//!
//! What is drawn is what is there: where a sample is missing the line is broken, never joined, and what
//! is too large for any axis is marked at its edge. Nothing is read from outside: the font is part of
//! the program, so that a picture is the same on every machine, byte by byte.

mod axis;
mod canvas;
mod lettering;
mod line;
mod palette;
mod panel;
mod plot;
mod sheet;
mod unit;

use chrono::{DateTime, TimeDelta, Utc};

pub use crate::incident::{Bound as Threshold, Unit};
pub use sheet::draw;

/// Width of every picture in pixels: two panels beside each other, and the whole on a page of paper.
pub const WIDTH_PIXELS: u32 = 1_000;

/// Height of a picture with ten panels, in pixels. Another count has as many rows as it needs.
pub const HEIGHT_PIXELS: u32 = 1_250;

/// The most panels of one picture: the protocol has ten, and forty take 15 MiB while they are drawn.
pub const MAX_PANELS: usize = 40;

/// The most lines of one panel. More can't be told apart; the panel says how many it leaves out.
pub const MAX_LINES: usize = 6;

/// The most points of one line: Prometheus answers no range query with more (its `maxPointsPerSeries`).
pub const MAX_POINTS: usize = 11_000;

/// One chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What is measured; cut where it is wider than the panel.
    pub title: String,
    /// Of the values and the threshold.
    pub unit: Unit,
    /// What was answered; "no data" is written where that is nothing.
    pub series: Vec<Line>,
    /// What the values are judged against: a red line, with what lies beyond it marked.
    pub threshold: Option<Threshold>,
    /// A sentence under the title, such as the verdict.
    pub note: Option<String>,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Shown where a panel has several.
    pub name: String,
    /// In any order. A value that is no number is a gap; an infinite one is marked at the edge.
    pub points: Vec<(DateTime<Utc>, f64)>,
}

/// What a picture shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Such as the rollout and its stage.
    pub title: String,
    /// Such as the revision and the share.
    pub subtitle: String,
    /// Where the time axis begins; samples before it are left out.
    pub from: DateTime<Utc>,
    /// Where it ends; samples after it are left out.
    pub to: DateTime<Utc>,
    /// How far apart samples are. Two that are further apart have a gap between them.
    pub step: TimeDelta,
    /// In reading order, two in a row.
    pub panels: Vec<Panel>,
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// Draw less: several pictures, or a coarser step.
    #[error("a picture of {count} {what} is asked for, and {limit} is the most")]
    TooMany {
        /// Panels, or points of one line.
        what: &'static str,
        count: usize,
        limit: usize,
    },
    /// The caller's times are wrong: there is nothing between them.
    #[error("a picture from {from} to {to} in steps of {step_seconds} s is asked for, which shows no time")]
    NoTime { from: DateTime<Utc>, to: DateTime<Utc>, step_seconds: i64 },
    /// A defect of ours, or of a library: go on without a picture.
    #[error("the picture can't be drawn: {0}")]
    Failed(String),
}

#[cfg(test)]
mod tests;
