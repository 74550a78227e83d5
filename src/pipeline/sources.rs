//! The monitoring systems, asked together about an incident's alerts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Severities;
use crate::clock::Clock;
use crate::decision::{Confirmation, weigh};
use crate::incident::{Alert, Fingerprint};
use crate::signals::{AlertSource, RuleSource};

/// Tries to get an answer before a grace is decided without one (reference notes on Alertmanager,
/// section 5: three tries of five seconds).
const CONFIRM_TRIES: u32 = 3;
/// The pause between two of them.
const CONFIRM_PAUSE: Duration = Duration::from_secs(1);

/// The monitoring systems.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Every member of the Alertmanager cluster.
    pub alertmanagers: Vec<Arc<dyn AlertSource>>,
    /// Prometheus, if configured.
    pub prometheus: Option<Arc<dyn RuleSource>>,
    /// The name of the always-firing alert.
    pub watchdog: String,
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
            let listing = alertmanager.list(matching, &self.watchdog, now).await;
            answers.push(match &listing {
                Ok(listing) => format!(
                    "{} lists {} of {}, Watchdog {}, up for {} s",
                    alertmanager.address(),
                    listing.reading.listed.iter().filter(|alert| wanted.contains(&alert.fingerprint)).count(),
                    wanted.len(),
                    if listing.reading.watchdog_active { "alive" } else { "missing" },
                    listing.reading.up_for.num_seconds(),
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
        (weigh(wanted, &readings, prometheus), answers)
    }
}
