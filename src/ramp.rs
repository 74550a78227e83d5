//! The staged ramp: when it may start, and what a stage can show at all.
//!
//! Pure, as the vocabulary is: no I/O, no clock.

pub mod detection_floor;
pub mod freeze;
