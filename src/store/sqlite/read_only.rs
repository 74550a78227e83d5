//! Looking into a database that another process may have open.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::schema::failed;
use crate::incident::{Event, EvidenceFile, IncidentId, StoredAs};
use crate::store::StoreError;

/// Every evidence file that the database knows to have been written, with its incident; `None` where
/// there is no database. Nothing is written, and a server that runs is not disturbed.
///
/// # Errors
/// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
pub fn evidence_files(path: &Path) -> Result<Option<Vec<(IncidentId, EvidenceFile)>>, StoreError> {
    // One that may not be looked at is no missing one.
    if let Ok(false) = path.try_exists() {
        return Ok(None);
    }
    let doing = "reading what evidence was written";
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| failed(doing, error))?;
    let mut statement = connection
        .prepare(
            "SELECT stored FROM events WHERE type = 'evidence_written' AND incident IS NOT NULL ORDER BY seq",
        )
        .map_err(|error| failed(doing, error))?;
    let rows =
        statement.query_map([], |row| row.get::<_, String>(0)).map_err(|error| failed(doing, error))?;
    let mut found = Vec::new();
    for row in rows {
        let json = row.map_err(|error| failed(doing, error))?;
        let stored: StoredAs = serde_json::from_str(&json)
            .map_err(|error| StoreError::Corrupt { what: "an event".to_owned(), source: error.into() })?;
        if let (Some(id), Event::EvidenceWritten { files, .. }) = (stored.incident, stored.event) {
            found.extend(files.into_iter().map(|file| (id.clone(), file)));
        }
    }
    Ok(Some(found))
}
