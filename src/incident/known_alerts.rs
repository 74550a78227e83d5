//! What a rollout knows of its alerts, bounded.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::{Alert, AlertStatus, Fingerprint, Severity};

/// How many alerts a rollout remembers once they have resolved. A storm of ever new label sets must
/// not grow the state without bound; what falls out is the oldest resolve, needed only to spot stale
/// messages.
const MAX_RESOLVED_ALERTS: usize = 2_000;

/// How many firing alerts a rollout remembers: twice the largest storm that is known, in one body
/// (10,000). What falls out is the least urgent and oldest; if it is sent again it is news again, and
/// acted upon as such. Without a bound, label sets that never resolve fill the memory.
const MAX_FIRING_ALERTS: usize = 20_000;

/// The memory of those alerts, in bytes: a storm of 10,000 with the usual labels takes 25 MB.
const MAX_FIRING_BYTES: usize = 64 << 20;

/// More than one alert takes: an edge that reads webhooks keeps 16 KiB of labels, as much of annotations.
const MAX_ALERT_BYTES: usize = 64 << 10;

/// The last message about one alert, and when it last resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertState {
    /// The last message that changed anything.
    pub alert: Alert,
    /// The latest `endsAt` of a resolve.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The earliest instant at which it can have begun, where its own times can't be believed.
    #[serde(default)]
    pub not_before: Option<DateTime<Utc>>,
    /// When it was first reported as firing since it last began, on our clock: it can't have begun later,
    /// whatever its sender's clock or ours shows by now. `None` in states of older versions.
    #[serde(default)]
    pub first_reported_at: Option<DateTime<Utc>>,
}

impl AlertState {
    /// Whether this message is about the time of firing that is known. A later start is a new one,
    /// whose predecessor's end was lost.
    #[must_use]
    pub fn goes_on_with(&self, alert: &Alert) -> bool {
        self.alert.status == AlertStatus::Firing && alert.starts_at <= self.alert.starts_at
    }
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
    /// The firing ones, the least urgent first, and of those the oldest.
    firing: OrdSet<(Severity, DateTime<Utc>, Fingerprint)>,
    /// [`Alert::weight`] of the firing ones together.
    firing_bytes: usize,
}

impl KnownAlerts {
    /// Records the last message about an alert, and forgets what exceeds the bounds by it.
    pub(super) fn see(&mut self, at: DateTime<Utc>, alert: &Alert, not_before: Option<DateTime<Utc>>) {
        let known = self.forget(&alert.fingerprint);
        let earlier = known.as_ref().and_then(|known| known.resolved_at);
        let resolved_at = match alert.status {
            AlertStatus::Firing => earlier,
            AlertStatus::Resolved => earlier.max(alert.ends_at),
        };
        let first_reported_at = match known {
            Some(known) if known.goes_on_with(alert) => known.first_reported_at,
            _ => Some(at),
        };
        let alert = alert.clone();
        self.remember(Arc::new(AlertState { alert, resolved_at, not_before, first_reported_at }));
        if self.resolved.len() > MAX_RESOLVED_ALERTS
            && let Some((_, oldest)) = self.resolved.get_min().cloned()
        {
            self.forget(&oldest);
        }
        while self.firing.len() > MAX_FIRING_ALERTS || self.firing_bytes > MAX_FIRING_BYTES {
            let Some((.., least)) = self.firing.get_min().cloned() else { break };
            self.forget(&least);
        }
    }

    /// Whether an alert that fires anew makes another one be forgotten.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.firing.len() >= MAX_FIRING_ALERTS || self.firing_bytes >= MAX_FIRING_BYTES - MAX_ALERT_BYTES
    }

    fn remember(&mut self, known: Arc<AlertState>) {
        let alert = &known.alert;
        match alert.status {
            AlertStatus::Resolved => {
                self.resolved.insert((known.resolved_at, alert.fingerprint.clone()));
            }
            AlertStatus::Firing => {
                self.firing.insert((alert.severity(), alert.starts_at, alert.fingerprint.clone()));
                self.firing_bytes += alert.weight();
            }
        }
        self.alerts.insert(alert.fingerprint.clone(), known);
    }

    fn forget(&mut self, fingerprint: &Fingerprint) -> Option<Arc<AlertState>> {
        let known = self.alerts.remove(fingerprint)?;
        let alert = &known.alert;
        match alert.status {
            AlertStatus::Resolved => {
                self.resolved.remove(&(known.resolved_at, fingerprint.clone()));
            }
            AlertStatus::Firing => {
                self.firing.remove(&(alert.severity(), alert.starts_at, fingerprint.clone()));
                self.firing_bytes -= alert.weight();
            }
        }
        Some(known)
    }

    /// The clock was set; what is compared with it moves along.
    pub(super) fn clock_stepped(&mut self, by: TimeDelta) {
        let moved = |known: &Arc<AlertState>| {
            let mut known = AlertState::clone(known);
            for at in [&mut known.not_before, &mut known.first_reported_at].into_iter().flatten() {
                *at += by;
            }
            Arc::new(known)
        };
        self.alerts = self.alerts.iter().map(|(name, known)| (name.clone(), moved(known))).collect();
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
        let mut known = Self::default();
        alerts.into_values().for_each(|state| known.remember(state));
        known
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
    use crate::incident::fixtures::firing;

    fn alert(number: i64, status: AlertStatus) -> Alert {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(number);
        let name = format!("A{number}");
        let firing = firing(&format!("{number:016x}"), &[("alertname", &name)], at);
        Alert { status, ends_at: (status == AlertStatus::Resolved).then_some(at), ..firing }
    }

    #[test]
    fn the_oldest_resolves_are_forgotten_and_no_alert_that_fires() {
        let mut known = KnownAlerts::default();
        let most = i64::try_from(MAX_RESOLVED_ALERTS).expect("few");
        known.see(DateTime::UNIX_EPOCH, &alert(-1, AlertStatus::Firing), None);
        for number in 0..most + 5 {
            known.see(DateTime::UNIX_EPOCH, &alert(number, AlertStatus::Firing), None);
        }
        assert_eq!(known.len(), MAX_RESOLVED_ALERTS + 6, "all of them fire");
        for number in (0..most + 5).rev() {
            known.see(DateTime::UNIX_EPOCH, &alert(number, AlertStatus::Resolved), None);
        }
        assert_eq!(known.len(), MAX_RESOLVED_ALERTS + 1);
        let kept = |number: i64| known.contains_key(&Fingerprint::new(format!("{number:016x}")));
        assert!(kept(-1) && kept(most + 4) && kept(5) && !kept(4) && !kept(0));
        known.see(DateTime::UNIX_EPOCH, &alert(5, AlertStatus::Firing), None);
        known.see(DateTime::UNIX_EPOCH, &alert(most + 9, AlertStatus::Resolved), None);
        assert!(known.contains_key(&alert(5, AlertStatus::Firing).fingerprint), "it fires again");

        let text = serde_json::to_string(&known).expect("serialised");
        assert_eq!(serde_json::from_str::<KnownAlerts>(&text).expect("read"), known);
    }

    #[test]
    fn of_too_many_firing_alerts_the_oldest_that_are_not_critical_are_forgotten() {
        let mut known = KnownAlerts::default();
        let critical = |number: i64| {
            let mut alert = alert(number, AlertStatus::Firing);
            alert.mapped_severity = Some(Severity::Critical);
            alert
        };
        let most = i64::try_from(MAX_FIRING_ALERTS).expect("few");
        known.see(DateTime::UNIX_EPOCH, &critical(0), None);
        for number in 1..most {
            known.see(DateTime::UNIX_EPOCH, &alert(number, AlertStatus::Firing), None);
        }
        assert!(known.is_full() && known.len() == MAX_FIRING_ALERTS);
        known.see(DateTime::UNIX_EPOCH, &critical(most), None);
        known.see(DateTime::UNIX_EPOCH, &alert(most + 1, AlertStatus::Firing), None);
        assert_eq!(known.len(), MAX_FIRING_ALERTS);
        let kept = |number: i64| known.contains_key(&Fingerprint::new(format!("{number:016x}")));
        assert!(kept(0) && !kept(1) && !kept(2) && kept(3) && kept(most) && kept(most + 1));
    }

    #[test]
    fn when_an_alert_was_first_reported_stays_until_it_begins_anew() {
        let (mut known, first) = (KnownAlerts::default(), alert(100, AlertStatus::Firing));
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        for (reported_at, starts_at, expected) in
            [(1, 100, 1), (2, 100, 1), (3, 99, 1), (4, 101, 4), (5, 101, 4)]
        {
            known.see(at(reported_at), &Alert { starts_at: at(starts_at), ..first.clone() }, None);
            assert_eq!(known[&first.fingerprint].first_reported_at, Some(at(expected)), "{reported_at}");
        }
    }

    #[test]
    fn firing_alerts_may_fill_their_memory_to_the_last_byte() {
        let of_text = |number: i64, length: usize| {
            let annotations = [("a".to_owned(), "x".repeat(length))].into_iter().collect();
            Alert { annotations, ..alert(number, AlertStatus::Firing) }
        };
        let bytes = |known: &KnownAlerts| -> usize { known.values().map(|known| known.alert.weight()).sum() };
        let mut known = KnownAlerts::default();
        for number in 0..1_050 {
            known.see(DateTime::UNIX_EPOCH, &of_text(number, 60_000), None);
        }
        let left = MAX_FIRING_BYTES - bytes(&known) - of_text(1_050, 0).weight();
        known.see(DateTime::UNIX_EPOCH, &of_text(1_050, left), None);
        assert_eq!((bytes(&known), known.len()), (MAX_FIRING_BYTES, 1_051));
        known.see(DateTime::UNIX_EPOCH, &of_text(1_051, 0), None);
        assert_eq!(known.len(), 1_051, "one byte too many");
    }

    #[test]
    fn firing_alerts_with_large_labels_are_bounded_by_their_memory() {
        let mut known = KnownAlerts::default();
        for number in 0..2_000 {
            assert!(number > 1_000 || !known.is_full(), "{number}");
            let mut alert = alert(number, AlertStatus::Firing);
            alert.annotations = [("a".to_owned(), "x".repeat(60_000))].into_iter().collect();
            known.see(DateTime::UNIX_EPOCH, &alert, None);
        }
        let bytes: usize = known.values().map(|known| known.alert.weight()).sum();
        assert!(bytes <= MAX_FIRING_BYTES && known.len() > 1_000 && known.is_full(), "{bytes}");
        let again: KnownAlerts = Stored::from(known.clone()).into();
        assert_eq!(again, known, "read back it counts the same");
    }
}
