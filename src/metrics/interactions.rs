//! What people press in Slack, and whether it would arrive.

use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::labels::Outcome;
use super::{Metrics, touch};

/// What became of a click, or of what said that it was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClickOutcome {
    /// It did what its button says.
    Done,
    /// Where the incident stands, that is not possible, or no longer.
    Refused,
    /// The user may not.
    NotPermitted,
    /// It could not be taken: the journal or Slack did not answer.
    Failed,
    /// The same one again.
    Repeated,
    /// Something else than a click of a button, or another app's.
    Ignored,
    /// The queue is full.
    Overloaded,
    /// Not signed by Slack, or not lately.
    Unsigned,
    /// Signed, and can't be read.
    Malformed,
}

impl ClickOutcome {
    const ALL: [Self; 9] = [
        Self::Done,
        Self::Refused,
        Self::NotPermitted,
        Self::Failed,
        Self::Repeated,
        Self::Ignored,
        Self::Overloaded,
        Self::Unsigned,
        Self::Malformed,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::NotPermitted => "not_permitted",
            Self::Failed => "failed",
            Self::Repeated => "repeated",
            Self::Ignored => "ignored",
            Self::Overloaded => "overloaded",
            Self::Unsigned => "unsigned",
            Self::Malformed => "malformed",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Interactions {
    clicks: Family<Outcome, Counter>,
    socket_silent_seconds: Gauge,
    /// When something came by Socket Mode, or since when it should; `None`: it is not used.
    socket_heard_at: Mutex<Option<Instant>>,
}

impl Interactions {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("slack_clicks", "Clicks of buttons in Slack by what came of them", self.clicks.clone());
        r.register(
            "slack_socket_silent_seconds",
            "Seconds since anything came by Slack's Socket Mode, -1 where it is not used: above 60 no click arrives",
            self.socket_silent_seconds.clone(),
        );
    }

    pub(super) fn initialise(&self) {
        for outcome in ClickOutcome::ALL {
            touch(&self.clicks, &Outcome { outcome: outcome.as_str().into() });
        }
        self.socket_silent_seconds.set(-1);
    }

    /// The gauge grows by itself.
    pub(super) fn look_at_the_clock(&self) {
        let heard_at = *self.socket_heard_at.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(heard_at) = heard_at else { return };
        self.socket_silent_seconds.set(i64::try_from(heard_at.elapsed().as_secs()).unwrap_or(i64::MAX));
    }
}

impl Metrics {
    /// Counts a click by what became of it.
    pub fn click(&self, outcome: ClickOutcome) {
        let labels = Outcome { outcome: outcome.as_str().into() };
        self.families.interactions.clicks.get_or_create(&labels).inc();
    }

    /// Something came by Socket Mode, or should from now on.
    pub fn socket_heard(&self) {
        let heard_at = &self.families.interactions.socket_heard_at;
        *heard_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_is_silent_shows_for_how_long_and_one_that_is_not_used_nothing() {
        let metrics = Metrics::new(&[], &[]);
        let shows = |metrics: &Metrics, value: &str| {
            metrics.render().contains(&format!("backstop_slack_socket_silent_seconds {value}\n"))
        };
        assert!(shows(&metrics, "-1"));
        metrics.socket_heard();
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(shows(&metrics, "61"));
        metrics.socket_heard();
        assert!(shows(&metrics, "0"));
    }
}
