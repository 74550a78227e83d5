//! Counts events in the metrics and logs them. The log has a task of its own: a slow one holds up no
//! decision.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::States;
use crate::incident::StoredAs;
use crate::metrics::Metrics;

/// Appends whose events may wait to be logged. Beyond it the lines are lost and counted: the events
/// themselves are in the store.
const QUEUE: usize = 1_024;

/// How long the last lines are waited for when the process ends.
const END_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Teller {
    metrics: Metrics,
    lines: mpsc::Sender<Vec<StoredAs>>,
    /// One task; it ends with this.
    logs: JoinSet<()>,
}

impl Teller {
    pub(super) fn start(metrics: Metrics) -> Self {
        let (lines, mut queue) = mpsc::channel::<Vec<StoredAs>>(QUEUE);
        let mut logs = JoinSet::new();
        logs.spawn(async move {
            while let Some(events) = queue.recv().await {
                events.iter().for_each(crate::logging::stored);
            }
        });
        Self { metrics, lines, logs }
    }

    /// `states` are those after the events, or later ones.
    pub(super) fn tell(&self, events: Vec<StoredAs>, states: &States) {
        if events.is_empty() {
            return;
        }
        for stored in &events {
            let known = |id| states.get(&stored.rollout)?.known_incident(id);
            self.metrics.stored(stored, stored.incident.as_ref().and_then(known).map(AsRef::as_ref));
        }
        let lines = events.len();
        if self.lines.try_send(events).is_err() {
            self.metrics.log_lines_lost(lines);
        }
    }

    pub(super) async fn end(mut self) {
        drop(self.lines);
        let _unlogged = tokio::time::timeout(END_WITHIN, self.logs.join_next()).await;
    }
}
