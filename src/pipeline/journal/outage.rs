//! Reports, in log and metrics, that the store does not accept what is decided, and that it does again.

use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::store::StoreError;

/// How often an operator is reminded in the log.
const REMIND_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Outage {
    metrics: Metrics,
    is_on: bool,
    reminded: Option<Instant>,
}

impl Outage {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, is_on: false, reminded: None }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    fn begins(&mut self) -> bool {
        self.is_on = true;
        let reminds = self.reminded.is_none_or(|at| at.elapsed() >= REMIND_EVERY);
        if reminds {
            self.reminded = Some(Instant::now());
        }
        reminds
    }

    /// A commit takes too long to wait for; it may still succeed.
    pub(super) fn hangs(&mut self, events: usize) {
        self.metrics.store_hangs(events);
        if self.begins() {
            tracing::error!(
                held_events = events,
                "the store takes long: what is urgent is acted upon before it is recorded, and webhooks are answered 503"
            );
        }
    }

    /// An append failed; so many events are held and tried again.
    pub(super) fn refuses(&mut self, error: &StoreError, events: usize) {
        self.metrics.store_failed(events);
        if self.begins() {
            tracing::error!(
                error = crate::logging::chain(error),
                held_events = events,
                "the store can't be written; alerts are acted upon, and answered 503 so that they come again until all is recorded"
            );
        }
    }

    /// An append was acknowledged. Logged only where an outage was.
    pub(super) fn over(&mut self) {
        self.is_on = false;
        if self.reminded.take().is_some() {
            tracing::info!("the store can be written again; what was held is recorded");
        }
        self.metrics.store_healthy();
    }
}
