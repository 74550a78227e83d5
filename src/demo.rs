//! Everything that shows the whole flow on one machine: an application to roll back, and the real
//! Prometheus and Alertmanager where they are installed. The tests use the same parts.

pub mod monitoring;
pub mod people;
pub mod stage;
pub mod trading_api;
