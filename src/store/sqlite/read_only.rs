//! Looking into a database that another process may have open.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::schema::failed;
use crate::incident::{Event, EvidenceFile, RampEvent, StoredAs};
use crate::store::StoreError;

/// Every evidence file that the database knows to have been written, with the id of its incident or ramp; `None` where
/// there is no database. Nothing is written, and a server that runs is not disturbed.
///
/// # Errors
/// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
pub fn evidence_files(path: &Path) -> Result<Option<Vec<(String, EvidenceFile)>>, StoreError> {
    // One that may not be looked at is no missing one.
    if let Ok(false) = path.try_exists() {
        return Ok(None);
    }
    let doing = "reading what evidence was written";
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| failed(doing, error))?;
    let mut statement = connection
        .prepare(
            "SELECT stored FROM events WHERE type IN ('evidence_written', 'ramp_evidence_written') ORDER BY seq",
        )
        .map_err(|error| failed(doing, error))?;
    let rows =
        statement.query_map([], |row| row.get::<_, String>(0)).map_err(|error| failed(doing, error))?;
    let mut found = Vec::new();
    for row in rows {
        let json = row.map_err(|error| failed(doing, error))?;
        let stored: StoredAs = serde_json::from_str(&json)
            .map_err(|error| StoreError::Corrupt { what: "an event".to_owned(), source: error.into() })?;
        let (owner, files) = match (stored.incident, stored.event) {
            (Some(incident), Event::EvidenceWritten { files, .. }) => (incident.to_string(), files),
            (_, Event::Ramp { ramp, happened: RampEvent::EvidenceWritten { files, .. } }) => {
                (ramp.to_string(), files)
            }
            _ => continue,
        };
        found.extend(files.into_iter().map(|file| (owner.clone(), file)));
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::incident::{RampId, RolloutName};
    use crate::store::{Batch, IncidentStore, SqliteStore};

    #[tokio::test]
    async fn the_files_of_a_ramp_are_known_by_its_id() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backstop.db");
        let ramp = RampId::new("r-ramp-20261124-030000");
        let file = EvidenceFile::new(format!("{ramp}/gates_stage_1.json"), "ab".repeat(32));
        let happened =
            RampEvent::EvidenceWritten { stage: Some(0), files: vec![file.clone()], problems: Vec::new() };
        let event = Event::Ramp { ramp: ramp.clone(), happened };
        let (at, rollout) = (DateTime::UNIX_EPOCH, RolloutName::new("r"));
        let events = vec![StoredAs { at, rollout, incident: None, event }];
        let store = SqliteStore::open(&path).expect("opened");
        store.append(Batch { events, ..Batch::default() }).await.expect("appended");
        let known = evidence_files(&path).expect("read").expect("a database");
        assert_eq!(known, [(ramp.to_string(), file)]);
    }
}
