//! Every row of a ramp's semantics.

mod ends;
mod scene;
mod stages;
mod starts;
