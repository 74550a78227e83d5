//! The decision table, row by row (design, section 4).

mod alerts;
mod clock;
mod grace;
mod rollback;
