//! What a rollout knows of its alerts, bounded.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::{Alert, AlertStatus, Fingerprint};

/// How many alerts a rollout remembers once they have resolved. A storm of ever new label sets must
/// not grow the state without bound; what falls out is the oldest resolve, needed only to spot stale
/// messages. Firing ones are never forgotten.
const MAX_RESOLVED_ALERTS: usize = 2_000;

/// What is known of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertState {
    /// The last message that changed anything.
    pub alert: Alert,
    /// The latest `endsAt` of a resolve.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The earliest instant at which it can have begun, where its own times can't be believed.
    #[serde(default)]
    pub not_before: Option<DateTime<Utc>>,
}

type Stored = BTreeMap<Fingerprint, Arc<AlertState>>;

/// Alerts by identity, firing and recently resolved; read as a map. Every commit leaves the state
/// before it to those who still read it, so a copy must not cost what thousands of alerts cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct KnownAlerts {
    alerts: OrdMap<Fingerprint, Arc<AlertState>>,
    /// The resolved ones, the oldest first: looking for it among thousands for every alert of a
    /// storm would cost their square.
    resolved: OrdSet<(Option<DateTime<Utc>>, Fingerprint)>,
}

impl KnownAlerts {
    /// Records the last message about an alert.
    pub(super) fn see(&mut self, alert: &Alert, not_before: Option<DateTime<Utc>>) {
        let earlier = self.alerts.get(&alert.fingerprint).and_then(|known| known.resolved_at);
        let resolved_at = match alert.status {
            AlertStatus::Firing => earlier,
            AlertStatus::Resolved => earlier.max(alert.ends_at),
        };
        self.resolved.remove(&(earlier, alert.fingerprint.clone()));
        if alert.status == AlertStatus::Resolved {
            self.resolved.insert((resolved_at, alert.fingerprint.clone()));
        }
        let state = AlertState { alert: alert.clone(), resolved_at, not_before };
        self.alerts.insert(alert.fingerprint.clone(), Arc::new(state));
        if self.resolved.len() > MAX_RESOLVED_ALERTS
            && let Some(oldest) = self.resolved.get_min().cloned()
        {
            self.resolved.remove(&oldest);
            self.alerts.remove(&oldest.1);
        }
    }

    /// The clock was set; what is compared with it moves along.
    pub(super) fn clock_stepped(&mut self, by: TimeDelta) {
        let doubted = self.alerts.iter().filter(|(_, known)| known.not_before.is_some());
        let moved: Vec<_> =
            doubted.map(|(fingerprint, known)| (fingerprint.clone(), Arc::clone(known))).collect();
        for (fingerprint, mut known) in moved {
            let state = Arc::make_mut(&mut known);
            state.not_before = state.not_before.map(|at| at + by);
            self.alerts.insert(fingerprint, known);
        }
    }
}

impl Deref for KnownAlerts {
    type Target = OrdMap<Fingerprint, Arc<AlertState>>;
    fn deref(&self) -> &Self::Target {
        &self.alerts
    }
}

impl From<Stored> for KnownAlerts {
    fn from(alerts: Stored) -> Self {
        let resolved = alerts
            .iter()
            .filter(|(_, known)| known.alert.status == AlertStatus::Resolved)
            .map(|(fingerprint, known)| (known.resolved_at, fingerprint.clone()))
            .collect();
        Self { alerts: alerts.into(), resolved }
    }
}

impl From<KnownAlerts> for Stored {
    fn from(known: KnownAlerts) -> Self {
        known.alerts.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(number: i64, status: AlertStatus) -> Alert {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(number);
        Alert {
            fingerprint: Fingerprint::new(format!("{number:016x}")),
            status,
            labels: [("alertname".to_owned(), format!("A{number}"))].into_iter().collect(),
            annotations: super::super::Labels::default(),
            starts_at: at,
            ends_at: (status == AlertStatus::Resolved).then_some(at),
            generator_url: String::new(),
        }
    }

    #[test]
    fn the_oldest_resolves_are_forgotten_and_no_alert_that_fires() {
        let mut known = KnownAlerts::default();
        let most = i64::try_from(MAX_RESOLVED_ALERTS).expect("few");
        known.see(&alert(-1, AlertStatus::Firing), None);
        for number in 0..most + 5 {
            known.see(&alert(number, AlertStatus::Firing), None);
        }
        assert_eq!(known.len(), MAX_RESOLVED_ALERTS + 6, "all of them fire");
        for number in (0..most + 5).rev() {
            known.see(&alert(number, AlertStatus::Resolved), None);
        }
        assert_eq!(known.len(), MAX_RESOLVED_ALERTS + 1);
        let kept = |number: i64| known.contains_key(&Fingerprint::new(format!("{number:016x}")));
        assert!(kept(-1) && kept(most + 4) && kept(5) && !kept(4) && !kept(0));
        known.see(&alert(5, AlertStatus::Firing), None);
        known.see(&alert(most + 9, AlertStatus::Resolved), None);
        assert!(known.contains_key(&alert(5, AlertStatus::Firing).fingerprint), "it fires again");

        let text = serde_json::to_string(&known).expect("serialised");
        assert_eq!(serde_json::from_str::<KnownAlerts>(&text).expect("read"), known);
    }
}
