//! Probes and figures, on a port of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::metrics::{Loop, Metrics};
use crate::pipeline::Worker;

/// From when on a journal that does not turn makes the process unready: it turns every second, and
/// the largest webhook that is known is decided in less.
const JOURNAL_STANDS: Duration = Duration::from_secs(10);

/// From when on a loop that does not turn will not turn again. A disk or a system that hangs is no
/// reason: these loops wait for none, or give up.
const LOOP_HANGS: Duration = Duration::from_secs(60);

/// The same for the watcher, which asks other systems one after another, each until it gives up:
/// a hundred rollouts that all hang take minutes.
const WATCHER_HANGS: Duration = Duration::from_secs(30 * 60);

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

impl Readiness {
    /// Why webhooks can't be answered 200 now, if so.
    fn why_not(&self, metrics: &Metrics) -> Option<&'static str> {
        if !self.is_ready() {
            Some("starting or draining")
        } else if metrics.loop_age(Loop::Journal) >= JOURNAL_STANDS {
            Some("nothing is decided: the journal's loop stands still")
        } else if !metrics.is_store_healthy() {
            Some("alerts are acted upon but can't be stored: see the log")
        } else {
            None
        }
    }
}

/// The loop that has hung for good, if one has: only a restart helps.
fn hangs(metrics: &Metrics) -> Option<&'static str> {
    let hangs = |known: &Loop| {
        let limit = match known {
            Loop::Journal | Loop::Worker => LOOP_HANGS,
            Loop::Watcher => WATCHER_HANGS,
        };
        metrics.loop_age(*known) >= limit
    };
    Loop::ALL.into_iter().find(hangs).map(Loop::as_str)
}

type Admin = (Arc<Worker>, Readiness);

/// `/livez`, `/readyz` and `/metrics`.
pub fn admin_router(worker: Worker, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(figures))
        .with_state((Arc::new(worker), readiness))
}

async fn livez(State((worker, _)): State<Admin>) -> (StatusCode, String) {
    match hangs(&worker.metrics) {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(name) => (StatusCode::SERVICE_UNAVAILABLE, format!("the {name} hangs: restart Backstop")),
    }
}

async fn readyz(State((worker, readiness)): State<Admin>) -> (StatusCode, &'static str) {
    match readiness.why_not(&worker.metrics) {
        None => (StatusCode::OK, "ok"),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn figures(State((worker, readiness)): State<Admin>) -> impl IntoResponse {
    let (ready, live) = (readiness.why_not(&worker.metrics).is_none(), hangs(&worker.metrics).is_none());
    worker.metrics.probes(ready, live);
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
