//! Reads all checks, round after round, until there is a verdict.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::alerts::expressions;
use super::{Application, judge};
use crate::clock::Clock;
use crate::execution::Observer;
use crate::incident::{Alert, Check, CheckName, CheckOutcome, Pods, Verdict, Verification};
use crate::signals::RuleSource;

/// From when to when a verification reads, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyTimes {
    /// Recorded as its start, also after a restart.
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// No verdict but a bad one before then: a rollback that is undone a minute later is none.
    pub guarded_until: DateTime<Utc>,
    /// The pause between two rounds.
    pub interval: Duration,
}

/// Everything that can be read of one rollout.
#[derive(Debug, Clone)]
pub struct Verifier {
    pub target: Observer,
    /// In a cluster: how many pods of the stable version have to serve.
    pub replicas: Option<u16>,
    pub application: Application,
    pub prometheus: Option<Arc<dyn RuleSource>>,
}

impl Verifier {
    /// Reads until there is a verdict; ends by `times.until` at the latest, plus one round. `alerts`
    /// returns the incident's alerts as they are then: one that joins meanwhile is asked about too.
    pub async fn verify(
        &self,
        alerts: impl Fn() -> Vec<Alert> + Send + Sync,
        times: VerifyTimes,
        clock: &dyn Clock,
    ) -> Verification {
        // Waited for with the clock that nobody can set: one that is set must not end the window.
        let moment_of =
            |at: DateTime<Utc>| clock.moment() + (at - clock.now()).to_std().unwrap_or(Duration::ZERO);
        let (until, guarded_until) = (moment_of(times.until), moment_of(times.guarded_until));
        loop {
            let asked = alerts();
            let mut checks = self.round(&asked).await;
            let window_ended = clock.moment() >= until;
            let joined = alerts().iter().filter(|alert| !asked.contains(alert)).count();
            if joined > 0 {
                note_joined(&mut checks, joined);
            }
            let is_guarded = clock.moment() < guarded_until;
            let verdict = judge(&checks, window_ended);
            if let Some(verdict) = verdict.filter(|verdict| *verdict == Verdict::NotVerified || !is_guarded) {
                return Verification { started_at: times.since, ended_at: clock.now(), verdict, checks };
            }
            for check in checks.iter().filter(|check| check.outcome != CheckOutcome::Pass) {
                tracing::info!(
                    check = check.name.as_str(),
                    outcome = check.outcome.as_str(),
                    detail = check.detail,
                    "verification goes on"
                );
            }
            tokio::time::sleep(times.interval).await;
        }
    }

    async fn round(&self, alerts: &[Alert]) -> Vec<Check> {
        let (of_target, version, expression) =
            tokio::join!(self.target(), self.application.stable_version(), self.expressions(alerts));
        of_target.into_iter().chain([version, expression]).collect()
    }

    /// What one observation of the target shows: the share and, in a cluster, what serves instead.
    async fn target(&self) -> Vec<Check> {
        let check = |name, outcome, detail| Check { name, outcome, detail };
        let share = |outcome, detail| check(CheckName::TrafficShare, outcome, detail);
        if !self.target.can_observe() {
            let detail = "traffic.read_url is not configured".to_owned();
            return vec![share(CheckOutcome::NotConfigured, detail)];
        }
        let observed = match self.target.observe().await {
            Ok(observed) => observed,
            Err(error) => return vec![share(CheckOutcome::Unknown, error.to_string())],
        };
        let of_share = if observed.is_off() {
            share(CheckOutcome::Pass, observed.words())
        } else {
            share(CheckOutcome::Fail, format!("{} on the canary", observed.words()))
        };
        let of_pods = observed.workloads.zip(self.replicas).map(|(workloads, replicas)| {
            let Pods { wanted, available, ready_endpoints } = workloads.stable;
            let whole = [wanted, available, ready_endpoints].iter().all(|count| *count >= replicas);
            let outcome = if whole { CheckOutcome::Pass } else { CheckOutcome::Fail };
            let detail = format!(
                "{ready_endpoints} get requests, {available} are available, {wanted} are wanted, of {replicas} needed"
            );
            check(CheckName::StablePods, outcome, detail)
        });
        [Some(of_share), of_pods].into_iter().flatten().collect()
    }

    async fn expressions(&self, alerts: &[Alert]) -> Check {
        let left_out = |detail: &str| Check {
            name: CheckName::AlertExpression,
            outcome: CheckOutcome::NotConfigured,
            detail: detail.to_owned(),
        };
        let Some(prometheus) = &self.prometheus else { return left_out("prometheus.url is not configured") };
        if alerts.is_empty() {
            return left_out("no alert caused it");
        }
        expressions(prometheus.as_ref(), alerts).await
    }
}

/// Alerts joined while the others were read: those that were asked about are not all.
fn note_joined(checks: &mut [Check], joined: usize) {
    for check in checks.iter_mut().filter(|check| check.name == CheckName::AlertExpression) {
        if check.outcome == CheckOutcome::Pass {
            check.outcome = CheckOutcome::Unknown;
            check.detail.push_str(&format!("; {joined} joined while this was read"));
        }
    }
}

#[cfg(test)]
mod tests;
