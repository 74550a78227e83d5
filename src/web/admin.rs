//! Probes and figures, on a port of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::pipeline::Worker;

/// Whether the process takes alerts: set once it has loaded its state, cleared when it drains.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Ready, or no longer.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::SeqCst);
    }

    /// Whether it is.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

type Admin = (Arc<Worker>, Readiness);

/// `/livez`, `/readyz` and `/metrics`.
pub fn admin_router(worker: Worker, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(figures))
        .with_state((Arc::new(worker), readiness))
}

async fn readyz(State((worker, readiness)): State<Admin>) -> (StatusCode, &'static str) {
    // A store that can't be written does not make it unready: webhooks are answered 503 by
    // themselves, and taking the endpoint away would hide the page that says why.
    match (readiness.is_ready(), worker.metrics.is_store_healthy()) {
        (true, true) => (StatusCode::OK, "ok"),
        (true, false) => (StatusCode::OK, "ok, but the store can't be written: see the log"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "starting or draining"),
    }
}

async fn figures(State((worker, _)): State<Admin>) -> impl IntoResponse {
    // What follows from the states is counted when somebody asks, not with every event.
    let now = worker.clock.now();
    // The longest silence: the metric has no rollout, and its alert is for the worst off.
    let silent = worker
        .rollouts
        .iter()
        .map(|rollout| worker.observed.watchdog_silent_seconds(&rollout.policy.matching));
    let watchdog_age_seconds = silent.max().unwrap_or_default();
    worker.metrics.observe_states(&worker.journal.states(), now, watchdog_age_seconds);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], worker.metrics.render())
}
