//! What no receiver that keeps its word can be faster than: one durable commit by bare SQLite, on
//! the same disk, with the store's settings.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

/// Rows of a page each: more than the pages after which SQLite begins its log anew.
const WRAPPED_AFTER_ROWS: usize = 1_100;

/// A bare database.
#[derive(Debug)]
pub(crate) struct Floor(Connection);

impl Floor {
    pub(crate) fn new(folder: &Path) -> Self {
        let connection = Connection::open(folder.join("floor.db")).expect("opened");
        connection
            .execute_batch(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
                 CREATE TABLE floor (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, stored TEXT NOT NULL) STRICT;",
            )
            .expect("a table");
        let mut floor = Self(connection);
        // A log that still grows pays for the file system's own journal with each commit; one that
        // has wrapped overwrites itself. The floor is the faster.
        floor.commit(WRAPPED_AFTER_ROWS, &"x".repeat(4_000));
        floor.0.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).expect("a checkpoint");
        floor
    }

    /// Commits so many rows with this text at once, and says how long it took.
    pub(crate) fn commit(&mut self, rows: usize, text: &str) -> Duration {
        let began = Instant::now();
        let transaction = self.0.transaction().expect("begun");
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO floor (at, stored) VALUES (?, ?)")
                .expect("a statement");
            for _ in 0..rows {
                insert.execute(["2026-11-24T03:00:00.000000000Z", text]).expect("inserted");
            }
        }
        transaction.commit().expect("committed");
        began.elapsed()
    }
}
