//! Looks at the world between webhooks: the share of each canary, the alerts that Alertmanager
//! lists, and, after a time when nobody was there, what Prometheus remembers of it.
//!
//! A webhook can be lost for good (reference notes on Alertmanager, section 0, findings 1 and 2), so
//! the list is asked every poll and goes the same way as a webhook.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Rollout, Submission, Worker};
use crate::clock::Clock;
use crate::decision::{Confirmation, Input, Mode, weigh};
use crate::incident::{Alert, AlertStatus, Fingerprint, Labels, RolloutName};
use crate::signals::{Alertmanager, Prometheus};

/// Tries to get an answer before a grace is decided without one (reference notes on Alertmanager,
/// section 5: three tries of five seconds).
const CONFIRM_TRIES: u32 = 3;
/// The pause between two of them.
const CONFIRM_PAUSE: Duration = Duration::from_secs(1);

/// The longest time back that is asked of Prometheus after a downtime: a canary of the protocol
/// lives 60 to 90 minutes, so what is older is about another one.
const LONGEST_LOOK_BACK: TimeDelta = TimeDelta::hours(6);
/// Added to the downtime, for clocks that differ and a last sign of life that is not the last.
const LOOK_BACK_MARGIN: TimeDelta = TimeDelta::minutes(1);

/// How often the process leaves a sign of life in the store.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
/// How often closed incidents that are past their retention are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// The monitoring systems.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Every member of the Alertmanager cluster.
    pub alertmanagers: Vec<Alertmanager>,
    /// Prometheus, if configured.
    pub prometheus: Option<Prometheus>,
    /// The name of the always-firing alert.
    pub watchdog: String,
}

impl Sources {
    /// Asks everybody about these alerts, a bounded number of times, and weighs the answers.
    pub async fn confirm(
        &self,
        matching: &BTreeMap<String, String>,
        alerts: &[Alert],
        clock: &dyn Clock,
    ) -> (Confirmation, Vec<String>) {
        let wanted: Vec<_> = alerts.iter().map(|alert| alert.fingerprint.clone()).collect();
        let mut tries = 0;
        loop {
            tries += 1;
            let (answer, answers) = self.ask(matching, alerts, &wanted, clock).await;
            if answer != Confirmation::NoAnswer || tries >= CONFIRM_TRIES {
                return (answer, answers);
            }
            tokio::time::sleep(CONFIRM_PAUSE).await;
        }
    }

    async fn ask(
        &self,
        matching: &BTreeMap<String, String>,
        alerts: &[Alert],
        wanted: &[Fingerprint],
        clock: &dyn Clock,
    ) -> (Confirmation, Vec<String>) {
        let now = clock.now();
        let mut answers = Vec::new();
        let mut readings = Vec::new();
        for alertmanager in &self.alertmanagers {
            let listing = alertmanager.list(matching, &self.watchdog).await;
            answers.push(match &listing {
                Ok(listing) => format!(
                    "{} lists {} of {}, Watchdog {}, up since {}",
                    alertmanager.address(),
                    listing.reading.listed.iter().filter(|alert| wanted.contains(&alert.fingerprint)).count(),
                    wanted.len(),
                    if listing.reading.watchdog_active { "alive" } else { "missing" },
                    listing.reading.started_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                ),
                Err(error) => format!("{} gave no answer: {error}", alertmanager.address()),
            });
            readings.push(listing.ok().map(|listing| listing.reading));
        }
        let prometheus = match &self.prometheus {
            None => None,
            Some(prometheus) => {
                let reading = prometheus.reading(alerts, now).await;
                answers.push(match &reading {
                    Ok(reading) => format!("Prometheus: {reading:?}"),
                    Err(error) => format!("Prometheus gave no answer: {error}"),
                });
                Some(reading.ok())
            }
        };
        (weigh(wanted, &readings, prometheus, now), answers)
    }
}

/// The watcher.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// What it shares with the worker.
    pub worker: Worker,
    /// How often it looks.
    pub every: Duration,
    /// Wakes it at once: a webhook said that its list was cut.
    pub wake: Arc<Notify>,
    /// When the process before this one was last alive.
    pub last_alive: Option<DateTime<Utc>>,
    /// How long closed incidents are kept.
    pub retention: TimeDelta,
}

impl Watcher {
    /// Looks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let look = async {
            self.catch_up().await;
            loop {
                self.look().await;
                tokio::select! {
                    () = tokio::time::sleep(self.every) => {}
                    () = self.wake.notified() => {}
                }
            }
        };
        let alive = async {
            loop {
                self.leave_sign_of_life().await;
                tokio::time::sleep(ALIVE_EVERY).await;
            }
        };
        let prune = async {
            loop {
                self.prune().await;
                tokio::time::sleep(PRUNE_EVERY).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = async { tokio::join!(look, alive, prune); } => {}
        }
    }

    /// Reads every share, asks every Alertmanager.
    async fn look(&self) {
        for rollout in self.worker.rollouts.iter() {
            // Also without a place to read from: it lets the Watchdog's silence be noticed.
            self.worker.read_share(rollout).await;
            self.worker.report(&rollout.name, Input::Tick).await;
        }
        for alertmanager in &self.worker.sources.alertmanagers {
            for rollout in self.worker.rollouts.iter() {
                self.reconcile(alertmanager, rollout).await;
            }
        }
    }

    async fn reconcile(&self, alertmanager: &Alertmanager, rollout: &Rollout) {
        let listing = alertmanager.list(&rollout.policy.matching, &self.worker.sources.watchdog).await;
        let now = self.worker.clock.now();
        self.worker.metrics.reconciled(&alertmanager.address(), now, listing.is_ok());
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                tracing::warn!(alertmanager = alertmanager.address(), error, "reconciliation failed");
                return;
            }
        };
        if listing.reading.watchdog_active {
            self.worker.observed.watchdog_heard(now);
        }
        let inputs: Vec<_> = listing
            .alerts
            .into_iter()
            .map(|alert| (rollout.name.clone(), Input::Alert { alert, body: None }))
            .collect();
        if inputs.is_empty() {
            return;
        }
        // Not insisted upon: the next poll brings them again.
        if let Err(error) = self.worker.journal.submit(Submission { inputs, blobs: Vec::new() }).await {
            tracing::warn!(%error, "reconciled alerts were not taken; the next poll brings them again");
        }
    }

    /// What fired while nobody was there, and perhaps resolved, is only in Prometheus.
    async fn catch_up(&self) {
        let Some(prometheus) = &self.worker.sources.prometheus else { return };
        let Some(last_alive) = self.last_alive else { return };
        let now = self.worker.clock.now();
        let look_back = (now - last_alive + LOOK_BACK_MARGIN).clamp(LOOK_BACK_MARGIN, LONGEST_LOOK_BACK);
        for rollout in self.worker.rollouts.iter().filter(|rollout| rollout.policy.mode != Mode::Off) {
            self.worker.read_share(rollout).await;
            let selector: Vec<_> = rollout
                .policy
                .matching
                .iter()
                .map(|(name, value)| format!("{name}={}", serde_json::Value::from(value.as_str())))
                .collect();
            // A second's steps: an alert that fired for one evaluation only must not fall between two.
            let query = format!(
                "max_over_time(timestamp(ALERTS{{alertstate=\"firing\",severity=\"critical\",{}}})[{}s:1s])",
                selector.join(","),
                look_back.num_seconds(),
            );
            match prometheus.query(&query).await {
                Ok(samples) => {
                    for sample in samples {
                        self.missed(&rollout.name, sample.labels, sample.value, last_alive).await;
                    }
                }
                Err(error) => {
                    self.worker.metrics.reconciled("prometheus", now, false);
                    tracing::warn!(rollout = %rollout.name, error, "what fired while Backstop was down is not known");
                }
            }
        }
    }

    async fn missed(
        &self,
        rollout: &RolloutName,
        mut labels: BTreeMap<String, String>,
        fired_at_seconds: f64,
        last_alive: DateTime<Utc>,
    ) {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit")]
        let Some(starts_at) = DateTime::from_timestamp_millis((fired_at_seconds * 1_000.0) as i64) else {
            return;
        };
        // What fired while the last process was there, it has seen.
        if starts_at <= last_alive {
            return;
        }
        labels.remove("alertstate");
        labels.remove("__name__");
        let name = labels.get("alertname").cloned().unwrap_or_default();
        let alert = Alert {
            // Prometheus doesn't know the external labels, so Alertmanager's fingerprint can't be had.
            fingerprint: Fingerprint::new(format!("missed:{name}")),
            status: AlertStatus::Firing,
            labels: labels.into(),
            annotations: Labels::default(),
            starts_at,
            ends_at: None,
            generator_url: String::new(),
        };
        self.worker.report(rollout, Input::Missed { alert }).await;
    }

    async fn leave_sign_of_life(&self) {
        if let Err(error) = self.worker.store.alive(self.worker.clock.now()).await {
            tracing::warn!(error = crate::logging::chain(&error), "no sign of life could be stored");
        }
    }

    async fn prune(&self) {
        let before = self.worker.clock.now() - self.retention;
        match self.worker.store.prune(before).await {
            Ok(0) => {}
            Ok(pruned) => tracing::info!(pruned, "closed incidents past their retention were removed"),
            Err(error) => tracing::warn!(error = crate::logging::chain(&error), "nothing could be pruned"),
        }
    }
}
