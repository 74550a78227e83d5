//! Raw bodies that wait for the store, readable by those who write evidence meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::Blobs;

/// The bodies by their SHA-256. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldBlobs(Arc<Mutex<BTreeMap<String, Arc<[u8]>>>>);

impl HeldBlobs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, sha256: &str) -> Option<Arc<[u8]>> {
        self.lock().get(sha256).cloned()
    }

    pub(super) fn bytes(&self) -> usize {
        self.lock().values().map(|body| body.len()).sum()
    }

    pub(super) fn insert(&self, blobs: &Blobs) {
        if !blobs.is_empty() {
            self.lock().extend(blobs.iter().map(|(blob, body)| (blob.sha256.clone(), Arc::clone(body))));
        }
    }

    /// A body that was sent twice goes with the first: it is in the store by then.
    pub(super) fn remove(&self, blobs: &Blobs) {
        if !blobs.is_empty() {
            let mut held = self.lock();
            blobs.iter().for_each(|(blob, _)| drop(held.remove(&blob.sha256)));
        }
    }
}
