//! The alerts of one incident, bounded.

use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::{AlertStatus, AttachedAlert, Fingerprint};

/// The alerts that one incident carries. One alert is reason enough; a storm of ten thousand label
/// sets would only bury it. The others are in the store as seen.
const MAX_ALERTS: usize = 1_000;

type List = Vec<Arc<AttachedAlert>>;

/// Each alert once, in the order they came; read as a slice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "List", into = "List")]
pub struct AttachedAlerts {
    list: List,
    /// Where in the list each one is: a storm asks for every alert of it.
    places: OrdMap<Fingerprint, usize>,
}

impl AttachedAlerts {
    /// The alert by its identity, as last attached or resolved.
    #[must_use]
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<&AttachedAlert> {
        self.places.get(fingerprint).map(|place| self.list[*place].as_ref())
    }

    /// Whether it carries as many alerts as it may: any other is left out.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_ALERTS
    }

    /// Adds the alert, or puts it in its earlier self's place. One too many is left out.
    pub(super) fn attach(&mut self, attached: &AttachedAlert) {
        let fingerprint = &attached.alert.fingerprint;
        match self.places.get(fingerprint) {
            Some(place) => self.list[*place] = Arc::new(attached.clone()),
            None if self.is_full() => {}
            None => {
                self.places.insert(fingerprint.clone(), self.list.len());
                self.list.push(Arc::new(attached.clone()));
            }
        }
    }

    /// Marks the alert as resolved, if it is carried.
    pub(super) fn resolve(&mut self, fingerprint: &Fingerprint, ends_at: DateTime<Utc>) {
        if let Some(place) = self.places.get(fingerprint) {
            let known = Arc::make_mut(&mut self.list[*place]);
            known.alert.ends_at = Some(ends_at);
            known.alert.status = AlertStatus::Resolved;
        }
    }
}

impl Deref for AttachedAlerts {
    type Target = [Arc<AttachedAlert>];
    fn deref(&self) -> &Self::Target {
        &self.list
    }
}

impl From<List> for AttachedAlerts {
    fn from(list: List) -> Self {
        let places =
            list.iter().enumerate().map(|(at, known)| (known.alert.fingerprint.clone(), at)).collect();
        Self { list, places }
    }
}

impl From<AttachedAlerts> for List {
    fn from(attached: AttachedAlerts) -> Self {
        attached.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::fixtures::{firing, opened_by_warning};
    use crate::incident::{Event, Incident, IncidentId, OpenedIncident, Reason, RolloutName};

    fn attached(number: usize, severity: &str) -> AttachedAlert {
        let alert = firing(&format!("{number:016x}"), &[("severity", severity)], DateTime::UNIX_EPOCH);
        AttachedAlert { alert, received_at: DateTime::UNIX_EPOCH, reason: Reason::JoinedGrace, body: None }
    }

    #[test]
    fn a_full_incident_takes_only_what_changes_it() {
        let alert = Some(attached(0, "warning"));
        let opened = OpenedIncident { alert, ..opened_by_warning("Latency") };
        let at = DateTime::UNIX_EPOCH;
        let mut incident = Incident::open(IncidentId::new("i"), RolloutName::new("r"), at, opened);
        for number in 1..MAX_ALERTS {
            let next = attached(number, "warning");
            assert!(incident.takes(&next.alert), "{number} of {MAX_ALERTS}");
            incident.apply(at, &Event::AlertAttached(next.clone()));
            assert!(!incident.takes(&next.alert), "the same again");
        }
        let another = attached(MAX_ALERTS, "warning");
        assert!(!incident.takes(&another.alert), "it would be left out, now and at each repeat");
        incident.apply(at, &Event::AlertAttached(another.clone()));
        assert_eq!(incident.alerts.len(), MAX_ALERTS);
        assert!(incident.takes(&attached(MAX_ALERTS, "critical").alert), "it is more urgent");
        let first = attached(0, "warning");
        incident
            .apply(at, &Event::AlertResolved { fingerprint: first.alert.fingerprint.clone(), ends_at: at });
        assert!(incident.takes(&first.alert), "it fires again");
    }
}
