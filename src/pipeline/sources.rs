//! The monitoring systems, asked together about an incident's alerts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use futures_util::future::join_all;

use super::Severities;
use crate::clock::Clock;
use crate::decision::{AlertmanagerReading, Confirmation, PrometheusReading, Watchdog, weigh};
use crate::incident::Alert;
use crate::signals::{AlertSource, Listing, RuleSource, SignalError};

/// Tries to get an answer before a grace is decided without one (reference notes on Alertmanager,
/// section 5: three tries of five seconds).
const CONFIRM_TRIES: usize = 3;
/// The pause between two of them.
const CONFIRM_PAUSE: Duration = Duration::from_secs(1);

/// Every configured system that can say whether an alert fires.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Every member of the Alertmanager cluster.
    pub alertmanagers: Vec<Arc<dyn AlertSource>>,
    pub prometheus: Option<Arc<dyn RuleSource>>,
    pub watchdog: Watchdog,
    /// Reads the severity of what they list.
    pub severities: Severities,
}

impl Sources {
    /// Asks everybody about these alerts, a bounded number of times, and weighs the answers.
    pub async fn confirm(
        &self,
        matching: &BTreeMap<String, String>,
        alerts: &[Alert],
        clock: &dyn Clock,
    ) -> (Confirmation, Vec<String>) {
        let ask = || async {
            let (answer, answers) = self.ask(matching, alerts, clock).await;
            if answer == Confirmation::NoAnswer { Err((answer, answers)) } else { Ok((answer, answers)) }
        };
        let pauses = ConstantBuilder::new().with_delay(CONFIRM_PAUSE).with_max_times(CONFIRM_TRIES - 1);
        ask.retry(pauses).await.unwrap_or_else(|unanswered| unanswered)
    }

    /// Every member's list, asked for together: one that hangs holds up no other.
    pub async fn list(
        &self,
        matching: &BTreeMap<String, String>,
        clock: &dyn Clock,
    ) -> Vec<(String, Result<Listing, SignalError>)> {
        let now = clock.now();
        let ask = |member: &Arc<dyn AlertSource>| {
            let member = Arc::clone(member);
            async move { (member.address(), member.list(matching, &self.watchdog, now).await) }
        };
        join_all(self.alertmanagers.iter().map(ask)).await
    }

    /// What Prometheus says of these alerts, with a sentence; `None`: none is configured.
    pub async fn prometheus_says(
        &self,
        alerts: &[Alert],
        clock: &dyn Clock,
    ) -> Option<(Option<PrometheusReading>, String)> {
        let prometheus = self.prometheus.as_ref()?;
        Some(match prometheus.reading(alerts, clock.now()).await {
            Ok(answer) => (Some(answer.reading), answer.sentence),
            Err(error) => (None, format!("Prometheus gave no answer: {error}")),
        })
    }

    async fn ask(
        &self,
        matching: &BTreeMap<String, String>,
        alerts: &[Alert],
        clock: &dyn Clock,
    ) -> (Confirmation, Vec<String>) {
        let (members, prometheus) =
            tokio::join!(self.list(matching, clock), self.prometheus_says(alerts, clock));
        let (mut answers, mut readings) = (Vec::new(), Vec::new());
        for (address, listing) in members {
            answers.push(match &listing {
                Ok(listing) => format!("{address} {}", self.words(&listing.reading, alerts)),
                Err(error) => format!("{address} gave no answer: {error}"),
            });
            readings.push(listing.ok().map(|listing| listing.reading));
        }
        let prometheus = prometheus.map(|(reading, sentence)| {
            answers.push(sentence);
            reading
        });
        (weigh(alerts, &self.watchdog, &readings, prometheus), answers)
    }

    /// What a member said, as a sentence that goes on after its address.
    fn words(&self, reading: &AlertmanagerReading, alerts: &[Alert]) -> String {
        let is_listed =
            |alert: &&Alert| reading.listed.iter().any(|listed| listed.fingerprint == alert.fingerprint);
        let speaks = |alert: &Alert| {
            reading.watchdogs.iter().any(|alive| self.watchdog.speaks_for(alive, &alert.labels))
        };
        let watchdog = match (reading.watchdogs.is_empty(), alerts.iter().all(speaks)) {
            (true, _) => "no Watchdog is alive",
            (false, true) => "its Watchdog is alive",
            (false, false) => "the Watchdogs that are alive have other labels",
        };
        format!(
            "lists {} of {}; {watchdog}; it has been up for {} s",
            alerts.iter().filter(is_listed).count(),
            alerts.len(),
            reading.up_for.num_seconds(),
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::incident::fixtures::firing;
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use chrono::{DateTime, Utc};
    use tokio::time::Instant;

    use super::*;
    use crate::clock::SteppedClock;

    #[derive(Debug, Default)]
    struct Gone(AtomicU32);

    #[async_trait]
    impl AlertSource for Gone {
        fn address(&self) -> String {
            "http://gone".to_owned()
        }
        async fn list(
            &self,
            _: &BTreeMap<String, String>,
            _: &Watchdog,
            _: DateTime<Utc>,
        ) -> Result<Listing, SignalError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(SignalError::NoAnswer("connection refused".to_owned()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_more_than_three_times_and_what_was_answered_last_is_told() {
        let gone = Arc::new(Gone::default());
        let alertmanagers = vec![Arc::clone(&gone) as Arc<dyn AlertSource>];
        let severities =
            Severities::new(crate::incident::SeverityMap::default(), crate::metrics::Metrics::new(&[], &[]));
        let watchdog = Watchdog::named("Watchdog");
        let sources = Sources { alertmanagers, prometheus: None, watchdog, severities };
        let clock = SteppedClock::starting_at(DateTime::UNIX_EPOCH);
        let began = Instant::now();
        let alert = firing("f", &[], DateTime::UNIX_EPOCH);
        let (answer, answers) = sources.confirm(&BTreeMap::new(), &[alert], &clock).await;
        assert_eq!((answer, gone.0.load(Ordering::Relaxed)), (Confirmation::NoAnswer, 3));
        assert_eq!(began.elapsed(), 2 * CONFIRM_PAUSE);
        assert!(answers.iter().any(|answer| answer.contains("connection refused")), "{answers:?}");
    }
}
