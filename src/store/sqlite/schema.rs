//! The database's shape and how older ones are brought up to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::StoreError;

/// Nobody else writes, so only a backup tool can be in the way, and not for long.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);

/// Of the database, for each connection; by default 2,000, and there are three. The file is in the system's
/// cache all the same, and what is read again and again is the end of a few trees.
const PAGE_CACHE_KIB: i64 = 512;

/// Each brings the schema one version up. Only ever append to this list: what has been released
/// exists on somebody's disk.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        rollout TEXT NOT NULL,
        incident TEXT,
        type TEXT NOT NULL,
        stored TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_of_incident ON events (incident, seq) WHERE incident IS NOT NULL;
    CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TABLE incidents (
        id TEXT PRIMARY KEY,
        rollout TEXT NOT NULL,
        state TEXT NOT NULL,
        opened_seq INTEGER NOT NULL,
        closed_at TEXT
    ) STRICT;
    CREATE INDEX incidents_by_opening ON incidents (opened_seq);
    CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE checkpoints (rollout TEXT PRIMARY KEY, seq INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
",
    "
    CREATE TABLE blob_references (
        sha256 TEXT NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (sha256, owner)
    ) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO blob_references
        SELECT sha256, COALESCE(incident, 'event ' || seq) FROM (
            SELECT incident, seq, CASE WHEN json_valid(stored) THEN COALESCE(
                json_extract(stored, '$.event.alert.body.sha256'),
                json_extract(stored, '$.event.body.sha256')
            ) END AS sha256
            FROM events
            WHERE type IN ('incident_opened', 'triage_started', 'alert_attached', 'snapshot_taken')
        ) WHERE sha256 IS NOT NULL;
    DELETE FROM blobs WHERE sha256 NOT IN (SELECT sha256 FROM blob_references);
    CREATE INDEX incidents_by_closing ON incidents (closed_at, id) WHERE closed_at IS NOT NULL;
    CREATE INDEX incidents_by_state ON incidents (state, opened_seq);
    CREATE INDEX incidents_by_rollout ON incidents (rollout, opened_seq);
    CREATE INDEX incidents_by_both ON incidents (rollout, state, opened_seq);
",
];

/// Opens the file and brings its schema up.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path).map_err(|error| failed("opening `store.path`", error))?;
    prepare(&mut connection, path)?;
    Ok(connection)
}

/// Which schema the database has; one that is newer than any we know is an error.
pub(super) fn check_schema(
    connection: &Connection,
    path: &Path,
    doing: &'static str,
) -> Result<i64, StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| broken_or(path, doing, error))?;
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    Ok(found)
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let doing = "preparing the database";
    let found = check_schema(connection, path, doing)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failed(doing, error))?;
    let settings = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;";
    connection.execute_batch(settings).map_err(|error| broken_or(path, doing, error))?;
    // Negative: in KiB, and not in pages.
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB).map_err(|error| failed(doing, error))?;
    let applied = usize::try_from(found).unwrap_or(0);
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(applied) {
        let transaction = connection.transaction().map_err(|error| failed(doing, error))?;
        transaction.execute_batch(migration).map_err(|error| broken_or(path, doing, error))?;
        transaction.pragma_update(None, "user_version", index + 1).map_err(|error| failed(doing, error))?;
        transaction.commit().map_err(|error| failed(doing, error))?;
    }
    Ok(())
}

/// A database as the first release made it.
#[cfg(test)]
pub(super) fn first(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(MIGRATIONS[0])?;
    connection.pragma_update(None, "user_version", 1)
}

/// An error that may pass.
pub(super) fn failed(doing: &'static str, error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable { doing, source: error.into() }
}

/// An error of what is stored rather than of where: it never passes.
pub(super) fn refused_or(doing: &'static str, error: rusqlite::Error) -> StoreError {
    let is_refused = match &error {
        rusqlite::Error::ToSqlConversionFailure(_) | rusqlite::Error::InvalidParameterName(_) => true,
        _ => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
        ),
    };
    if is_refused { StoreError::Rejected { source: error.into() } } else { failed(doing, error) }
}

/// A file that is no database never becomes one by waiting.
pub(super) fn broken_or(path: &Path, doing: &'static str, error: rusqlite::Error) -> StoreError {
    damaged_or(path, failed(doing, error))
}

/// Damage is met wherever a page is read first, and passes as little as when it is met at the start.
pub(super) fn damaged_or(path: &Path, error: StoreError) -> StoreError {
    let StoreError::Unavailable { doing, source } = error else { return error };
    match source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Corrupt { what: path.display().to_string(), source }
        }
        _ => StoreError::Unavailable { doing, source },
    }
}
