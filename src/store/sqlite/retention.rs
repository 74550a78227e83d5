//! Forgetting what is past its retention, a little at a time: an append waits for one transaction
//! of it and not for all.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::rows::{owner, text};
use super::schema::failed;
use crate::incident::StoredAs;
use crate::store::StoreError;

/// Events that go in one transaction. It takes a few milliseconds, and that is how much later a
/// webhook is answered that comes in the middle of it.
const EVENTS_AT_ONCE: usize = 100;

/// Events of no incident are looked for from the first on, until as many in a row are too young. Not
/// until one is: a clock that was ahead for a moment must not end retention for years.
const YOUNG_IN_A_ROW: usize = 1_000;

/// Where to go on.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// After this closed incident, in the order of closing.
    Incident { closed_at: String, id: String },
    /// After this event, for those of no incident.
    Event { seq: u64 },
}

impl Default for Place {
    fn default() -> Self {
        Self::Incident { closed_at: String::new(), id: String::new() }
    }
}

/// What one transaction did.
#[derive(Debug)]
pub(super) struct Forgotten {
    /// Incidents that are gone with all their events.
    pub(super) incidents: u64,
    /// Where to go on; `None`: nothing is left to do.
    pub(super) next: Option<Place>,
}

/// Forgets some. Only what the saved fold covers may go: the rest is still needed to fold.
pub(super) fn forget_some(
    connection: &mut Connection,
    before: DateTime<Utc>,
    from: Place,
) -> Result<Forgotten, StoreError> {
    let transaction = connection.transaction();
    let done = transaction.and_then(|transaction| {
        let covered =
            transaction.query_row("SELECT COALESCE(MIN(seq), 0) FROM checkpoints", [], |row| row.get(0))?;
        let mut forgetting =
            Forgetting { transaction, before: text(before), covered, budget: EVENTS_AT_ONCE };
        let done = match from {
            Place::Incident { closed_at, id } => forgetting.incidents(closed_at, id)?,
            Place::Event { seq } => Forgotten { incidents: 0, next: forgetting.events_of_no_incident(seq)? },
        };
        forgetting.transaction.commit()?;
        Ok(done)
    });
    done.map_err(|error| failed("pruning", error))
}

struct Forgetting<'a> {
    transaction: Transaction<'a>,
    before: String,
    covered: u64,
    budget: usize,
}

impl Forgetting<'_> {
    fn incidents(&mut self, mut closed_at: String, mut id: String) -> Result<Forgotten, rusqlite::Error> {
        let mut incidents = 0;
        while self.budget > 0 {
            let Some((next_closed_at, next_id, may_go)) = self.after(&closed_at, &id)? else {
                return Ok(Forgotten { incidents, next: Some(Place::Event { seq: 0 }) });
            };
            if may_go {
                if !self.incident(&next_id)? {
                    // Its rest goes in the next transaction.
                    break;
                }
                incidents += 1;
            } else {
                // Looked at only: bounded all the same.
                self.budget -= 1;
            }
            (closed_at, id) = (next_closed_at, next_id);
        }
        Ok(Forgotten { incidents, next: Some(Place::Incident { closed_at, id }) })
    }

    /// The next incident that closed long enough ago, and whether all its events may go.
    fn after(&self, closed_at: &str, id: &str) -> Result<Option<(String, String, bool)>, rusqlite::Error> {
        let query = "SELECT closed_at, id, NOT EXISTS
                (SELECT 1 FROM events WHERE incident = incidents.id AND (seq > ?4 OR at >= ?3))
            FROM incidents WHERE closed_at < ?3 AND (closed_at, id) > (?1, ?2)
            ORDER BY closed_at, id LIMIT 1";
        let mut statement = self.transaction.prepare_cached(query)?;
        let values = params![closed_at, id, self.before, self.covered];
        statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
    }

    /// Deletes the incident's events, the oldest first, so that what is left is no incident to
    /// anybody; then itself. Whether all of it is gone.
    fn incident(&mut self, id: &str) -> Result<bool, rusqlite::Error> {
        let query = "SELECT seq FROM events WHERE incident = ? ORDER BY seq LIMIT ?";
        // One more than may go shows whether that is all.
        let some: Vec<u64> = self
            .transaction
            .prepare_cached(query)?
            .query_map(params![id, self.budget as u64 + 1], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for seq in some.iter().take(self.budget) {
            self.event(*seq, id)?;
        }
        let all = some.len() <= self.budget;
        self.budget -= some.len().min(self.budget);
        if all {
            self.transaction.prepare_cached("DELETE FROM incidents WHERE id = ?")?.execute([id])?;
        }
        Ok(all)
    }

    /// Where to go on; `None`: no old one is left.
    fn events_of_no_incident(&mut self, from: u64) -> Result<Option<Place>, rusqlite::Error> {
        let query = "SELECT seq, at < ?3, incident IS NULL FROM events WHERE seq > ?1 AND seq <= ?2
            ORDER BY seq LIMIT ?4";
        let looked_at: Vec<(u64, bool, bool)> = self
            .transaction
            .prepare_cached(query)?
            .query_map(params![from, self.covered, self.before, YOUNG_IN_A_ROW as u64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut place = from;
        for (seq, is_old, is_of_none) in &looked_at {
            if *is_old && *is_of_none {
                if self.budget == 0 {
                    return Ok(Some(Place::Event { seq: place }));
                }
                self.budget -= 1;
                self.event(*seq, &owner(None, *seq))?;
            }
            place = *seq;
        }
        let goes_on = looked_at.len() == YOUNG_IN_A_ROW && looked_at.iter().any(|(_, is_old, _)| *is_old);
        Ok(goes_on.then_some(Place::Event { seq: place }))
    }

    /// Deletes an event, its reference, and the bytes that nobody else refers to.
    fn event(&self, seq: u64, owner: &str) -> Result<(), rusqlite::Error> {
        let mut delete =
            self.transaction.prepare_cached("DELETE FROM events WHERE seq = ? RETURNING stored")?;
        let stored: String = delete.query_row([seq], |row| row.get(0))?;
        // One that can't be read refers to nothing.
        let Ok(stored) = serde_json::from_str::<StoredAs>(&stored) else { return Ok(()) };
        let Some(blob) = stored.event.blob() else { return Ok(()) };
        let query = "DELETE FROM blob_references WHERE sha256 = ? AND owner = ?";
        self.transaction.prepare_cached(query)?.execute(params![blob.sha256, owner])?;
        let query = "DELETE FROM blobs WHERE sha256 = ?1
            AND NOT EXISTS (SELECT 1 FROM blob_references WHERE sha256 = ?1)";
        self.transaction.prepare_cached(query)?.execute([&blob.sha256])?;
        Ok(())
    }
}
