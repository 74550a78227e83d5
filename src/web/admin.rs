//! Probes and metrics, on a port of their own.

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

/// Whether the process accepts alerts: set once it has loaded its state, cleared when it drains.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// True once everything runs, false once draining begins.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::SeqCst);
    }

    /// Only about start and drain; `/readyz` also looks at the journal and the store.
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
            Loop::Journal | Loop::Worker | Loop::Gates => LOOP_HANGS,
            Loop::Watcher => WATCHER_HANGS,
        };
        metrics.loop_age(*known) >= limit
    };
    Loop::ALL.into_iter().find(hangs).map(Loop::as_str)
}

type Admin = (Arc<Worker>, Readiness);

/// `/livez`, `/readyz` and `/metrics`, without authentication: for probes and Prometheus.
pub fn admin_router(worker: Worker, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
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

async fn metrics(State((worker, readiness)): State<Admin>) -> impl IntoResponse {
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
    let lost = crate::logging::lost_lines();
    worker.metrics.log_lines_dropped(lost.overflowed, lost.unwritable, lost.repeated);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], worker.metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(metrics: &Metrics, seconds: u64, turning: &[Loop]) {
        for _ in 0..seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            turning.iter().for_each(|turning| metrics.loop_turned(*turning));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_makes_the_process_unready_and_one_that_hangs_for_good_makes_it_dead() {
        let metrics = Metrics::new(&[], &[]);
        let readiness = Readiness::default();
        assert_eq!(readiness.why_not(&metrics), Some("starting or draining"));
        readiness.set(true);
        pass(&metrics, 600, &Loop::ALL).await;
        assert_eq!((readiness.why_not(&metrics), hangs(&metrics)), (None, None));
        pass(&metrics, 9, &[Loop::Worker]).await;
        assert_eq!(readiness.why_not(&metrics), None);
        pass(&metrics, 1, &[Loop::Worker]).await;
        assert!(readiness.why_not(&metrics).is_some_and(|why| why.contains("stands still")));
        pass(&metrics, 49, &[Loop::Worker]).await;
        assert_eq!(hangs(&metrics), None);
        pass(&metrics, 1, &[Loop::Worker]).await;
        assert_eq!(hangs(&metrics), Some("journal"));
        pass(&metrics, 60, &[Loop::Journal]).await;
        assert_eq!(hangs(&metrics), Some("worker"));
        pass(&metrics, 60, &[Loop::Journal, Loop::Worker]).await;
        assert_eq!(hangs(&metrics), Some("gates"));
        pass(&metrics, 1_740, &[Loop::Journal, Loop::Worker, Loop::Gates]).await;
        assert_eq!(hangs(&metrics), Some("watcher"));
        metrics.probes(false, false);
        let rendered = metrics.render();
        assert!(rendered.contains("backstop_loop_age_seconds{loop=\"watcher\"} 1920\n"), "{rendered}");
    }

    #[tokio::test]
    async fn a_store_that_takes_nothing_makes_the_process_unready_and_never_dead() {
        let (metrics, readiness) = (Metrics::new(&[], &[]), Readiness::default());
        readiness.set(true);
        for refuses in [Metrics::store_hangs, Metrics::store_failed] {
            refuses(&metrics, 3);
            assert!(readiness.why_not(&metrics).is_some_and(|why| why.contains("can't be stored")));
            assert_eq!(hangs(&metrics), None);
            metrics.sign_of_life_stored(true);
            assert!(readiness.why_not(&metrics).is_some(), "what is held is not stored by it");
            metrics.store_healthy();
            assert_eq!(readiness.why_not(&metrics), None);
        }
        metrics.sign_of_life_stored(false);
        assert!(readiness.why_not(&metrics).is_some(), "no event has to come first");
        metrics.sign_of_life_stored(true);
        assert_eq!(readiness.why_not(&metrics), None);
    }
}
