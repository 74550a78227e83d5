//! SQLite: one file, one process, durable on every acknowledged append (WAL, `synchronous=FULL`).
//!
//! One thread owns the connection that writes, another one that reads for people.

mod read_only;
mod retention;
mod rows;
mod schema;
mod thread;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::Connection;

pub use read_only::evidence_files;
use thread::{Held, Thread};

use super::{Batch, IncidentFilter, IncidentStore, Loaded, StoreError};
use crate::incident::{Incident, IncidentId, RolloutName, RolloutState};

/// The store.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Thread,
    /// Reads what people ask for: a long listing must not make a webhook wait.
    reader: Thread,
}

impl SqliteStore {
    /// Opens or creates the database, and keeps every other process from it.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NewerSchema`], [`StoreError::Corrupt`] or
    /// [`StoreError::Unavailable`]; each says what to do.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let io =
            |doing| move |source: std::io::Error| StoreError::Unavailable { doing, source: source.into() };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io("creating the folder of `store.path`"))?;
        }
        let lock = Arc::new(lock(path)?);
        let held = |connection| Held { path: path.to_owned(), connection, lock: Arc::clone(&lock) };
        let starting = io("starting the store's threads");
        let writer = Thread::start("store", held(Some(schema::open(path)?))).map_err(starting)?;
        let reader = Thread::start("store reader", held(None)).map_err(starting)?;
        Ok(Self { writer, reader })
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let unavailable = |source: std::io::Error| StoreError::Unavailable {
        doing: "locking `store.path`",
        source: source.into(),
    };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(name).map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unavailable(source)),
    }
}

#[async_trait]
impl IncidentStore for SqliteStore {
    async fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        self.writer.run("append", move |connection| rows::append(connection, &batch)).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        self.writer.run("load", rows::load).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        let id = id.clone();
        self.reader.run("read an incident", move |connection| rows::incident(connection, &id)).await
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        let filter = filter.clone();
        self.reader.run("list incidents", move |connection| rows::incidents(connection, &filter)).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sha256 = sha256.to_owned();
        self.reader.run("read bytes", move |connection| rows::blob(connection, &sha256)).await
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.writer.run("leave a sign of life", move |connection| rows::alive(connection, now)).await
    }

    async fn checkpoint(
        &self,
        seq: u64,
        rollouts: BTreeMap<RolloutName, Arc<RolloutState>>,
    ) -> Result<(), StoreError> {
        self.writer.run("save the fold", move |connection| rows::checkpoint(connection, seq, &rollouts)).await
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut pruned = 0;
        let mut next = Some(retention::Place::default());
        while let Some(place) = next {
            let forget = move |connection: &mut Connection| retention::forget_some(connection, before, place);
            let forgotten = self.writer.run("prune", forget).await?;
            pruned += forgotten.incidents;
            next = forgotten.next;
        }
        Ok(pruned)
    }

    async fn ended(&self) -> String {
        tokio::select! {
            why = self.writer.ended() => why,
            why = self.reader.ended() => why,
        }
    }
}

#[cfg(test)]
mod retention_tests;
#[cfg(test)]
mod tests;
