//! Since when the trouble lasts that a grace is about.

use backstop::incident::{Alert, IncidentId, Severity};
use chrono::{DateTime, Utc};

use crate::ledger::Ledger;
use crate::monitoring::number;
use crate::process::GRACE;

impl Ledger {
    /// An alert opened the incident or joined it.
    pub(crate) fn attached(&mut self, id: &IncidentId, alert: &Alert) {
        let began = self.reopened(id, alert).map_or(alert.starts_at, |earlier| earlier.min(alert.starts_at));
        let Some(told) = self.incidents.get_mut(id) else { return };
        told.alerts.extend(number(alert));
        let first = told.alerts.len() == 1;
        told.warned_at = match (alert.severity(), told.warned_at) {
            (Severity::Warning, None) if first => Some(began),
            (Severity::Warning, Some(earlier)) => Some(earlier.min(began)),
            _ => None,
        };
    }

    /// When the trouble began that was over for less than a grace's time: the first deadline counts.
    fn reopened(&self, id: &IncidentId, alert: &Alert) -> Option<DateTime<Utc>> {
        let of_alert = |alerts: &std::collections::BTreeSet<u8>| {
            number(alert).is_some_and(|number| alerts.contains(&number))
        };
        let earlier = self.incidents.iter().filter(|(other, told)| *other != id && of_alert(&told.alerts));
        let lately =
            earlier.filter(|(_, told)| told.recovered_at.is_some_and(|at| alert.starts_at <= at + GRACE));
        lately.filter_map(|(_, told)| told.warned_at).min()
    }
}
