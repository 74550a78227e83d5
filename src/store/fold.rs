//! Folding stored events back into incidents and states.

use std::collections::BTreeMap;

use crate::incident::{Event, Incident, RolloutName, RolloutState, StoredAs};

/// Folds the events of one incident. `None` when they do not begin with its opening.
pub(super) fn incident<'a>(events: impl IntoIterator<Item = &'a StoredAs>) -> Option<Incident> {
    let mut folded: Option<Incident> = None;
    for stored in events {
        match (&stored.event, &mut folded, &stored.incident) {
            (Event::IncidentOpened(opened), None, Some(id)) => {
                folded = Some(Incident::open(id.clone(), stored.rollout.clone(), stored.at, opened.clone()));
            }
            (event, Some(incident), _) => incident.apply(stored.at, event),
            (_, None, _) => {}
        }
    }
    folded
}

/// Applies one event to the state of its rollout.
pub(super) fn apply(rollouts: &mut BTreeMap<RolloutName, RolloutState>, stored: &StoredAs) {
    rollouts.entry(stored.rollout.clone()).or_default().apply(stored);
}
