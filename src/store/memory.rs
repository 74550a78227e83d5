//! A store that holds everything in memory: for tests and simulation, and for a person who rolls
//! back by hand while the real store can't be had.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Batch, IncidentFilter, IncidentStore, Loaded, States, StoreError, fold};
use crate::incident::{Event, Incident, IncidentId, StoredAs};

/// Nothing of it outlives the process. Clones share what is stored.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    events: Vec<StoredAs>,
    incidents: HashSet<IncidentId>,
    blobs: BTreeMap<String, Arc<[u8]>>,
    last_alive: Option<DateTime<Utc>>,
    caught_up_until: Option<DateTime<Utc>>,
    set_aside: Vec<StoredAs>,
    unavailable: bool,
    writes_fail: bool,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, or no longer, everything fails as if the disk were gone.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.lock().unavailable = unavailable;
    }

    /// From now on, or no longer, nothing can be written, as on a full disk; reading goes on.
    pub fn fail_writes(&self, fail: bool) {
        self.lock().writes_fail = fail;
    }

    /// Every stored event, in the order of the journal.
    #[must_use]
    pub fn events(&self) -> Vec<StoredAs> {
        self.lock().events.clone()
    }

    /// Every event that was set aside: no fold contains it.
    #[must_use]
    pub fn events_set_aside(&self) -> Vec<StoredAs> {
        self.lock().set_aside.clone()
    }
}

impl Kept {
    fn check(&self, doing: &'static str) -> Result<(), StoreError> {
        if self.unavailable {
            return Err(StoreError::Unavailable { doing, source: "set unavailable".into() });
        }
        Ok(())
    }

    fn check_write(&self, doing: &'static str) -> Result<(), StoreError> {
        if self.writes_fail {
            return Err(StoreError::Unavailable { doing, source: "writing set to fail".into() });
        }
        Ok(())
    }

    /// What a database refuses by its constraints. Returns the incidents that open.
    fn check_constraints(&self, events: &[StoredAs]) -> Result<HashSet<IncidentId>, StoreError> {
        let mut opened = HashSet::new();
        for stored in events {
            serde_json::to_string(stored).map_err(|error| StoreError::Rejected { source: error.into() })?;
            let Some(id) = &stored.incident else { continue };
            let is_known = self.incidents.contains(id) || opened.contains(id);
            let what = match (&stored.event, is_known) {
                (Event::IncidentOpened(_), true) => "is opened twice",
                (Event::IncidentOpened(_), false) => {
                    opened.insert(id.clone());
                    continue;
                }
                (_, true) => continue,
                (_, false) => "has an event but was never opened",
            };
            return Err(StoreError::Rejected { source: format!("incident {id} {what}").into() });
        }
        Ok(opened)
    }

    fn of(&self, id: &IncidentId) -> Option<Incident> {
        fold::incident(self.events.iter().filter(|stored| stored.incident.as_ref() == Some(id)))
    }
}

#[async_trait]
impl IncidentStore for MemoryStore {
    async fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        let mut kept = self.lock();
        kept.check("append")?;
        kept.check_write("append")?;
        let found = kept.events.len() as u64;
        if found != batch.expected_seq {
            return Err(StoreError::Conflict { expected: batch.expected_seq, found });
        }
        let opened = kept.check_constraints(&batch.events)?;
        kept.incidents.extend(opened);
        for (blob, bytes) in batch.blobs {
            if batch.events.iter().any(|stored| stored.event.blob() == Some(&blob)) {
                kept.blobs.insert(blob.sha256, bytes);
            }
        }
        kept.events.extend(batch.events);
        Ok(kept.events.len() as u64)
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        let kept = self.lock();
        kept.check("load")?;
        let mut loaded = Loaded { seq: kept.events.len() as u64, ..Loaded::default() };
        (loaded.last_alive, loaded.caught_up_until) = (kept.last_alive, kept.caught_up_until);
        for stored in &kept.events {
            fold::apply(&mut loaded.rollouts, stored);
        }
        Ok(loaded)
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        let kept = self.lock();
        kept.check("read an incident")?;
        Ok(kept.of(id))
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        let kept = self.lock();
        kept.check("list incidents")?;
        let opened = kept.events.iter().rev().filter(|stored| stored.event.name() == "incident_opened");
        let found = opened.filter_map(|stored| stored.incident.as_ref()).filter_map(|id| kept.of(id));
        Ok(found.filter(|incident| filter.admits(incident)).take(filter.limit).collect())
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.lock();
        kept.check("read bytes")?;
        Ok(kept.blobs.get(sha256).map(|bytes| bytes.to_vec()))
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut kept = self.lock();
        kept.check("leave a sign of life")?;
        kept.check_write("leave a sign of life")?;
        kept.last_alive = Some(now);
        Ok(())
    }

    async fn set_aside(&self, events: Vec<StoredAs>, _: String) -> Result<(), StoreError> {
        self.lock().set_aside.extend(events);
        Ok(())
    }

    async fn caught_up(&self, until: DateTime<Utc>) -> Result<(), StoreError> {
        let mut kept = self.lock();
        kept.check("record what is caught up with")?;
        kept.check_write("record what is caught up with")?;
        kept.caught_up_until = Some(until);
        Ok(())
    }

    async fn checkpoint(&self, _: u64, _: States) -> Result<(), StoreError> {
        // Everything is folded from the first event: nothing to save.
        Ok(())
    }

    async fn prune(&self, _: DateTime<Utc>) -> Result<u64, StoreError> {
        // It lives as long as a test or one rollback by hand.
        Ok(0)
    }
}
