//! Where events are stored. One trait, so that a shared store can take SQLite's place.
//!
//! A store decides nothing. What it acknowledges is durable: a crash of the machine a moment later
//! must not lose it.

#[cfg(test)]
mod contract;
mod fold;
mod memory;
mod opened_later;
mod sqlite;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use imbl::OrdMap;

pub use memory::MemoryStore;
pub use opened_later::OpenedLater;
pub use sqlite::{SqliteStore, StoreLook, evidence_files, look_at_store};

use crate::incident::{BlobRef, Incident, IncidentId, RolloutName, RolloutState, StoredAs};

/// Why a store could not do as asked; each variant says what the caller may do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It may work later: the disk is full, read-only, or busy. Nothing of the batch was stored.
    #[error(
        "the store can't be written or read now ({doing}); free space or mend the disk, then it goes on by itself"
    )]
    Unavailable {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The same before anything was opened.
    #[error(
        "the store can't be opened ({doing}); free space, mend the disk, or make the store's folder and files those of Backstop's user"
    )]
    Unopened {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody else appended meanwhile: load again and decide again.
    #[error("another writer appended first: expected the journal to end at {expected}, it ends at {found}")]
    Conflict {
        /// Where the caller thought the journal ends.
        expected: u64,
        found: u64,
    },
    /// What was to be appended can never be stored: a bug, not a fault of the disk, so trying again is
    /// of no use. Nothing of the batch was stored; see [`IncidentStore::set_aside`].
    #[error("the store refuses what was to be stored; this is a bug in Backstop, please report it")]
    Rejected {
        /// The constraint or the encoding that it breaks.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The path no longer leads to the database that is open: deleted, replaced or unmounted. Writing
    /// there would be lost at the next start, so nothing of the batch was stored.
    #[error(
        "{path} is no longer the database that Backstop opened (deleted, replaced or unmounted); put it back, and it goes on by itself, or restart Backstop to begin with what is there now"
    )]
    Replaced { path: PathBuf },
    /// Another process has the store: never wait for it, never share it.
    #[error("{path} is in use by another Backstop process; stop it, or give this one another `store.path`")]
    InUse { path: PathBuf },
    /// An event of a kind that this version does not know: leaving it out could act twice, or not at all.
    #[error(
        "{what} was written by Backstop {written_by}, and this one ({this}) does not know what it says; run that version or a newer one, or give this one another `store.path`"
    )]
    NewerEvent {
        /// Such as `event 12`.
        what: String,
        /// The last version that opened the store, as far as that is stored.
        written_by: String,
        this: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It was written by a newer version; going back could misread it.
    #[error(
        "{path} has schema {found}, this version knows up to {known}; use the newer Backstop, or another `store.path`"
    )]
    NewerSchema {
        path: PathBuf,
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// What is stored can't be understood. Keep the file; start with another path or a backup.
    #[error(
        "{what} can't be read; keep the file for inspection and restore a backup or set another `store.path`"
    )]
    Corrupt {
        what: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// The error for whoever starts and ends with it: what might pass by itself does not then.
    #[must_use]
    pub fn at_start(self) -> Self {
        match self {
            Self::Unavailable { doing, source } => Self::Unopened { doing, source },
            other => other,
        }
    }
}

/// Every rollout's state. A clone shares what it holds: a commit makes several, whatever the number of
/// rollouts.
pub type States = OrdMap<RolloutName, Arc<RolloutState>>;

/// Bytes that events refer to by their SHA-256.
pub type Blobs = Vec<(BlobRef, Arc<[u8]>)>;

/// What is appended in one go: all of it becomes durable, or none.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Where the caller thinks the journal ends.
    pub expected_seq: u64,
    pub events: Vec<StoredAs>,
    /// Bytes that the events refer to by their SHA-256; what none of them refers to is not stored.
    pub blobs: Blobs,
}

/// Runs once a batch is durable, on whatever thread knows it first: those who wait for it needn't
/// be notified by way of another one. It must neither wait nor panic.
pub type Settle = Box<dyn FnOnce() + Send>;

/// What is stored, folded.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Where the journal ends; 0 when empty.
    pub seq: u64,
    /// Up to where the fold is saved; 0: it is not.
    pub checkpoint_seq: u64,
    pub rollouts: BTreeMap<RolloutName, RolloutState>,
    /// When the last process was last alive, if one ever was.
    pub last_alive: Option<DateTime<Utc>>,
    /// Until when it is known what fired, apart from the sign of life: a process that lived, but
    /// ended before it had looked back, leaves the next one more to look back upon.
    pub caught_up_until: Option<DateTime<Utc>>,
}

impl Loaded {
    /// Until when it is known what fired: from there on a new process looks back. A database of a
    /// version that did not record it knows when somebody was last there.
    #[must_use]
    pub fn known_until(&self) -> Option<DateTime<Utc>> {
        self.caught_up_until.or(self.last_alive)
    }
}

/// Which incidents to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    pub rollout: Option<RolloutName>,
    /// Only in this state (the name in the API).
    pub state: Option<String>,
    /// At most this many, the newest first.
    pub limit: usize,
}

impl IncidentFilter {
    /// Whether an incident is among those that are asked for, whatever the limit.
    #[must_use]
    pub fn admits(&self, incident: &Incident) -> bool {
        self.rollout.as_ref().is_none_or(|rollout| incident.rollout == *rollout)
            && self.state.as_ref().is_none_or(|state| incident.phase.name() == state)
    }
}

/// Stores events and folds them back. Any method may also return [`StoreError::Corrupt`] or
/// [`StoreError::Replaced`]: the file may be damaged or replaced while the store is open.
#[async_trait]
pub trait IncidentStore: Send + Sync + std::fmt::Debug {
    /// Appends a batch and returns where the journal ends now. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Replaced`], [`StoreError::Rejected`] and
    /// [`StoreError::Conflict`]; nothing of the batch was stored.
    async fn append(&self, batch: Batch) -> Result<u64, StoreError>;

    /// The same, and runs `settle` as soon as the batch is durable; never, if it does not become so.
    ///
    /// # Errors
    /// See [`IncidentStore::append`].
    async fn append_then(&self, batch: Batch, settle: Settle) -> Result<u64, StoreError> {
        let seq = self.append(batch).await?;
        settle();
        Ok(seq)
    }

    /// Writes events that are [`StoreError::Rejected`] where a person finds them, outside of the
    /// journal: no fold sees them.
    ///
    /// # Errors
    /// When they can't be written there either; the caller logs them then.
    async fn set_aside(&self, events: Vec<StoredAs>, why: String) -> Result<(), StoreError>;

    /// Folds everything that is stored.
    ///
    /// # Errors
    /// Any but [`StoreError::Conflict`].
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// One incident, folded from its events; `None`: it was never stored, or is past its retention.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError>;

    /// Incidents, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError>;

    /// Bytes by their SHA-256 in lower-case hex; `None`: no stored event refers to them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Records that the process is alive, so that the next one knows how long nobody was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError>;

    /// Records until when it is known what fired.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn caught_up(&self, until: DateTime<Utc>) -> Result<(), StoreError>;

    /// Saves the fold of everything up to `seq`, so that loading needn't start from the first event.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn checkpoint(&self, seq: u64, rollouts: States) -> Result<(), StoreError>;

    /// Forgets incidents that closed before `before`, with their events and bytes, and what the
    /// last checkpoint already covers of rollout events that old. Returns how many incidents went.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError>;

    /// Returns, with the reason, once the store can never serve again in this process; while it
    /// lives, and for a store that can't end, never.
    async fn ended(&self) -> String {
        std::future::pending().await
    }
}
