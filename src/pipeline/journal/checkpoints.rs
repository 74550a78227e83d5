//! Saves the fold of what is durable, beside the journal's loop, so that a start needn't read every
//! event and retention knows what is no longer needed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{JournalParts, States};
use crate::store::{IncidentStore, StoreError};

/// After this many events the fold is saved.
const EVERY_EVENTS: u64 = 5_000;

/// And after this time, if anything was stored: retention removes only what a saved fold covers.
const EVERY: Duration = Duration::from_secs(3_600);

type Saving = Pin<Box<dyn Future<Output = (u64, Result<(), StoreError>)> + Send>>;

/// What is saved, and what could be.
pub(super) struct Checkpoints {
    store: Arc<dyn IncidentStore>,
    saved_seq: u64,
    tried_at: Instant,
    /// The states as the store has them, with where its journal ends; `None` in between, when the
    /// store has more than some states and less than the next.
    durable: Option<(u64, States)>,
    saving: Option<Saving>,
    /// Set when the states are no longer the fold of what is stored.
    ended: bool,
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoints").field("saved_seq", &self.saved_seq).finish_non_exhaustive()
    }
}

impl Checkpoints {
    pub(super) fn new(parts: &JournalParts, saved_seq: u64, durable: (u64, States)) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            saved_seq,
            tried_at: Instant::now(),
            durable: Some(durable),
            saving: None,
            ended: false,
        }
    }

    /// The store's journal ends here, and these are the states of it, if they are known.
    pub(super) fn durable(&mut self, seq: u64, states: Option<States>) {
        self.durable = states.map(|states| (seq, states));
    }

    /// No fold is saved any more until the next start.
    pub(super) fn end(&mut self, why: &str) {
        if !std::mem::replace(&mut self.ended, true) {
            tracing::warn!(why, "no fold is saved any more until the next start, which takes longer");
        }
    }

    /// Begins anew over what somebody else has stored.
    pub(super) fn restart(&mut self, saved_seq: u64, durable: (u64, States)) {
        (self.saved_seq, self.durable, self.ended) = (saved_seq, Some(durable), false);
    }

    fn due(&self) -> Option<&(u64, States)> {
        self.durable.as_ref().filter(|(seq, _)| *seq != self.saved_seq && !self.ended)
    }

    pub(super) fn begin_if_due(&mut self) {
        let Some((seq, states)) = self.due() else { return };
        let is_time = *seq >= self.saved_seq + EVERY_EVENTS || self.tried_at.elapsed() >= EVERY;
        if is_time && self.saving.is_none() {
            self.saving = Some(self.save(*seq, states.clone()));
            // One that fails is not tried again with the next event.
            self.tried_at = Instant::now();
        }
    }

    fn save(&self, seq: u64, states: States) -> Saving {
        let store = Arc::clone(&self.store);
        Box::pin(async move { (seq, store.checkpoint(seq, states).await) })
    }

    /// Resolves when one that was begun has ended.
    pub(super) async fn saved(&mut self) {
        let Some(saving) = &mut self.saving else { return std::future::pending().await };
        let (seq, outcome) = saving.as_mut().await;
        self.saving = None;
        match outcome {
            Ok(()) => self.saved_seq = seq,
            Err(error) => tracing::warn!(
                error = crate::logging::chain(&error),
                "the fold could not be saved; starts take longer"
            ),
        }
    }

    /// Saves what is durable before the process ends, so that the next start has little to replay.
    pub(super) async fn finish(&mut self) {
        if self.saving.is_some() {
            self.saved().await;
        }
        if let Some((seq, states)) = self.due() {
            self.saving = Some(self.save(*seq, states.clone()));
            self.saved().await;
        }
    }
}
