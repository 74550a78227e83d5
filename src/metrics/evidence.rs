//! Whether all is well with the evidence, for long enough that somebody sees it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a problem is shown after it was found. A rollback's evidence is written twice, within
/// milliseconds if all goes well, and the second writing finds nothing wrong with the record that the
/// first one has mended: no scrape would ever see the problem.
pub(super) const SHOWN_FOR: Duration = Duration::from_secs(3_600);

/// What became of the writings of evidence.
#[derive(Debug, Default)]
pub(super) struct EvidenceHealth(Mutex<Writings>);

#[derive(Debug, Default)]
struct Writings {
    /// Whether the last one failed, or had something to report.
    last_is_unwell: bool,
    /// When one last had something to report.
    problem_at: Option<Instant>,
}

impl EvidenceHealth {
    fn writings(&self) -> MutexGuard<'_, Writings> {
        // Two values that are set one after the other leave nothing half done that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failure that is made good by the next try is over; what was found in the folder is not.
    pub(super) fn written(&self, written: bool, healthy: bool) {
        let mut writings = self.writings();
        writings.last_is_unwell = !healthy;
        if written && !healthy {
            writings.problem_at = Some(Instant::now());
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        let writings = self.writings();
        !writings.last_is_unwell && writings.problem_at.is_none_or(|at| at.elapsed() >= SHOWN_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn gauge(metrics: &Metrics) -> String {
        let rendered = metrics.render();
        let line = rendered.lines().find(|line| line.starts_with("backstop_evidence_healthy "));
        line.expect("exported").to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_problem_is_shown_for_an_hour_although_the_next_writing_finds_none() {
        let metrics = Metrics::new(&[], &[]);
        assert_eq!(gauge(&metrics), "backstop_evidence_healthy 1");
        metrics.evidence_written(true, false);
        metrics.evidence_written(true, true);
        for (passes, value) in [(0, "0"), (3_599, "0"), (1, "1")] {
            tokio::time::advance(Duration::from_secs(passes)).await;
            assert_eq!(gauge(&metrics), format!("backstop_evidence_healthy {value}"));
            assert_eq!(metrics.is_evidence_healthy(), value == "1");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_over_with_the_next_good_writing_and_never_before() {
        let metrics = Metrics::new(&[], &[]);
        metrics.evidence_written(false, false);
        tokio::time::advance(2 * SHOWN_FOR).await;
        assert!(!metrics.is_evidence_healthy());
        metrics.evidence_written(true, true);
        assert!(metrics.is_evidence_healthy());
        metrics.evidence_written(true, false);
        tokio::time::advance(2 * SHOWN_FOR).await;
        assert!(!metrics.is_evidence_healthy(), "the last one went elsewhere, and none came since");
    }
}
