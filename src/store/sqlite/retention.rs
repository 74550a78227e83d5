//! Forgetting what is past its retention, a little at a time: an append waits for one transaction
//! of it and not for all.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Transaction, params};

use super::rows::{owner, text};
use super::schema::failed;
use crate::store::StoreError;

/// Events that go in one transaction. It takes a few milliseconds, and that is how much later a
/// webhook is answered that comes in the middle of it.
const EVENTS_AT_ONCE: usize = 200;

/// The last closed incident that was looked at, in the order of closing.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    closed_at: String,
    id: String,
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
        let mut some = Forgetting { transaction, before: text(before), covered, budget: EVENTS_AT_ONCE };
        let done = some.incidents(from)?;
        some.transaction.commit()?;
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
    fn incidents(&mut self, from: Place) -> Result<Forgotten, rusqlite::Error> {
        let mut some = Forgotten { incidents: 0, next: None };
        let mut place = from;
        while let Some((next, may_go)) = self.after(&place)? {
            if may_go {
                if !self.incident(&next.id)? {
                    // Its rest goes in the next transaction.
                    some.next = Some(place);
                    return Ok(some);
                }
                some.incidents += 1;
            } else {
                // Looked at only: bounded all the same.
                self.budget = self.budget.saturating_sub(1);
            }
            place = next;
            if self.budget == 0 {
                some.next = Some(place);
                return Ok(some);
            }
        }
        let whole = self.events_of_no_incident()?;
        some.next = (!whole).then_some(place);
        Ok(some)
    }

    /// The next incident that closed long enough ago, and whether all its events may go.
    fn after(&self, place: &Place) -> Result<Option<(Place, bool)>, rusqlite::Error> {
        let query = "SELECT closed_at, id, NOT EXISTS
                (SELECT 1 FROM events WHERE incident = incidents.id AND (seq > ?4 OR at >= ?3))
            FROM incidents WHERE closed_at < ?3 AND (closed_at, id) > (?1, ?2)
            ORDER BY closed_at, id LIMIT 1";
        let mut statement = self.transaction.prepare_cached(query)?;
        let mut rows = statement.query(params![place.closed_at, place.id, self.before, self.covered])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let next = Place { closed_at: row.get(0)?, id: row.get(1)? };
        Ok(Some((next, row.get(2)?)))
    }

    /// Deletes the incident's events, the oldest first, so that what is left is no incident to
    /// anybody; then itself. Whether all of it is gone.
    fn incident(&mut self, id: &str) -> Result<bool, rusqlite::Error> {
        let query = "DELETE FROM events WHERE seq IN
            (SELECT seq FROM events WHERE incident = ? ORDER BY seq LIMIT ?)";
        let gone = self.transaction.prepare_cached(query)?.execute(params![id, self.budget as u64])?;
        let spent = gone >= self.budget;
        self.budget -= gone.min(self.budget);
        if spent {
            let query = "SELECT EXISTS (SELECT 1 FROM events WHERE incident = ?)";
            if self.transaction.prepare_cached(query)?.query_row([id], |row| row.get(0))? {
                return Ok(false);
            }
        }
        self.references_of(id)?;
        self.transaction.prepare_cached("DELETE FROM incidents WHERE id = ?")?.execute([id])?;
        Ok(true)
    }

    /// Whether none is left.
    fn events_of_no_incident(&mut self) -> Result<bool, rusqlite::Error> {
        let query = "DELETE FROM events WHERE seq IN
            (SELECT seq FROM events WHERE incident IS NULL AND at < ? AND seq <= ? LIMIT ?) RETURNING seq";
        let gone: Vec<u64> = self
            .transaction
            .prepare_cached(query)?
            .query_map(params![self.before, self.covered, self.budget as u64], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for seq in &gone {
            self.references_of(&owner(None, *seq))?;
        }
        Ok(gone.len() < self.budget)
    }

    /// Deletes an owner's references, and the bytes that nobody else refers to.
    fn references_of(&self, owner: &str) -> Result<(), rusqlite::Error> {
        let query = "DELETE FROM blob_references WHERE owner = ? RETURNING sha256";
        let named: Vec<String> = self
            .transaction
            .prepare_cached(query)?
            .query_map([owner], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for sha256 in named {
            let query = "DELETE FROM blobs WHERE sha256 = ?1
                AND NOT EXISTS (SELECT 1 FROM blob_references WHERE sha256 = ?1)";
            self.transaction.prepare_cached(query)?.execute([sha256])?;
        }
        Ok(())
    }
}
