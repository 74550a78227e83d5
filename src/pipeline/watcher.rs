//! Looks at the world between webhooks: the share of each canary, the alerts that Alertmanager
//! lists, and, after a time when nobody was there, what Prometheus remembers of it.
//!
//! A webhook can be lost for good (reference notes on Alertmanager, section 0, findings 1 and 2), so
//! the list is asked every poll and goes the same way as a webhook.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::look_back::{self, Remembered};
use super::unlisted::Unlisted;
use super::{Rollout, Worker};
use crate::decision::{Input, Mode};
use crate::incident::{Alert, Reason, RolloutName};
use crate::metrics::Loop;
use crate::signals::{RuleSource, Sample, SignalError};
use crate::text::shown;

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

/// The pause before a missed alert is submitted again, because it could not be decided.
const MISSED_PAUSE: Duration = Duration::from_millis(250);

/// How often the process leaves a sign of life in the store.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
/// A sign of life that takes longer says that the disk hangs.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);
/// How often closed incidents that are past their retention are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// Polls the shares and Alertmanager and, after a downtime, asks Prometheus; what it finds are inputs.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// What it shares with the worker.
    pub worker: Worker,
    pub every: Duration,
    /// Wakes it at once: a webhook said that its list was cut.
    pub wake: Arc<Notify>,
    /// How long closed incidents stay stored.
    pub retention: TimeDelta,
}

impl Watcher {
    /// Looks until `stop`. What is under way then is dropped: the next process looks for it again.
    pub async fn run(self, stop: CancellationToken) {
        let look = async {
            let unlisted =
                self.worker.rollouts.iter().map(|rollout| (rollout.name.clone(), Mutex::default()));
            let unlisted: BTreeMap<_, _> = unlisted.collect();
            loop {
                self.look(&unlisted).await;
                self.worker.metrics.loop_turned(Loop::Watcher);
                tokio::select! {
                    biased;
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep(self.every) => {}
                }
            }
        };
        let is_caught_up = AtomicBool::new(false);
        let catch_up = async {
            let last_alive = self.worker.journal.known_until().await;
            self.catch_up(last_alive).await;
            is_caught_up.store(true, Ordering::Relaxed);
        };
        let alive = async {
            // Before the sign of life, which the next process must not mistake for it.
            if let Some(known_until) = self.worker.journal.known_until().await {
                self.leave_caught_up(known_until).await;
            }
            loop {
                let now = self.worker.clock.now();
                self.leave_sign_of_life(now).await;
                // Only now: what a look back has not decided is looked for again by the next process.
                if is_caught_up.load(Ordering::Relaxed) {
                    self.leave_caught_up(now).await;
                }
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
            () = async { tokio::join!(alive, catch_up, look, prune); } => {}
        }
    }

    /// Reads every share, asks every Alertmanager. One rollout whose systems hang holds up few others.
    async fn look(&self, unlisted: &BTreeMap<RolloutName, Mutex<Unlisted>>) {
        self.compare_clocks().await;
        futures_util::stream::iter(self.worker.rollouts.iter())
            .for_each_concurrent(ROLLOUTS_AT_ONCE, |rollout| async move {
                // Also without a place to read from: it lets the Watchdog's silence be noticed.
                self.worker.read_share(rollout).await;
                self.worker.report(&rollout.name, Input::Tick).await;
                let unlisted = unlisted.get(&rollout.name);
                self.reconcile(rollout, unlisted).await;
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
            Err(error) => tracing::warn!(%error, "Prometheus gave no answer"),
        }
    }

    /// Every alert that Alertmanager sent or listed for this rollout, as far as it is remembered.
    pub(super) fn known(&self, rollout: &Rollout) -> Vec<Alert> {
        let states = self.worker.journal.states();
        let Some(state) = states.get(&rollout.name) else { return Vec::new() };
        state.alerts.values().map(|known| known.alert.clone()).collect()
    }

    /// What fired while nobody was there, and perhaps resolved, is only in Prometheus: asked once,
    /// but until it answers.
    async fn catch_up(&self, last_alive: Option<DateTime<Utc>>) {
        let Some(prometheus) = &self.worker.sources.prometheus else { return };
        let Some(last_alive) = last_alive else { return };
        let words = &self.worker.sources.severities.words;
        for rollout in self.worker.rollouts.iter().filter(|rollout| rollout.policy.mode != Mode::Off) {
            loop {
                let now = self.worker.clock.now();
                let look_back =
                    (now - last_alive + LOOK_BACK_MARGIN).clamp(LOOK_BACK_MARGIN, LONGEST_LOOK_BACK);
                let known = self.known(rollout);
                match remembered(prometheus.as_ref(), &rollout.policy.matching, &known, look_back).await {
                    Ok(samples) => {
                        for sample in samples {
                            let judged =
                                look_back::judge(sample.labels, &rollout.policy.matching, &known, words);
                            self.missed(rollout, judged, now, sample.value, last_alive).await;
                        }
                        break;
                    }
                    Err(error) => {
                        self.worker.metrics.reconciled(PROMETHEUS, now, false);
                        tracing::warn!(rollout = %rollout.name, %error, "what fired while Backstop was down is not known yet; Prometheus is asked again");
                    }
                }
                tokio::time::sleep(self.every).await;
            }
        }
    }

    async fn missed(
        &self,
        rollout: &Rollout,
        judged: Remembered,
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
        let labels = match judged {
            Remembered::Critical(labels) => labels,
            Remembered::Lesser | Remembered::Elsewhere => return,
            Remembered::Unclear(labels) => {
                let name = shown(labels.get("alertname").map_or("", String::as_str));
                let severity = shown(labels.get("severity").map_or("", String::as_str));
                tracing::warn!(rollout = %rollout.name, alert = name, severity, "it fired while Backstop was down, and its severity in Prometheus is none that is acted upon; if alert_relabel_configs makes it critical, look at it now");
                return;
            }
        };
        let alert = look_back::missed(labels, starts_at, &self.worker.sources.severities.words);
        // Nobody keeps it waiting, so it is submitted again until the share was fresh enough to decide.
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

    async fn leave_caught_up(&self, until: DateTime<Utc>) {
        if let Err(error) = self.worker.store.caught_up(until).await {
            tracing::warn!(
                error = crate::logging::chain(&error),
                "until when alerts are known can't be stored"
            );
        }
    }

    async fn leave_sign_of_life(&self, now: DateTime<Utc>) {
        let mut storing = self.worker.store.alive(now);
        let stored = match tokio::time::timeout(ALIVE_WITHIN, &mut storing).await {
            Ok(stored) => stored,
            Err(_) => {
                tracing::warn!("the store takes long: no sign of life could be stored yet");
                self.worker.metrics.sign_of_life_stored(false);
                // Not given up: another one would only queue behind it.
                storing.await
            }
        };
        self.worker.metrics.sign_of_life_stored(stored.is_ok());
        if let Err(error) = stored {
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

/// What Prometheus remembers, each question in the first form that it accepts.
async fn remembered(
    prometheus: &dyn RuleSource,
    matching: &BTreeMap<String, String>,
    known: &[Alert],
    look_back: TimeDelta,
) -> Result<Vec<Sample>, SignalError> {
    let mut samples: Vec<Sample> = Vec::new();
    for forms in look_back::questions(matching, known, look_back) {
        for (index, form) in forms.iter().enumerate() {
            match prometheus.query(form).await {
                Ok(found) => {
                    for sample in found {
                        // A critical may be found by its labels and by its name.
                        if samples.iter().all(|known| known.labels != sample.labels) {
                            samples.push(sample);
                        }
                    }
                    break;
                }
                Err(SignalError::Refused(_)) if index + 1 < forms.len() => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(samples)
}
