//! The step against routers that let it down, in stepped time.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::clock::SteppedClock;
use crate::incident::Share;
use crate::outbound::OutboundError;

/// A router that answers by script; what is not scripted is an outage.
#[derive(Debug, Default)]
struct Scripted {
    sets: Mutex<VecDeque<Result<Answer, ActError>>>,
    reads: Mutex<VecDeque<Result<Share, ReadError>>>,
    readable: bool,
}

#[async_trait]
impl Target for Scripted {
    fn describe(&self, step: Step) -> String {
        step.as_str().to_owned()
    }
    async fn apply(&self, _: Step) -> Result<Answer, ActError> {
        let down = || Err(ActError::Retry { answer: words(None, "connection refused"), after: None });
        self.sets.lock().expect("a lock").pop_front().unwrap_or_else(down)
    }
    fn can_observe(&self) -> bool {
        self.readable
    }
    async fn observe(&self) -> Result<Observation, ReadError> {
        self.reads.lock().expect("a lock").pop_front().unwrap_or_else(unreachable).map(Observation::of_share)
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
    run_step(&router, Step::TrafficOff, &clock, StepLimits::default(), || 0.5).await
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
async fn without_a_place_to_read_one_acknowledged_change_is_all_and_is_reported_as_unread() {
    let step = run(vec![ok(); 8], None).await;
    assert_eq!((step.outcome, step.attempts.len()), (StepOutcome::DoneUnread, 1));
    let busy = || Err(ActError::Retry { answer: words(Some(503), "busy"), after: None });
    let step = run(vec![busy(), ok(), ok()], None).await;
    assert_eq!((step.outcome, step.attempts.len()), (StepOutcome::DoneUnread, 2));
}

#[tokio::test(start_paused = true)]
async fn a_share_that_can_not_be_read_is_not_said_to_have_nowhere_to_be_read() {
    let nonsense = || Err(ReadError::NotUnderstood("\"zero\" is no share".to_owned()));
    let unreadable = run(vec![ok()], Some(vec![nonsense(), nonsense(), nonsense(), nonsense()])).await;
    assert_eq!(unreadable.outcome, StepOutcome::DoneUnread);
    let sentence = unreadable.sentence();
    assert!(sentence.contains("NOT confirmed: it could not be read back (1 attempt)"), "{sentence}");
    assert!(unreadable.attempts[0].answer.text.contains("read-back failed: \"zero\""));
    let nowhere = run(vec![ok()], None).await.sentence();
    assert!(nowhere.contains("acknowledged; there is nowhere to read it back"), "{nowhere}");
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

/// The seconds after which each attempt began, where each is answered with this Retry-After.
async fn begun_where_each_is_throttled(seconds: u64) -> Vec<u64> {
    #[derive(Debug)]
    struct Throttling(Mutex<Vec<Instant>>, Duration);
    #[async_trait]
    impl Target for Throttling {
        fn describe(&self, step: Step) -> String {
            step.as_str().to_owned()
        }
        async fn apply(&self, _: Step) -> Result<Answer, ActError> {
            self.0.lock().expect("a lock").push(Instant::now());
            Err(ActError::Retry { answer: words(Some(429), "slow down"), after: Some(self.1) })
        }
        fn can_observe(&self) -> bool {
            false
        }
        async fn observe(&self) -> Result<Observation, ReadError> {
            Err(ReadError::NotConfigured)
        }
    }
    let start = Instant::now();
    let router = Throttling(Mutex::default(), Duration::from_secs(seconds));
    let clock = SteppedClock::starting_at(chrono::DateTime::UNIX_EPOCH);
    let step = run_step(&router, Step::TrafficOff, &clock, StepLimits::default(), || 0.5).await;
    assert_eq!(step.attempts[0].answer.text, format!("slow down; asks to be left alone for {seconds} s"));
    let begun = router.0.into_inner().expect("a lock");
    begun.iter().map(|at| (*at - start).as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_api_that_asks_to_be_left_alone_is_but_never_beyond_the_deadline() {
    assert_eq!(begun_where_each_is_throttled(12).await, [0, 12, 24, 30]);
    assert_eq!(begun_where_each_is_throttled(3_600).await, [0, 30]);
    let unhurried = begun_where_each_is_throttled(0).await;
    assert_eq!(unhurried.len(), 8, "asking for nothing shortens no pause: {unhurried:?}");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_recovers_is_used_at_the_next_attempt() {
    let busy = Err(ActError::Retry { answer: words(Some(503), "busy"), after: None });
    let step = run(vec![busy.clone(), busy, ok()], Some(vec![Ok(Share(0))])).await;
    assert_eq!((step.outcome, step.attempts.len()), (StepOutcome::Done, 3));
}
