//! Reads what the monitoring says: Alertmanager's list of alerts, Prometheus' rules and figures.
//! Reads only; what follows is decided elsewhere.

mod alertmanager;
mod expression;
mod prometheus;

pub use alertmanager::{Alertmanager, Listing};
pub use expression::{Measured, left_of_threshold};
pub use prometheus::{Prometheus, Sample};
