//! Backstop.
pub mod clock;
pub mod decision;
pub mod incident;
pub mod store;
