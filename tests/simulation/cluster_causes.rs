//! One incident for each cause: whatever ends in between, what was rolled back once is not rolled back again
//! for the same alert, unless the canary was given traffic again.

use std::collections::BTreeMap;

use backstop::incident::{Event, Fingerprint, IncidentId, Revision, StoredAs};
use chrono::{DateTime, Utc};

use crate::promises::Promise;

/// What a rollback was begun for: an alert, by the time at which it began to fire, and the revision that the
/// incident is about.
type Cause = (Fingerprint, DateTime<Utc>, Revision);

/// The causes that are stored, and what became of their incidents.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    /// Since when each alert fires, as it was last told.
    fires_since: BTreeMap<Fingerprint, DateTime<Utc>>,
    about: BTreeMap<IncidentId, Revision>,
    rolled_back_for: BTreeMap<Cause, IncidentId>,
    ended_at: BTreeMap<IncidentId, DateTime<Utc>>,
}

impl Causes {
    /// An event became durable; somebody last gave the canary traffic, or took stable's pods away, at `given_at`.
    pub(crate) fn stored(&mut self, stored: &StoredAs, given_at: Option<DateTime<Utc>>) -> Promise {
        if let Event::AlertSeen { alert, .. } = &stored.event {
            self.fires_since.insert(alert.fingerprint.clone(), alert.starts_at);
        }
        let Some(id) = &stored.incident else { return Ok(()) };
        match &stored.event {
            Event::IncidentOpened(opened) => {
                self.about.insert(id.clone(), opened.revision.clone());
            }
            Event::RolledBack | Event::Closed { .. } => {
                self.ended_at.insert(id.clone(), stored.at);
            }
            Event::RollbackStarted { attempt: 1, cause: Some(cause), .. } => {
                let since = cause.alert.as_ref().and_then(|alert| self.fires_since.get_key_value(alert));
                let (Some((alert, since)), Some(about)) = (since, self.about.get(id)) else { return Ok(()) };
                let cause = (alert.clone(), *since, about.clone());
                let Some(before) = self.rolled_back_for.insert(cause, id.clone()) else { return Ok(()) };
                let ended_at = self.ended_at.get(&before);
                let is_back = ended_at.is_some_and(|ended_at| given_at.is_some_and(|at| at > *ended_at));
                promise!(
                    is_back,
                    "{id} is a second rollback for {alert}, firing since {since}: {before} ended at {ended_at:?}, and nobody gave the canary traffic after {given_at:?}"
                );
            }
            _ => {}
        }
        Ok(())
    }
}
