//! Reads all checks, round after round, until there is a verdict.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Application, judge};
use crate::clock::Clock;
use crate::execution::TrafficRouter;
use crate::incident::{Alert, Check, CheckName, CheckOutcome, Incident, Share, Verification};
use crate::signals::{Prometheus, left_of_threshold};

/// The most expressions asked in one round: enough for every rule of the protocol, bounded for storms.
const MAX_EXPRESSIONS: usize = 16;

/// When to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyTimes {
    /// Since when it is verified.
    pub since: DateTime<Utc>,
    /// When a verdict is due.
    pub until: DateTime<Utc>,
    /// The pause between two rounds.
    pub interval: Duration,
}

/// Everything that can be read of one rollout.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// The traffic system.
    pub router: Arc<dyn TrafficRouter>,
    /// The application.
    pub application: Application,
    /// The monitoring, if configured.
    pub prometheus: Option<Prometheus>,
}

impl Verifier {
    /// Reads until there is a verdict; ends by `times.until` at the latest, plus one round.
    pub async fn verify(&self, incident: &Incident, times: VerifyTimes, clock: &dyn Clock) -> Verification {
        // Waited for with the monotonic clock: one that is set meanwhile must not end the window.
        let window = (times.until - clock.now()).to_std().unwrap_or(Duration::ZERO);
        let until = Instant::now() + window;
        loop {
            let checks = self.round(incident).await;
            let ended_at = clock.now();
            if let Some(verdict) = judge(&checks, Instant::now() >= until) {
                return Verification { started_at: times.since, ended_at, verdict, checks };
            }
            for check in checks.iter().filter(|check| check.outcome != CheckOutcome::Pass) {
                tracing::info!(incident = %incident.id, check = check.name.as_str(), outcome = check.outcome.as_str(), detail = check.detail, "verification goes on");
            }
            tokio::time::sleep(times.interval).await;
        }
    }

    async fn round(&self, incident: &Incident) -> Vec<Check> {
        let (share, version, expression) =
            tokio::join!(self.share(), self.application.stable_version(), self.expressions(incident));
        vec![share, version, expression]
    }

    async fn share(&self) -> Check {
        let name = CheckName::TrafficShare;
        if !self.router.can_read() {
            let detail = "traffic.read_url is not configured".to_owned();
            return Check { name, outcome: CheckOutcome::NotConfigured, detail };
        }
        match self.router.read_share().await {
            Ok(Share::ZERO) => Check { name, outcome: CheckOutcome::Pass, detail: "0 %".to_owned() },
            Ok(share) => {
                Check { name, outcome: CheckOutcome::Fail, detail: format!("{share} on the canary") }
            }
            Err(error) => Check { name, outcome: CheckOutcome::Unknown, detail: error.to_string() },
        }
    }

    async fn expressions(&self, incident: &Incident) -> Check {
        let name = CheckName::AlertExpression;
        let left_out =
            |detail: &str| Check { name, outcome: CheckOutcome::NotConfigured, detail: detail.to_owned() };
        let Some(prometheus) = &self.prometheus else { return left_out("prometheus.url is not configured") };
        if incident.alerts.is_empty() {
            return left_out("no alert caused it");
        }
        let mut worst = CheckOutcome::Pass;
        let mut details = Vec::new();
        for attached in incident.alerts.iter().take(MAX_EXPRESSIONS) {
            let (outcome, detail) = match below_threshold(prometheus, &attached.alert).await {
                Ok(seen) => seen,
                Err(error) => (CheckOutcome::Unknown, error),
            };
            worst = match (worst, outcome) {
                (CheckOutcome::Fail, _) | (_, CheckOutcome::Fail) => CheckOutcome::Fail,
                (CheckOutcome::Unknown, _) | (_, CheckOutcome::Unknown) => CheckOutcome::Unknown,
                _ => CheckOutcome::Pass,
            };
            details.push(format!("{}: {detail}", attached.alert.name()));
        }
        Check { name, outcome: worst, detail: details.join("; ") }
    }
}

/// Whether an alert's own expression is below its threshold now, with the value that was read.
async fn below_threshold(prometheus: &Prometheus, alert: &Alert) -> Result<(CheckOutcome, String), String> {
    let expressions = prometheus.expressions(alert.name()).await?;
    if expressions.is_empty() {
        return Err("Prometheus has no rule of this name".to_owned());
    }
    let mut details = Vec::new();
    for expression in expressions {
        let above = prometheus.query_for(&expression, alert).await?;
        if let Some(sample) = above.first() {
            return Ok((CheckOutcome::Fail, format!("still above its threshold at {}", sample.value)));
        }
        let Some(measured) = left_of_threshold(&expression)? else {
            return Err("the expression has no threshold to be below of".to_owned());
        };
        let read = prometheus.query_for(&measured.expression, alert).await?;
        match read.iter().find(|sample| !sample.value.is_nan()) {
            Some(sample) => details.push(format!("{} is not {}", sample.value, measured.threshold)),
            None => return Ok((CheckOutcome::Unknown, "no data".to_owned())),
        }
    }
    Ok((CheckOutcome::Pass, details.join(", ")))
}
