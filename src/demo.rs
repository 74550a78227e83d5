//! Everything that shows the whole flow: an application to roll back, and the real Prometheus and
//! Alertmanager where they are installed; or two Deployments in a namespace of their own. The tests use
//! the same parts.

pub mod cluster;
pub mod monitoring;
pub mod people;
pub mod served;
pub mod stage;
pub mod trading_api;
