//! A store that may not be there yet: opened by whoever uses it first once it can be.
//!
//! A server that ends because its disk is full at the start would act on no critical until somebody
//! has mended the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, OnceCell, oneshot};

use super::{Batch, IncidentFilter, IncidentStore, Loaded, Settle, SqliteStore, States, StoreError};
use crate::incident::{Incident, IncidentId, StoredAs};

/// How often whoever watches the store's threads looks whether there are any.
const LOOKS_AGAIN: Duration = Duration::from_secs(1);

type Opening = oneshot::Receiver<Result<SqliteStore, StoreError>>;

/// The database at a path. Until it is open every method tries to open it, one at a time.
#[derive(Debug)]
pub struct OpenedLater {
    path: PathBuf,
    opened: OnceCell<SqliteStore>,
    /// One that hangs is waited for again, not begun again.
    opening: Mutex<Option<Opening>>,
}

impl OpenedLater {
    /// Nothing is opened yet: see [`OpenedLater::open`].
    #[must_use]
    pub fn new(path: &Path) -> Arc<Self> {
        Arc::new(Self { path: path.to_owned(), opened: OnceCell::new(), opening: Mutex::default() })
    }

    /// Opens the database, if it isn't open. A disk that hangs keeps the caller waiting.
    ///
    /// # Errors
    /// See [`SqliteStore::open`].
    pub async fn open(&self) -> Result<&SqliteStore, StoreError> {
        self.opened.get_or_try_init(|| self.try_open()).await
    }

    async fn try_open(&self) -> Result<SqliteStore, StoreError> {
        let mut opening = self.opening.lock().await;
        let opened = opening.get_or_insert_with(|| {
            let (reply, opened) = oneshot::channel();
            let path = self.path.clone();
            // A thread of its own: the runtime would wait at its end for one of its own that hangs.
            let thread = std::thread::Builder::new().name("store opening".to_owned());
            let _no_thread = thread.spawn(move || reply.send(SqliteStore::open(&path)));
            opened
        });
        let opened = opened.await;
        *opening = None;
        let no_thread = |error: oneshot::error::RecvError| StoreError::Unopened {
            doing: "starting a thread for it",
            source: error.into(),
        };
        opened.map_err(no_thread)?
    }
}

#[async_trait]
impl IncidentStore for OpenedLater {
    async fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        self.open().await?.append(batch).await
    }

    async fn append_then(&self, batch: Batch, settle: Settle) -> Result<u64, StoreError> {
        self.open().await?.append_then(batch, settle).await
    }

    async fn set_aside(&self, events: Vec<StoredAs>, why: String) -> Result<(), StoreError> {
        self.open().await?.set_aside(events, why).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        self.open().await?.load().await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        self.open().await?.incident(id).await
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        self.open().await?.incidents(filter).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.open().await?.blob(sha256).await
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.open().await?.alive(now).await
    }

    async fn caught_up(&self, until: DateTime<Utc>) -> Result<(), StoreError> {
        self.open().await?.caught_up(until).await
    }

    async fn checkpoint(&self, seq: u64, rollouts: States) -> Result<(), StoreError> {
        self.open().await?.checkpoint(seq, rollouts).await
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.open().await?.prune(before).await
    }

    async fn ended(&self) -> String {
        loop {
            if let Some(store) = self.opened.get() {
                return store.ended().await;
            }
            // Nothing that is not open can end.
            tokio::time::sleep(LOOKS_AGAIN).await;
        }
    }
}
