//! Every row of a ramp's semantics.

mod ends;
mod late;
mod people;
mod promises;
mod records;
mod scene;
mod stages;
mod starts;
mod troubles;
