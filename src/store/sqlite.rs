//! SQLite: one file, one process, durable on every acknowledged append (WAL, `synchronous=FULL`).
//!
//! One thread owns the connection. After an error that may lie in the connection or the file it is
//! opened again at the next use, so that a disk that was full or read-only needs no restart.

mod rows;
mod schema;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::{Batch, IncidentFilter, IncidentStore, Loaded, StoreError};
use crate::incident::{Incident, IncidentId, RolloutName, RolloutState};
use crate::supervision::panic_message;

type Job = Box<dyn FnOnce(&mut Held) + Send>;

/// Jobs that may wait for the thread; the journal sends one append at a time, the API some reads.
const QUEUE: usize = 256;

/// The store.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    jobs: mpsc::SyncSender<Job>,
    /// Why the thread ended, once it has.
    ended: watch::Receiver<Option<String>>,
}

/// What the thread owns.
struct Held {
    path: PathBuf,
    connection: Option<Connection>,
    /// Held as long as the store lives: nobody else may write the file.
    _lock: File,
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
        let lock = lock(path)?;
        let connection = schema::open(path)?;
        let mut held = Held { path: path.to_owned(), connection: Some(connection), _lock: lock };
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE);
        let (report, ended) = watch::channel(None);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                // What a panic left half done is not used again: the process ends, and the file is
                // as the last commit left it.
                let worked = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    while let Ok(job) = queue.recv() {
                        job(&mut held);
                    }
                }));
                if let Err(panic) = worked {
                    report.send_replace(Some(format!("its thread panicked: {}", panic_message(&*panic))));
                }
            })
            .map_err(io("starting the store's thread"))?;
        Ok(Self { jobs, ended })
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable { doing, source: "the store's thread has ended".into() };
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |held| {
            // Whoever asked may have gone: then nobody needs the answer.
            let _unheard = reply.send(held.work(work));
        });
        let jobs = self.jobs.clone();
        // A full queue is rare and short; waiting for it must not hold up the runtime.
        let job = match jobs.try_send(job) {
            Ok(()) => None,
            Err(mpsc::TrySendError::Full(job)) => Some(job),
            Err(mpsc::TrySendError::Disconnected(_)) => return Err(gone()),
        };
        if let Some(job) = job {
            let sent = tokio::task::spawn_blocking(move || jobs.send(job)).await;
            if !matches!(sent, Ok(Ok(()))) {
                return Err(gone());
            }
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
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

impl Held {
    fn work<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => schema::open(&self.path)?,
        };
        let done = work(&mut connection);
        // After an outage the connection may hold on to what is gone (a read-only fallback, a lost
        // WAL): the next use opens the file anew.
        if !matches!(done, Err(StoreError::Unavailable { .. })) {
            self.connection = Some(connection);
        }
        done
    }
}

#[async_trait]
impl IncidentStore for SqliteStore {
    async fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        self.run("append", move |connection| rows::append(connection, &batch)).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        self.run("load", rows::load).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        let id = id.clone();
        self.run("read an incident", move |connection| rows::incident(connection, &id)).await
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        let filter = filter.clone();
        self.run("list incidents", move |connection| rows::incidents(connection, &filter)).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sha256 = sha256.to_owned();
        self.run("read bytes", move |connection| rows::blob(connection, &sha256)).await
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.run("leave a sign of life", move |connection| rows::alive(connection, now)).await
    }

    async fn checkpoint(
        &self,
        seq: u64,
        rollouts: BTreeMap<RolloutName, Arc<RolloutState>>,
    ) -> Result<(), StoreError> {
        self.run("save the fold", move |connection| rows::checkpoint(connection, seq, &rollouts)).await
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.run("prune", move |connection| rows::prune(connection, before)).await
    }

    async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let why = ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            // It ends without a reason only after every handle is gone, and this is one.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
