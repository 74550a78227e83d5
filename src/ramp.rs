//! The staged ramp: what a stage can show at all.
//!
//! Pure, as the vocabulary is: no I/O, no clock.

pub mod detection_floor;
