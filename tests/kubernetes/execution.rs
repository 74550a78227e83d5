//! The target on a real API server: what it sees, what each step does, and what it is refused.

mod autoscalers;
mod conflicts;
pub(crate) mod owners;
mod refusals;
mod rights;
mod steps;
