//! SQLite: one file, one process, durable on every acknowledged append (WAL, `synchronous=FULL`).
//!
//! One thread owns the connection that writes, one reads for people, one for evidence.

mod files;
mod look;
mod read_only;
mod retention;
mod rows;
mod schema;
mod thread;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::Connection;

pub use look::{StoreLook, look_at_store};
pub use read_only::evidence_files;
use thread::{Database, Held, Thread};

use super::{Batch, IncidentFilter, IncidentStore, Loaded, Settle, States, StoreError};
use crate::incident::{Incident, IncidentId, StoredAs};

/// Three threads over one database file that this process has locked. Clones share them.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Thread,
    /// Reads what people ask for: a long listing must not make a webhook wait.
    reader: Thread,
    /// Reads what evidence consists of: people's listings must not make a rollback's evidence wait.
    evidence_reader: Thread,
}

impl SqliteStore {
    /// Opens or creates the database, and keeps every other process from it.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NewerSchema`], [`StoreError::Corrupt`] or
    /// [`StoreError::Unopened`]; each says what to do.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_now(path).map_err(StoreError::at_start)
    }

    fn open_now(path: &Path) -> Result<Self, StoreError> {
        let (path, locks) = files::claim(path)?;
        let database = Arc::new(Database::of(path, locks)?);
        let connection = database.connect()?;
        let start = |name, connection| {
            Thread::start(name, Held { database: Arc::clone(&database), connection }).map_err(|source| {
                let doing = "starting the store's threads";
                StoreError::Unavailable { doing, source: source.into() }
            })
        };
        Ok(Self {
            writer: start("store", Some(connection))?,
            reader: start("store reader", None)?,
            evidence_reader: start("evidence reader", None)?,
        })
    }
}

#[async_trait]
impl IncidentStore for SqliteStore {
    async fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        self.append_then(batch, Box::new(|| {})).await
    }

    async fn append_then(&self, batch: Batch, settle: Settle) -> Result<u64, StoreError> {
        let append = move |connection: &mut Connection, database: &Database| {
            let seq = rows::append(connection, &batch, || database.check())?;
            settle();
            Ok(seq)
        };
        self.writer.run_with("append", append).await
    }

    async fn set_aside(&self, events: Vec<StoredAs>, why: String) -> Result<(), StoreError> {
        // What can't be encoded is written as it prints: it is for a person to look at.
        let events = serde_json::to_value(&events).unwrap_or_else(|_| format!("{events:?}").into());
        let line = serde_json::json!({ "why": why, "events": events }).to_string();
        self.reader.run_with("set aside", move |_, database| files::set_aside(&database.path, &line)).await
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
        self.evidence_reader.run("read bytes", move |connection| rows::blob(connection, &sha256)).await
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let keep = move |connection: &mut Connection| rows::keep_time(connection, rows::LAST_ALIVE, now);
        self.writer.run("leave a sign of life", keep).await
    }

    async fn caught_up(&self, until: DateTime<Utc>) -> Result<(), StoreError> {
        let keep =
            move |connection: &mut Connection| rows::keep_time(connection, rows::CAUGHT_UP_UNTIL, until);
        self.writer.run("record what is caught up with", keep).await
    }

    async fn checkpoint(&self, seq: u64, rollouts: States) -> Result<(), StoreError> {
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
            why = self.evidence_reader.ended() => why,
        }
    }
}

#[cfg(test)]
mod files_tests;
#[cfg(test)]
mod retention_tests;
#[cfg(test)]
mod tests;
