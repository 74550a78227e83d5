//! The end of the journal, while the store may be out.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{JournalTask, RETRY, in_flight};
use crate::pipeline::journal::teller::Teller;

/// How long what is held may be tried as the process ends, counted from when that began.
#[derive(Debug, Default)]
pub(super) struct Drain {
    pub(super) began: CancellationToken,
    pub(super) time: Duration,
    pub(super) until: Option<Instant>,
}

impl JournalTask {
    /// The disk may be free again any moment, and what is held is nowhere else: it is tried for as long
    /// as the process may take to end.
    pub(super) async fn drain(&mut self, teller: &Teller) {
        self.drain.begin();
        let until = self.drain.until.unwrap_or_else(Instant::now);
        // What was in flight, and what was decided meanwhile.
        for _ in 0..2 {
            self.append_once_more(until, teller).await;
        }
        while !self.pending.is_empty() && Instant::now() + RETRY <= until {
            tokio::time::sleep(RETRY).await;
            self.append_once_more(until, teller).await;
        }
        if !self.pending.is_empty() {
            let events = self.pending.events();
            tracing::error!(
                events,
                "the store could not be written until the end: these events are lost, and nobody was told that they are kept"
            );
        }
        self.checkpoints.finish().await;
    }

    async fn append_once_more(&mut self, until: Instant, teller: &Teller) {
        self.retry_at = None;
        self.begin_append();
        if self.flight.is_none() {
            return;
        }
        let patience = until.max(Instant::now() + RETRY);
        let committed = match tokio::time::timeout_at(patience, in_flight(&mut self.flight)).await {
            Ok(committed) => committed,
            Err(_) => {
                let events = self.pending.events();
                tracing::error!(
                    events,
                    "the store doesn't answer: these events are lost unless it still does before the process ends"
                );
                in_flight(&mut self.flight).await
            }
        };
        self.ended(committed, teller);
    }
}

impl Drain {
    pub(super) fn begin(&mut self) {
        self.until.get_or_insert_with(|| Instant::now() + self.time);
    }
}
