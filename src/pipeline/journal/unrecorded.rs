//! What was decided while the store could not be written: held in memory, within limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decision::{Input, Request};
use crate::incident::{AlertStatus, Severity, StoredAs};
use crate::store::Blobs;

/// Events that are held before what is not urgent is turned away: twice the largest body that is
/// known (10,000 alerts), some tens of megabytes.
const MANY_EVENTS: usize = 20_000;

/// Events that are held at the most, urgent ones included.
const MOST_EVENTS: usize = 2 * MANY_EVENTS;

/// Raw bodies that are held at the most. Without its raw body an alert is still recorded whole.
const MOST_BLOB_BYTES: usize = 64 << 20;

/// Bytes that wait for the store, readable by those who write evidence meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldBlobs(Arc<Mutex<BTreeMap<String, Arc<[u8]>>>>);

impl HeldBlobs {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, sha256: &str) -> Option<Arc<[u8]>> {
        self.lock().get(sha256).cloned()
    }
}

/// What waits to be recorded.
#[derive(Debug)]
pub(super) struct Unrecorded {
    events: Vec<StoredAs>,
    blobs: Blobs,
    held: HeldBlobs,
}

impl Unrecorded {
    pub(super) fn new(held: HeldBlobs) -> Self {
        Self { events: Vec::new(), blobs: Vec::new(), held }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether inputs may still be decided although what is held, and the events that were decided
    /// just before them, could not be stored yet. Always, while nothing is held.
    pub(super) fn has_room_for<'a>(
        &self,
        decided: usize,
        mut inputs: impl Iterator<Item = &'a Input>,
    ) -> bool {
        if self.is_empty() {
            return true;
        }
        match self.events.len() + decided {
            0..MANY_EVENTS => true,
            MANY_EVENTS..MOST_EVENTS => inputs.any(is_urgent),
            _ => false,
        }
    }

    /// What is held followed by what is new, for one append.
    pub(super) fn followed_by(&self, events: &[StoredAs], blobs: &Blobs) -> (Vec<StoredAs>, Blobs) {
        (
            self.events.iter().chain(events).cloned().collect(),
            self.blobs.iter().chain(blobs).cloned().collect(),
        )
    }

    pub(super) fn hold(&mut self, events: Vec<StoredAs>, blobs: Blobs) {
        self.events.extend(events);
        let mut bytes: usize = self.blobs.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut held = self.held.lock();
        for (blob, body) in blobs {
            bytes += body.len();
            if bytes > MOST_BLOB_BYTES {
                tracing::warn!(
                    bytes = body.len(),
                    "a raw body is too much to hold until the store is back; its alerts are held"
                );
                break;
            }
            held.insert(blob.sha256.clone(), Arc::clone(&body));
            self.blobs.push((blob, body));
        }
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.blobs.clear();
        self.held.lock().clear();
    }
}

/// Whether an input may lead to a rollback, or tells what became of one.
fn is_urgent(input: &Input) -> bool {
    match input {
        Input::Alert { alert, .. } => {
            alert.status == AlertStatus::Firing && alert.severity() == Severity::Critical
        }
        Input::Person { request, .. } => matches!(request, Request::RollBack { .. }),
        Input::Missed { .. }
        | Input::ShareRead
        | Input::Confirmation { .. }
        | Input::StepEnded { .. }
        | Input::Verified { .. }
        | Input::Snapshot { .. }
        | Input::EvidenceWritten { .. }
        | Input::ClockStepped { .. }
        | Input::Tick => true,
    }
}
