//! Backstop.
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod decision;
pub mod evidence;
pub mod execution;
pub mod incident;
pub mod logging;
pub mod metrics;
pub mod outbound;
pub mod pipeline;
pub mod signals;
pub mod store;
pub mod verification;
pub mod web;
pub mod webhook;
