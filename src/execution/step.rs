//! Carries one step out: apply, observe, believe only what was observed.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use super::{ActError, ReadError, Target};
use crate::clock::Clock;
use crate::incident::{Answer, Attempt, Observation, Step, StepOutcome, StepRecord};

/// How long and how often a step is tried before the incident is called failed (and tried again
/// later, with growing gaps).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepLimits {
    /// No new attempt begins after this long.
    pub deadline: Duration,
    /// The most attempts; a fast refusal must not fill the evidence.
    pub max_attempts: u32,
    /// The first pause between attempts; it doubles.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// How often an acknowledged change is read before it is called not effective: flag services
    /// apply asynchronously.
    pub reads: u32,
    /// The pause between those reads.
    pub read_pause: Duration,
}

impl Default for StepLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            max_attempts: 8,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            reads: 4,
            read_pause: Duration::from_millis(150),
        }
    }
}

impl StepLimits {
    /// The longest that a step can take: the last attempt may begin at the deadline.
    #[must_use]
    pub fn longest(&self, request_timeout: Duration) -> Duration {
        self.deadline + request_timeout + self.reads * (request_timeout + self.read_pause)
    }
}

/// Carries `step` out: applied, observed, and tried again within its limits. `jitter` gives numbers in 0..1
/// that spread the pauses, so that many rollbacks at once don't strike a struggling API in step.
pub async fn run_step(
    target: &dyn Target,
    step: Step,
    clock: &dyn Clock,
    limits: StepLimits,
    mut jitter: impl FnMut() -> f64 + Send,
) -> StepRecord {
    let started_at = clock.now();
    let deadline = Instant::now() + limits.deadline;
    let mut attempts = Vec::new();
    let pauses = ExponentialBuilder::new().with_min_delay(limits.first_pause);
    let mut pauses = pauses.with_max_delay(limits.longest_pause).without_max_times().build();
    let outcome = loop {
        let (attempt, retry_after) = attempt(target, step, clock, limits).await;
        let outcome = attempt.outcome;
        let refused = attempt.answer.status.is_some_and(is_final);
        attempts.push(attempt);
        let tries = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        let pause = pauses.next().unwrap_or(limits.longest_pause);
        let spread = pause.mul_f64(0.5 + jitter().clamp(0.0, 1.0) / 2.0);
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(wait) = next_pause(spread, retry_after, left) else { break outcome };
        if outcome.is_done() || outcome == StepOutcome::NotNow || refused || tries >= limits.max_attempts {
            break outcome;
        }
        tokio::time::sleep(wait).await;
    };
    let ended_at = clock.now();
    StepRecord { step, started_at, ended_at, attempts, outcome, share_before: None, decided_at: None }
}

/// How long to wait before the next attempt; `None`: there is no time for one. An API that asks to be
/// left alone for longer than there is time gets its last attempt as the time ends: whether the
/// rollback can wait is not for the API to say.
fn next_pause(spread: Duration, retry_after: Option<Duration>, left: Duration) -> Option<Duration> {
    if spread >= left {
        return None;
    }
    Some(retry_after.map_or(spread, |asked| asked.max(spread).min(left)))
}

/// A status that the same request would get again.
fn is_final(status: u16) -> bool {
    (300..500).contains(&status) && ![408, 425, 429].contains(&status)
}

/// One attempt, and how long the API asks to be left alone after it.
async fn attempt(
    target: &dyn Target,
    step: Step,
    clock: &dyn Clock,
    limits: StepLimits,
) -> (Attempt, Option<Duration>) {
    let started_at = clock.now();
    let request = target.describe(step);
    let sent = target.apply(step).await;
    let (mut answer, acknowledged) = match &sent {
        Ok(answer) => (answer.clone(), true),
        Err(error) => (error.answer().clone(), false),
    };
    let retry_after = sent.as_ref().err().and_then(ActError::retry_after);
    if let Some(asked) = retry_after {
        note(&mut answer, &format!("asks to be left alone for {} s", asked.as_secs()));
    }
    let may_have_arrived = acknowledged || matches!(sent, Err(ActError::Unknown(_)));
    let mut observed = None;
    let mut read_failed = false;
    if may_have_arrived && target.can_observe() {
        match read(target, step, limits).await {
            Ok(observation) => observed = Some(observation),
            Err(error) => {
                read_failed = true;
                note(&mut answer, &format!("read-back failed: {error}"));
            }
        }
    }
    let outcome = match (acknowledged, may_have_arrived, &observed) {
        (_, true, Some(observation)) if step.is_met_by(observation) => StepOutcome::Done,
        (true, _, Some(observation)) => {
            note(&mut answer, &format!("acknowledged, but read back as {}", observation.words()));
            StepOutcome::NotEffective
        }
        (true, _, None) => StepOutcome::DoneUnread,
        (false, true, _) => StepOutcome::Unknown,
        (false, false, _) if matches!(sent, Err(ActError::NotNow(_))) => StepOutcome::NotNow,
        (false, false, _) => StepOutcome::Failed,
    };
    let ended_at = clock.now();
    let read_back = observed.as_ref().map(|observation| observation.share);
    let observed = observed.filter(|observation| observation.workloads.is_some());
    let attempt =
        Attempt { started_at, ended_at, request, answer, read_back, observed, read_failed, outcome };
    (attempt, retry_after)
}

async fn read(target: &dyn Target, step: Step, limits: StepLimits) -> Result<Observation, ReadError> {
    let mut last = Err(ReadError::NotConfigured);
    for round in 0..limits.reads {
        if round > 0 {
            tokio::time::sleep(limits.read_pause).await;
        }
        last = target.observe().await;
        if last.as_ref().is_ok_and(|observation| step.is_met_by(observation)) {
            break;
        }
    }
    last
}

fn note(answer: &mut Answer, text: &str) {
    if !answer.text.is_empty() {
        answer.text.push_str("; ");
    }
    answer.text.push_str(text);
}

#[cfg(test)]
mod tests;
