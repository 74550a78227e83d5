//! Reads all probes, round after round, until there is a verdict.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::judge;
use super::probe::{Finding, Probe, Round, Subject};
use crate::clock::Clock;
use crate::incident::{Check, CheckName, CheckOutcome, Verdict, Verification};

/// From when to when a verification reads, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyTimes {
    /// Recorded as its start, also after a restart.
    pub since: DateTime<Utc>,
    /// When the traffic was taken off the canary.
    pub off_since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// The end of the guard window: no verdict but a bad one before then, since a rollback that is undone
    /// a minute later is none.
    pub guarded_until: DateTime<Utc>,
    /// The pause between two rounds.
    pub interval: Duration,
}

/// What is looked at after a rollback of one rollout, in the order in which it is told.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// Each looks at its own thing, all of them at the same time.
    pub probes: Vec<Arc<dyn Probe>>,
}

impl Verifier {
    /// Reads until there is a verdict; ends by the later end of `times` at the latest, plus one round.
    /// `None`: the subject needs none any more. An alert that joins meanwhile is asked about too.
    pub async fn verify(
        &self,
        subject: &dyn Subject,
        times: VerifyTimes,
        clock: &dyn Clock,
    ) -> Option<Verification> {
        // Waited for with the clock that nobody can set: one that is set must not end the window.
        let moment_of =
            |at: DateTime<Utc>| clock.moment() + (at - clock.now()).to_std().unwrap_or(Duration::ZERO);
        let (until, guarded_until) = (moment_of(times.until), moment_of(times.guarded_until));
        let began = clock.moment();
        let off_before = (clock.now() - times.off_since).to_std().unwrap_or(Duration::ZERO);
        loop {
            let asked = subject.alerts()?;
            let round = Round::new(subject, &asked, off_before + clock.moment().since(began));
            let mut findings = join_all(self.probes.iter().map(|probe| find(probe.as_ref(), &round))).await;
            let window_ended = clock.moment() >= until;
            let joined = subject.alerts()?.iter().filter(|alert| !asked.contains(alert)).count();
            if joined > 0 {
                note_joined(&mut findings, joined);
            }
            let is_guarded = clock.moment() < guarded_until;
            let verdict = judge(&findings, window_ended);
            let checks = findings.into_iter().map(|finding| finding.check);
            if let Some(verdict) = verdict.filter(|verdict| *verdict == Verdict::NotVerified || !is_guarded) {
                let (started_at, ended_at, checks) = (times.since, clock.now(), checks.collect());
                return Some(Verification { started_at, ended_at, verdict, checks });
            }
            for check in checks.filter(|check| check.outcome != CheckOutcome::Pass) {
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
}

async fn find(probe: &dyn Probe, round: &Round<'_>) -> Finding {
    let seen = probe.read(round).await;
    let check = Check { name: probe.name(), outcome: seen.outcome, detail: seen.detail };
    Finding { check, is_essential: probe.is_essential() }
}

/// Alerts joined while the others were read: those that were asked about are not all.
fn note_joined(findings: &mut [Finding], joined: usize) {
    let checks = findings.iter_mut().map(|finding| &mut finding.check);
    for check in checks.filter(|check| check.name == CheckName::AlertExpression) {
        if matches!(check.outcome, CheckOutcome::Pass | CheckOutcome::Gone) {
            check.outcome = CheckOutcome::Unknown;
            check.detail.push_str(&format!("; {joined} joined while this was read"));
        }
    }
}

#[cfg(test)]
mod tests;
