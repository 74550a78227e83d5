//! The alerts that Alertmanager lists, compared with those that are known.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::unlisted::Unlisted;
use super::{Rollout, Submission, Watcher};
use crate::clock::Moment;
use crate::decision::{AlertmanagerReading, Confirmation, Input, weigh};
use crate::incident::{Alert, AlertStatus, Fingerprint, RolloutName};
use crate::signals::{Listing, SignalError};
use crate::text::shown;

/// Alerts that are resolved in one poll because nobody lists them: each is one more question to
/// Prometheus, and none is urgent.
const RESOLVED_AT_ONCE: usize = 10;

impl Watcher {
    /// Asks every Alertmanager for the rollout's alerts, and sends them the way of a webhook.
    pub(super) async fn reconcile(&self, rollout: &Rollout, unlisted: Option<&Mutex<Unlisted>>) {
        let sources = &self.worker.sources;
        let asked_at = Asked { moment: self.worker.observed.moment(), time: self.worker.clock.now() };
        let mut readings = Vec::new();
        let mut inputs = Vec::new();
        for (address, listing) in sources.list(&rollout.policy.matching, self.worker.clock.as_ref()).await {
            if let Some(Listing { alerts, reading, clock }) = self.heard(&address, listing) {
                if let Some(theirs) = clock {
                    self.worker.observed.clock_of(&address, theirs, self.worker.clock.now());
                }
                let input = |alert: Alert| {
                    let alert = alert.read_with(&sources.severities.words);
                    sources.severities.check(&alert);
                    (rollout.name.clone(), Input::Alert { alert, body: None })
                };
                inputs.extend(alerts.into_iter().map(input));
                readings.push(Some(reading));
            }
        }
        self.submit(inputs).await;
        self.worker.observed.alerts_asked(&rollout.name);
        // Only all of them together know that something is not listed.
        if readings.is_empty() || readings.len() < sources.alertmanagers.len() {
            if let Some(unlisted) = unlisted {
                lock(unlisted).start_over();
            }
            return;
        }
        let listed: BTreeSet<_> = readings
            .iter()
            .flatten()
            .flat_map(|reading| &reading.listed)
            .map(|alert| alert.fingerprint.clone())
            .collect();
        if let Some(unlisted) = unlisted {
            self.resolve_unlisted(rollout, unlisted, &readings, &listed, asked_at).await;
        }
        self.worker.observed.listed(&rollout.name, asked_at.moment, listed);
    }

    /// What one member's answer is besides its list.
    fn heard(&self, address: &str, listing: Result<Listing, SignalError>) -> Option<Listing> {
        self.worker.metrics.reconciled(address, self.worker.clock.now(), listing.is_ok());
        match listing {
            Ok(listing) => {
                for watchdog in &listing.reading.watchdogs {
                    self.worker.observed.watchdog_heard(watchdog);
                }
                Some(listing)
            }
            Err(error) => {
                tracing::warn!(alertmanager = address, %error, "reconciliation failed");
                None
            }
        }
    }

    async fn submit(&self, inputs: Vec<(RolloutName, Input)>) {
        if inputs.is_empty() {
            return;
        }
        // Not insisted upon: the next poll brings them again.
        if let Err(error) = self.worker.journal.submit(Submission { inputs, blobs: Vec::new() }).await {
            tracing::warn!(%error, "reconciled alerts were not stored; the next poll brings them again");
        }
    }

    /// Resolves what is known as firing and listed by nobody any more, where that can be trusted.
    async fn resolve_unlisted(
        &self,
        rollout: &Rollout,
        unlisted: &Mutex<Unlisted>,
        readings: &[Option<AlertmanagerReading>],
        listed: &BTreeSet<Fingerprint>,
        asked_at: Asked,
    ) {
        if !readings.iter().flatten().all(AlertmanagerReading::is_old_enough) {
            lock(unlisted).start_over();
            return;
        }
        let known = self.known(rollout);
        let firing = known.iter().filter(|alert| alert.status == AlertStatus::Firing);
        let overdue = lock(unlisted).note(firing, listed, asked_at.moment);
        let mut inputs = Vec::new();
        for alert in overdue.into_iter().take(RESOLVED_AT_ONCE) {
            let one = std::slice::from_ref(&alert);
            let sources = &self.worker.sources;
            let prometheus = sources.prometheus_says(one, self.worker.clock.as_ref()).await;
            let prometheus = prometheus.map(|(reading, _)| reading);
            if weigh(one, &sources.watchdog, readings, prometheus) != Confirmation::Gone {
                continue;
            }
            tracing::info!(rollout = %rollout.name, alert = shown(alert.name()), "it is listed nowhere any more and its resolve never came: taken as resolved");
            // Whoever dated its beginning may have another clock.
            let ends_at = asked_at.time.max(alert.starts_at + TimeDelta::milliseconds(1));
            let alert = Alert { status: AlertStatus::Resolved, ends_at: Some(ends_at), ..alert };
            inputs.push((rollout.name.clone(), Input::Alert { alert, body: None }));
        }
        self.submit(inputs).await;
    }
}

/// When a question was asked, by both clocks.
#[derive(Debug, Clone, Copy)]
struct Asked {
    moment: Moment,
    time: DateTime<Utc>,
}

fn lock(unlisted: &Mutex<Unlisted>) -> std::sync::MutexGuard<'_, Unlisted> {
    unlisted.lock().unwrap_or_else(PoisonError::into_inner)
}
