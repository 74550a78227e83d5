//! Looks at the world between webhooks: the share of each canary, the alerts that Alertmanager
//! lists, and, after a time when nobody was there, what Prometheus remembers of it.
//!
//! A webhook can be lost for good (reference notes on Alertmanager, section 0, findings 1 and 2), so
//! the list is asked every poll and goes the same way as a webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Rollout, Submission, Worker};
use crate::decision::{AlertmanagerReading, Input, Mode};
use crate::incident::{Alert, AlertStatus, Fingerprint, Labels, Reason};
use crate::signals::{AlertSource, Listing};

/// The name of Prometheus among the sources of reconciliation.
pub(crate) const PROMETHEUS: &str = "prometheus";

/// Rollouts that are looked at together: enough that one whose systems hang until they time out
/// doesn't make the others' readings stale, few enough to be no storm on a shared Alertmanager.
const ROLLOUTS_AT_ONCE: usize = 8;

/// The longest time back that is asked of Prometheus after a downtime: a canary of the protocol
/// lives 60 to 90 minutes, so what is older is about another one.
const LONGEST_LOOK_BACK: TimeDelta = TimeDelta::hours(6);
/// Added to the downtime, for clocks that differ and a last sign of life that is not the last.
const LOOK_BACK_MARGIN: TimeDelta = TimeDelta::minutes(1);

/// The pause before a missed alert is told again, because it could not be decided.
const MISSED_PAUSE: Duration = Duration::from_millis(250);

/// How often the process leaves a sign of life in the store.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
/// How often closed incidents that are past their retention are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

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
            loop {
                self.look().await;
                tokio::select! {
                    biased;
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep(self.every) => {}
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
            biased;
            () = stop.cancelled() => {}
            // The sign of life first: also a process that lives for a moment leaves one. Nothing waits
            // for it, since the disk may hang.
            () = async { tokio::join!(alive, self.catch_up(), look, prune); } => {}
        }
    }

    /// Reads every share, asks every Alertmanager. One rollout whose systems hang holds up few others.
    async fn look(&self) {
        self.compare_clocks().await;
        futures_util::stream::iter(self.worker.rollouts.iter())
            .for_each_concurrent(ROLLOUTS_AT_ONCE, |rollout| async move {
                // Also without a place to read from: it lets the Watchdog's silence be noticed.
                self.worker.read_share(rollout).await;
                self.worker.report(&rollout.name, Input::Tick).await;
                self.reconcile(rollout).await;
            })
            .await;
        for (source, seconds) in self.worker.observed.clocks_ahead_seconds() {
            self.worker.metrics.clock_ahead(&source, seconds);
        }
    }

    /// Prometheus dates the alerts; a clock that is off there would end graces early.
    async fn compare_clocks(&self) {
        let Some(prometheus) = &self.worker.sources.prometheus else { return };
        let clock = prometheus.clock().await;
        let now = self.worker.clock.now();
        self.worker.metrics.reconciled(PROMETHEUS, now, clock.is_ok());
        match clock {
            Ok(theirs) => self.worker.observed.clock_of(PROMETHEUS, theirs, now),
            Err(error) => tracing::warn!(error, "Prometheus gave no answer"),
        }
    }

    async fn reconcile(&self, rollout: &Rollout) {
        let asked_at = self.worker.observed.moment();
        let mut listed = BTreeSet::new();
        let mut answers = 0;
        for alertmanager in &self.worker.sources.alertmanagers {
            if let Some(reading) = self.reconcile_with(alertmanager.as_ref(), rollout).await {
                listed.extend(reading.listed.into_iter().map(|alert| alert.fingerprint));
                answers += 1;
            }
        }
        // Only all of them together know that something is not listed.
        if answers > 0 && answers == self.worker.sources.alertmanagers.len() {
            self.worker.observed.listed(&rollout.name, asked_at, listed);
        }
    }

    async fn reconcile_with(
        &self,
        alertmanager: &dyn AlertSource,
        rollout: &Rollout,
    ) -> Option<AlertmanagerReading> {
        let address = alertmanager.address();
        let asked_at = self.worker.clock.now();
        let listing =
            alertmanager.list(&rollout.policy.matching, &self.worker.sources.watchdog, asked_at).await;
        let now = self.worker.clock.now();
        self.worker.metrics.reconciled(&address, now, listing.is_ok());
        let Listing { alerts, reading, clock } = match listing {
            Ok(listing) => listing,
            Err(error) => {
                tracing::warn!(alertmanager = address, error, "reconciliation failed");
                return None;
            }
        };
        if let Some(theirs) = clock {
            self.worker.observed.clock_of(&address, theirs, now);
        }
        if reading.watchdog_active {
            self.worker.observed.watchdog_heard();
        }
        let inputs: Vec<_> = alerts
            .into_iter()
            .map(|alert| (rollout.name.clone(), Input::Alert { alert, body: None }))
            .collect();
        if !inputs.is_empty() {
            // Not insisted upon: the next poll brings them again.
            if let Err(error) = self.worker.journal.submit(Submission { inputs, blobs: Vec::new() }).await {
                tracing::warn!(%error, "reconciled alerts were not taken; the next poll brings them again");
            }
        }
        Some(reading)
    }

    /// What fired while nobody was there, and perhaps resolved, is only in Prometheus: asked once,
    /// but until it answers.
    async fn catch_up(&self) {
        let Some(prometheus) = &self.worker.sources.prometheus else { return };
        let Some(last_alive) = self.last_alive else { return };
        for rollout in self.worker.rollouts.iter().filter(|rollout| rollout.policy.mode != Mode::Off) {
            loop {
                let now = self.worker.clock.now();
                let look_back =
                    (now - last_alive + LOOK_BACK_MARGIN).clamp(LOOK_BACK_MARGIN, LONGEST_LOOK_BACK);
                match prometheus.query(&missed_query(&rollout.policy.matching, look_back)).await {
                    Ok(samples) => {
                        for sample in samples {
                            self.missed(rollout, sample.labels, now, sample.value, last_alive).await;
                        }
                        break;
                    }
                    Err(error) => {
                        self.worker.metrics.reconciled(PROMETHEUS, now, false);
                        tracing::warn!(rollout = %rollout.name, error, "what fired while Backstop was down is not known yet; Prometheus is asked again");
                    }
                }
                tokio::time::sleep(self.every).await;
            }
        }
    }

    async fn missed(
        &self,
        rollout: &Rollout,
        mut labels: BTreeMap<String, String>,
        now: DateTime<Utc>,
        fired_seconds_ago: f64,
        last_alive: DateTime<Utc>,
    ) {
        #[expect(clippy::cast_possible_truncation, reason = "the look-back is hours, in milliseconds")]
        let Some(age) = TimeDelta::try_milliseconds((fired_seconds_ago * 1_000.0) as i64) else { return };
        let starts_at = now - age;
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
        // Nobody keeps it waiting, so it is told again until the share was fresh enough to decide.
        loop {
            self.worker.read_share(rollout).await;
            let input = Input::Missed { alert: alert.clone() };
            match self.worker.journal.submit_one(&rollout.name, input).await {
                Ok(ruling) if ruling.reason != Some(Reason::ShareUnread) => return,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a missed alert waits to be stored"),
            }
            tokio::time::sleep(MISSED_PAUSE).await;
        }
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

/// How long ago each critical of a rollout fired last, within this span. As an age, so that it
/// doesn't matter how Prometheus' clock is set.
fn missed_query(matching: &BTreeMap<String, String>, look_back: TimeDelta) -> String {
    let selector: Vec<_> = matching
        .iter()
        .map(|(name, value)| format!("{name}={}", serde_json::Value::from(value.as_str())))
        .collect();
    // A second's steps: an alert that fired for one evaluation only must not fall between two.
    format!(
        "time() - max_over_time(timestamp(ALERTS{{alertstate=\"firing\",severity=\"critical\",{}}})[{}s:1s])",
        selector.join(","),
        look_back.num_seconds(),
    )
}
