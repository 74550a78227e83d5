//! What an observation has read of a rollout, for the change of traffic that follows at once.
//!
//! A critical alert is observed for while it is stored, and acted upon then: reading the same once more
//! would add a round trip to each rollback.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokio::time::{Duration, Instant};

/// What was asked for longer ago is read again. A change of a router's object that is another by now meets
/// a conflict. Endpoints may have become fewer unseen, as they may on their way to a proxy, which takes
/// longer: ingress-nginx looks at them once a second.
const OF_THIS_MOMENT: Duration = Duration::from_millis(250);

/// What a change of traffic depends on.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) router_object: Value,
    /// The stable version's ready endpoints.
    pub(super) ready: u16,
}

/// The last reading, until somebody has used it.
#[derive(Debug, Default)]
pub(super) struct JustRead(Mutex<Option<(Instant, Reading)>>);

impl JustRead {
    /// Keeps it, unless what was asked for later is here already.
    pub(super) fn keep(&self, asked_at: Instant, router_object: Value, ready: u16) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(latest, _)| *latest <= asked_at) {
            *last = Some((asked_at, Reading { router_object, ready }));
        }
    }

    /// Once only: a step that met a conflict has to read anew.
    pub(super) fn take(&self) -> Option<Reading> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        last.filter(|(asked_at, _)| asked_at.elapsed() <= OF_THIS_MOMENT).map(|(_, reading)| reading)
    }
}
