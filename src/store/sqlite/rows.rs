//! Reading and writing rows. Each function is one transaction.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::schema::{failed, refused_or};
use crate::incident::{Event, Incident, IncidentId, RolloutName, RolloutState, StoredAs};
use crate::store::{Batch, IncidentFilter, Loaded, States, StoreError, fold};

pub(super) fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

fn corrupt(what: String, error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { what, source: error.into() }
}

/// Names the version that wrote an event that this one does not know.
fn naming_its_writer(connection: &Connection, error: StoreError) -> StoreError {
    match error {
        StoreError::NewerEvent { what, written_by, this, source } => {
            let written_by = meta(connection, WRITTEN_BY).ok().flatten().unwrap_or(written_by);
            StoreError::NewerEvent { what, written_by, this, source }
        }
        other => other,
    }
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM meta WHERE key = ?", [key], |row| row.get(0)).optional()
}

fn end(connection: &Connection) -> Result<u64, StoreError> {
    let query = "SELECT MAX(COALESCE((SELECT MAX(seq) FROM events), 0), COALESCE((SELECT MAX(seq) FROM checkpoints), 0))";
    connection
        .query_row(query, [], |row| row.get(0))
        .map_err(|error| failed("reading the journal's end", error))
}

/// Appends a batch. `check` has the last word before it is committed.
pub(super) fn append(
    connection: &mut Connection,
    batch: &Batch,
    check: impl FnOnce() -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let doing = "appending events";
    let transaction = connection.transaction().map_err(|error| failed(doing, error))?;
    let found = end(&transaction)?;
    if found != batch.expected_seq {
        return Err(StoreError::Conflict { expected: batch.expected_seq, found });
    }
    let seq = insert(&transaction, batch, found).map_err(|error| refused_or(doing, error))?;
    check()?;
    transaction.commit().map_err(|error| failed(doing, error))?;
    Ok(seq)
}

fn insert(transaction: &Transaction<'_>, batch: &Batch, found: u64) -> Result<u64, rusqlite::Error> {
    let mut seq = found;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (seq, at, rollout, incident, type, stored) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    let mut refer =
        transaction.prepare_cached("INSERT OR IGNORE INTO blob_references (sha256, owner) VALUES (?, ?)")?;
    let mut referred = HashSet::new();
    for stored in &batch.events {
        seq += 1;
        let json = serde_json::to_string(stored)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let incident = stored.incident.as_ref().map(IncidentId::as_str);
        insert.execute(params![
            seq,
            text(stored.at),
            stored.rollout.as_str(),
            incident,
            stored.event.name(),
            json
        ])?;
        index(transaction, stored, seq)?;
        if let Some(blob) = stored.event.blob() {
            refer.execute(params![blob.sha256, owner(stored.incident.as_ref(), seq)])?;
            referred.insert(blob.sha256.as_str());
        }
    }
    let mut keep = transaction.prepare_cached("INSERT OR IGNORE INTO blobs (sha256, bytes) VALUES (?, ?)")?;
    for (blob, bytes) in batch.blobs.iter().filter(|(blob, _)| referred.contains(blob.sha256.as_str())) {
        keep.execute(params![blob.sha256, bytes.as_ref()])?;
    }
    Ok(seq)
}

/// Who refers to bytes: an incident, or an event of none.
pub(super) fn owner(incident: Option<&IncidentId>, seq: u64) -> String {
    incident.map_or_else(|| format!("event {seq}"), IncidentId::to_string)
}

/// Keeps the listing in step: which incidents there are, and in which state.
fn index(transaction: &Transaction<'_>, stored: &StoredAs, seq: u64) -> Result<(), rusqlite::Error> {
    let Some(id) = stored.incident.as_ref().map(IncidentId::as_str) else { return Ok(()) };
    let (state, closed) = match &stored.event {
        Event::IncidentOpened(_) => {
            let query =
                "INSERT INTO incidents (id, rollout, state, opened_seq) VALUES (?, ?, 'rolling_back', ?)";
            transaction.prepare_cached(query)?.execute(params![id, stored.rollout.as_str(), seq])?;
            return Ok(());
        }
        Event::GraceStarted { .. } | Event::Resumed { .. } => ("grace", false),
        Event::Held { .. } => ("held", false),
        Event::RollbackStarted { .. } => ("rolling_back", false),
        Event::VerificationStarted { .. } => ("verifying", false),
        Event::Failed { .. } => ("failed", false),
        Event::RolledBack => ("rolled_back", true),
        Event::Cancelled { .. } => ("cancelled", true),
        Event::Declined { .. } => ("declined", true),
        Event::Superseded { .. } => ("superseded", true),
        Event::Closed { .. } => ("closed", true),
        _ => {
            let query = "SELECT 1 FROM incidents WHERE id = ?";
            let is_known = transaction.prepare_cached(query)?.exists([id])?;
            return if is_known { Ok(()) } else { Err(unknown(id)) };
        }
    };
    let closed_at = closed.then(|| text(stored.at));
    let query = "UPDATE incidents SET state = ?, closed_at = ? WHERE id = ?";
    match transaction.prepare_cached(query)?.execute(params![state, closed_at, id])? {
        0 => Err(unknown(id)),
        _ => Ok(()),
    }
}

/// No column refers to an incident, so that an old database needs no new table: it is asked here.
fn unknown(id: &str) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(format!("incident {id} has an event but was never opened").into())
}

fn parse(seq: u64, json: &str) -> Result<StoredAs, StoreError> {
    serde_json::from_str(json).map_err(|error| {
        let what = format!("event {seq}");
        // serde has no kind for it; what is unknown elsewhere is another value than the program writes.
        if error.is_data() && error.to_string().starts_with("unknown variant") {
            let written_by = "of a newer version".to_owned();
            return StoreError::NewerEvent { what, written_by, this: THIS_VERSION, source: error.into() };
        }
        corrupt(what, error)
    })
}

fn query_events(
    connection: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
    mut each: impl FnMut(u64, StoredAs),
) -> Result<(), StoreError> {
    let doing = "reading events";
    let query = format!("SELECT seq, stored FROM events WHERE {condition} ORDER BY seq");
    let mut statement = connection.prepare_cached(&query).map_err(|error| failed(doing, error))?;
    let mut rows = statement.query(values).map_err(|error| failed(doing, error))?;
    while let Some(row) = rows.next().map_err(|error| failed(doing, error))? {
        let (seq, json): (u64, String) = (
            row.get(0).map_err(|error| failed(doing, error))?,
            row.get(1).map_err(|error| failed(doing, error))?,
        );
        each(seq, parse(seq, &json)?);
    }
    Ok(())
}

pub(super) fn load(connection: &mut Connection) -> Result<Loaded, StoreError> {
    let doing = "loading";
    let time_of = |key: &str| {
        meta(connection, key).map(|text| text?.parse().ok()).map_err(|error| failed(doing, error))
    };
    let mut loaded = Loaded {
        seq: end(connection)?,
        checkpoint_seq: 0,
        last_alive: time_of(LAST_ALIVE)?,
        caught_up_until: time_of(CAUGHT_UP_UNTIL)?,
        rollouts: BTreeMap::new(),
    };
    loaded.checkpoint_seq = load_checkpoint(connection, &mut loaded)?;
    query_events(connection, "seq > ?", [loaded.checkpoint_seq], |_, stored| {
        fold::apply(&mut loaded.rollouts, &stored)
    })
    .map_err(|error| naming_its_writer(connection, error))?;
    // Only what understood everything may put its name here. A full disk must not keep it from starting.
    if meta(connection, WRITTEN_BY).ok().flatten().as_deref() != Some(THIS_VERSION)
        && let Err(error) = set_meta(connection, WRITTEN_BY, THIS_VERSION)
    {
        tracing::debug!(%error, "which version writes here could not be recorded");
    }
    Ok(loaded)
}

/// All rollouts are saved in one transaction, so one that can't be read makes all of them useless:
/// then the fold begins with the first event.
fn load_checkpoint(connection: &Connection, loaded: &mut Loaded) -> Result<u64, StoreError> {
    let doing = "reading the saved fold";
    let mut statement = connection
        .prepare("SELECT rollout, seq, state FROM checkpoints")
        .map_err(|error| failed(doing, error))?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?, row.get::<_, String>(2)?)))
        .map_err(|error| failed(doing, error))?;
    let mut seq = 0;
    for row in rows {
        let (rollout, at, json) = row.map_err(|error| failed(doing, error))?;
        match serde_json::from_str::<RolloutState>(&json) {
            Ok(state) => {
                loaded.rollouts.insert(RolloutName::new(rollout), state);
                seq = at;
            }
            Err(error) => {
                tracing::warn!(%rollout, %error, "a saved fold is of another version; folding from the first event");
                loaded.rollouts.clear();
                return Ok(0);
            }
        }
    }
    Ok(seq)
}

pub(super) fn incident(connection: &mut Connection, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
    let mut events = Vec::new();
    query_events(connection, "incident = ?", [id.as_str()], |_, stored| events.push(stored))?;
    Ok(fold::incident(&events))
}

pub(super) fn incidents(
    connection: &mut Connection,
    filter: &IncidentFilter,
) -> Result<Vec<Incident>, StoreError> {
    let doing = "listing incidents";
    let ids: Vec<String> = {
        // Only what is asked for stands in the query, so that an index serves it.
        let condition = match (&filter.rollout, &filter.state) {
            (None, None) => "?1 IS NULL AND ?2 IS NULL",
            (Some(_), None) => "rollout = ?1 AND ?2 IS NULL",
            (None, Some(_)) => "?1 IS NULL AND state = ?2",
            (Some(_), Some(_)) => "rollout = ?1 AND state = ?2",
        };
        let query = &format!("SELECT id FROM incidents WHERE {condition} ORDER BY opened_seq DESC LIMIT ?3");
        let mut statement = connection.prepare_cached(query).map_err(|error| failed(doing, error))?;
        let rollout = filter.rollout.as_ref().map(RolloutName::as_str);
        let rows = statement
            .query_map(params![rollout, filter.state, filter.limit as u64], |row| row.get(0))
            .map_err(|error| failed(doing, error))?;
        rows.collect::<Result<_, _>>().map_err(|error| failed(doing, error))?
    };
    let found = ids.into_iter().map(|id| incident(connection, &IncidentId::new(id)));
    found.filter_map(Result::transpose).collect()
}

pub(super) fn blob(connection: &mut Connection, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
    connection
        .query_row("SELECT bytes FROM blobs WHERE sha256 = ?", [sha256], |row| row.get(0))
        .optional()
        .map_err(|error| failed("reading bytes", error))
}

/// Keys of `meta`.
pub(super) const LAST_ALIVE: &str = "last_alive";
pub(super) const CAUGHT_UP_UNTIL: &str = "caught_up_until";
const WRITTEN_BY: &str = "written_by";

const THIS_VERSION: &str = env!("CARGO_PKG_VERSION");

fn set_meta(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<usize> {
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [key, value])
}

/// Stores a time under a key of `meta`, in place of the one before.
pub(super) fn keep_time(
    connection: &mut Connection,
    key: &'static str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    set_meta(connection, key, &text(at))
        .map(|_| ())
        .map_err(|error| failed("recording until when somebody was there", error))
}

pub(super) fn checkpoint(connection: &mut Connection, seq: u64, rollouts: &States) -> Result<(), StoreError> {
    let doing = "saving the fold";
    let transaction = connection.transaction().map_err(|error| failed(doing, error))?;
    transaction.execute("DELETE FROM checkpoints", []).map_err(|error| failed(doing, error))?;
    for (rollout, state) in rollouts {
        let json = serde_json::to_string(state)
            .map_err(|error| corrupt(format!("the state of {rollout}"), error))?;
        transaction
            .execute(
                "INSERT INTO checkpoints (rollout, seq, state) VALUES (?, ?, ?)",
                params![rollout.as_str(), seq, json],
            )
            .map_err(|error| failed(doing, error))?;
    }
    transaction.commit().map_err(|error| failed(doing, error))
}
