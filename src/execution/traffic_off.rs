//! The step that takes the traffic off the canary: set, read back, believe only what was read.

use std::time::Duration;

use tokio::time::Instant;

use super::{ActError, ReadError, TrafficRouter};
use crate::clock::Clock;
use crate::incident::{Answer, Attempt, Share, Step, StepOutcome, StepRecord};

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
    /// The longest pause.
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

/// Takes the traffic off the canary. `jitter` gives numbers in 0..1 that spread the pauses, so that
/// many rollbacks at once don't strike a struggling API in step.
pub async fn traffic_off(
    router: &dyn TrafficRouter,
    clock: &dyn Clock,
    limits: StepLimits,
    mut jitter: impl FnMut() -> f64 + Send,
) -> StepRecord {
    let started_at = clock.now();
    let deadline = Instant::now() + limits.deadline;
    let mut attempts = Vec::new();
    let mut pause = limits.first_pause;
    let outcome = loop {
        let attempt = attempt(router, clock, limits).await;
        let outcome = attempt.outcome;
        let refused = attempt.answer.status.is_some_and(is_final);
        attempts.push(attempt);
        let tries = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        let spread = pause.mul_f64(0.5 + jitter().clamp(0.0, 1.0) / 2.0);
        if outcome.is_done() || refused || tries >= limits.max_attempts || Instant::now() + spread >= deadline
        {
            break outcome;
        }
        tokio::time::sleep(spread).await;
        pause = (pause * 2).min(limits.longest_pause);
    };
    StepRecord { step: Step::TrafficOff, started_at, ended_at: clock.now(), attempts, outcome }
}

/// A status that the same request would get again.
fn is_final(status: u16) -> bool {
    (300..500).contains(&status) && ![408, 425, 429].contains(&status)
}

async fn attempt(router: &dyn TrafficRouter, clock: &dyn Clock, limits: StepLimits) -> Attempt {
    let started_at = clock.now();
    let request = router.describe_set(Share::ZERO);
    let sent = router.set_share(Share::ZERO).await;
    let (mut answer, acknowledged) = match &sent {
        Ok(answer) => (answer.clone(), true),
        Err(error) => (error.answer().clone(), false),
    };
    let may_have_arrived = acknowledged || matches!(sent, Err(ActError::Unknown(_)));
    let mut read_back = None;
    if may_have_arrived && router.can_read() {
        match read(router, limits).await {
            Ok(share) => read_back = Some(share),
            Err(error) => note(&mut answer, &format!("read-back failed: {error}")),
        }
    }
    let outcome = match (acknowledged, may_have_arrived, read_back) {
        (_, true, Some(Share::ZERO)) => StepOutcome::Done,
        (true, _, Some(share)) => {
            note(&mut answer, &format!("acknowledged, but read back as {share}"));
            StepOutcome::NotEffective
        }
        (true, _, None) => StepOutcome::DoneUnread,
        (false, true, _) => StepOutcome::Unknown,
        (false, false, _) => StepOutcome::Failed,
    };
    Attempt { started_at, ended_at: clock.now(), request, answer, read_back, outcome }
}

async fn read(router: &dyn TrafficRouter, limits: StepLimits) -> Result<Share, ReadError> {
    let mut last = Err(ReadError::NotConfigured);
    for round in 0..limits.reads {
        if round > 0 {
            tokio::time::sleep(limits.read_pause).await;
        }
        last = router.read_share().await;
        if last == Ok(Share::ZERO) {
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
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::SteppedClock;
    use crate::outbound::OutboundError;

    /// A router that answers by script; what is not scripted is an outage.
    #[derive(Debug, Default)]
    struct Scripted {
        sets: Mutex<VecDeque<Result<Answer, ActError>>>,
        reads: Mutex<VecDeque<Result<Share, ReadError>>>,
        readable: bool,
    }

    #[async_trait]
    impl TrafficRouter for Scripted {
        fn describe_set(&self, share: Share) -> String {
            format!("set {share}")
        }
        async fn set_share(&self, _: Share) -> Result<Answer, ActError> {
            let down = || Err(ActError::Retry { answer: words(None, "connection refused"), after: None });
            self.sets.lock().expect("a lock").pop_front().unwrap_or_else(down)
        }
        fn can_read(&self) -> bool {
            self.readable
        }
        async fn read_share(&self) -> Result<Share, ReadError> {
            self.reads.lock().expect("a lock").pop_front().unwrap_or_else(unreachable)
        }
    }

    fn unreachable() -> Result<Share, ReadError> {
        Err(ReadError::NoAnswer(OutboundError::Unreachable("connection refused".to_owned())))
    }

    fn words(status: Option<u16>, text: &str) -> Answer {
        Answer { status, text: text.into() }
    }

    fn ok() -> Result<Answer, ActError> {
        Ok(words(Some(200), "ok"))
    }

    async fn run(
        sets: Vec<Result<Answer, ActError>>,
        reads: Option<Vec<Result<Share, ReadError>>>,
    ) -> StepRecord {
        let readable = reads.is_some();
        let router = Scripted {
            sets: Mutex::new(sets.into()),
            reads: Mutex::new(reads.unwrap_or_default().into()),
            readable,
        };
        let clock = SteppedClock::starting_at(chrono::DateTime::UNIX_EPOCH);
        traffic_off(&router, &clock, StepLimits::default(), || 0.5).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_acknowledged_change_that_is_read_back_is_done_in_one_attempt() {
        let step = run(vec![ok()], Some(vec![Ok(Share(0))])).await;
        assert_eq!((step.outcome, step.attempts.len()), (StepOutcome::Done, 1));
        assert_eq!(step.attempts[0].read_back, Some(Share::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn an_acknowledged_change_without_effect_is_not_believed() {
        let reads = vec![Ok(Share(25)); 64];
        let step = run(vec![ok(); 8], Some(reads)).await;
        assert_eq!(step.outcome, StepOutcome::NotEffective);
        assert_eq!(step.attempts.len(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_takes_effect_a_moment_later_is_waited_for() {
        let step = run(vec![ok()], Some(vec![Ok(Share(25)), Ok(Share(25)), Ok(Share(0))])).await;
        assert_eq!((step.outcome, step.attempts.len()), (StepOutcome::Done, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_outcome_is_resolved_by_reading() {
        let lost = || Err(ActError::Unknown(words(None, "timed out")));
        let applied = run(vec![lost()], Some(vec![Ok(Share(0))])).await;
        assert_eq!((applied.outcome, applied.attempts.len()), (StepOutcome::Done, 1));
        let reads = vec![Ok(Share(25)), Ok(Share(25)), Ok(Share(25)), Ok(Share(25)), Ok(Share(0))];
        let again = run(vec![lost(), ok()], Some(reads)).await;
        assert_eq!((again.outcome, again.attempts.len()), (StepOutcome::Done, 2));
        assert_eq!(again.attempts[0].outcome, StepOutcome::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_place_to_read_an_acknowledgement_is_reported_as_unread() {
        assert_eq!(run(vec![ok()], None).await.outcome, StepOutcome::DoneUnread);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_not_repeated_and_an_outage_is_until_the_deadline() {
        let refused = run(vec![Err(ActError::Refused(words(Some(404), "no such feature")))], None).await;
        assert_eq!((refused.outcome, refused.attempts.len()), (StepOutcome::Failed, 1));
        let down = run(vec![], None).await;
        assert_eq!(down.outcome, StepOutcome::Failed);
        assert!(down.attempts.len() > 4, "{} attempts", down.attempts.len());
        assert!((down.ended_at - down.started_at).num_seconds() <= 30);
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_recovers_is_used_at_the_next_attempt() {
        let busy = Err(ActError::Retry { answer: words(Some(503), "busy"), after: None });
        let step = run(vec![busy.clone(), busy, ok()], Some(vec![Ok(Share(0))])).await;
        assert_eq!((step.outcome, step.attempts.len()), (StepOutcome::Done, 3));
    }
}
