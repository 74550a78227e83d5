//! The inbound edge for Alertmanager: authenticate, read within limits, parse, submit, answer.
//!
//! The answer is a table (design, section 7), because each status makes Alertmanager do something
//! else (reference notes on Alertmanager, section 2): 2xx ends it, 5xx is tried again within the
//! flush, any 4xx only at the next `group_interval`. So 503 for "not now", never 429 or a redirect,
//! and never a 200 before the alert is durable.

pub mod auth;
pub mod body;
mod payload;
mod quarantine;
pub mod receive;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use tokio::sync::Notify;

pub use payload::{MAX_ALERTS, MAX_ALERTS_BYTES, MAX_LISTED, Payload, PayloadError, UnreadableAlert, parse};
pub use quarantine::Quarantine;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::pipeline::{Journal, Kinds, Observed, Rollouts, Severities, ShareReader};

/// The largest body that is read. Ten thousand alerts with the usual labels are 8.25 MB (reference
/// notes, section 1); a 5 MB annotation is sent up to three times.
pub const MAX_BODY_BYTES: usize = 32 << 20;

/// The path of `url` in Alertmanager's `webhook_configs`.
pub const PATH: &str = "/api/v1/alertmanager";

/// What every webhook request shares.
#[derive(Debug, Clone)]
pub struct Receiver {
    pub journal: Journal,
    pub rollouts: Rollouts,
    /// The Watchdog's firing alerts end here: they are signs of life, and are not submitted.
    pub observed: Arc<Observed>,
    pub share_reader: ShareReader,
    /// The always-firing alert's name.
    pub watchdog: String,
    pub auth: auth::WebhookAuth,
    /// Wakes the reconciliation when a body says that its list was cut.
    pub reconcile: Arc<Notify>,
    pub metrics: Metrics,
    /// Alerts of no known rollout, by name and label `rollout`: each is logged once.
    pub strangers: Kinds,
    /// Other things that are logged once.
    pub told: Kinds,
    pub severities: Severities,
    /// Stores what can't be read, for a person.
    pub quarantine: Quarantine,
    /// Dates what carries no date of its own.
    pub clock: Arc<dyn Clock>,
    pub budget: body::Budget,
}

/// The one route, [`PATH`]. It authenticates by itself, before it reads a body.
pub fn router(receiver: Receiver) -> Router {
    Router::new().route(PATH, post(receive::receive)).with_state(Arc::new(receiver))
}
