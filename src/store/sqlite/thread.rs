//! A thread that owns one connection, and the queue before it.
//!
//! After an error that may lie in the connection or the file it is opened again at the next use, so
//! that a disk that was full or read-only needs no restart.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::files::{Identity, Locks};
use super::{StoreError, schema};
use crate::supervision::panic_message;

type Job = Box<dyn FnOnce(&mut Held) + Send>;

/// Jobs that may wait for the thread; the journal sends one append at a time, the API some reads.
const QUEUE: usize = 256;

/// The thread's handle. It ends once every handle is gone.
#[derive(Debug, Clone)]
pub(super) struct Thread {
    jobs: mpsc::SyncSender<Job>,
    /// Why the thread ended, once it has.
    ended: watch::Receiver<Option<String>>,
}

/// The database's file, claimed by this process.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) path: PathBuf,
    /// Which file it was when it was claimed.
    identity: Identity,
    /// Held as long as the store lives: nobody else may write the file.
    _locks: Locks,
}

impl Database {
    pub(super) fn of(path: PathBuf, locks: Locks) -> Result<Self, StoreError> {
        match Identity::of(&path) {
            Some(identity) => Ok(Self { path, identity, _locks: locks }),
            None => Err(StoreError::Replaced { path }),
        }
    }

    /// Whether the path still leads to the file that was claimed. What is written into one that is
    /// not found again is lost.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if Identity::of(&self.path) == Some(self.identity) {
            Ok(())
        } else {
            Err(StoreError::Replaced { path: self.path.clone() })
        }
    }

    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        self.check()?;
        schema::open(&self.path)
    }
}

/// What the thread owns.
pub(super) struct Held {
    pub(super) database: Arc<Database>,
    /// `None`: it is opened at the next use.
    pub(super) connection: Option<Connection>,
}

impl Thread {
    pub(super) fn start(name: &str, mut held: Held) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE);
        let (report, ended) = watch::channel(None);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // What a panic left half done is not used again: the process ends, and the file is as
            // the last commit left it.
            let worked = std::panic::catch_unwind(AssertUnwindSafe(|| {
                while let Ok(job) = queue.recv() {
                    job(&mut held);
                }
            }));
            if let Err(panic) = worked {
                report.send_replace(Some(format!("its thread panicked: {}", panic_message(&*panic))));
            }
            // Before the locks: closing their file would take SQLite's locks with it.
            drop(held.connection);
        })?;
        Ok(Self { jobs, ended })
    }

    /// Resolves with the reason once the thread has ended although somebody still needs it.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let why = ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            // It ends without a reason only after every handle is gone, and this is one.
            None => std::future::pending().await,
        }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_with(doing, |connection, _| work(connection)).await
    }

    pub(super) async fn run_with<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection, &Database) -> Result<T, StoreError> + Send + 'static,
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

impl Held {
    fn work<T>(
        &mut self,
        work: impl FnOnce(&mut Connection, &Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.connect()?,
        };
        let done = work(&mut connection, &self.database);
        let done = done.map_err(|error| schema::damaged_or(&self.database.path, error));
        // After an outage the connection may hold on to what is gone (a read-only fallback, a lost
        // WAL, pages of a file that was restored since): the next use opens the file anew.
        if !matches!(done, Err(StoreError::Unavailable { .. } | StoreError::Corrupt { .. })) {
            self.connection = Some(connection);
        }
        done
    }
}
