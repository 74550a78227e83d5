//! The lane over a flag that carries out what it is sent when it likes, in stepped time.

#![expect(clippy::disallowed_methods, reason = "what goes on without its caller is what is tested")]

use std::sync::Mutex;

use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::*;
use crate::execution::ReadError;
use crate::incident::Observation;

const REACH: Reach = Reach { call: ms(5_000), unanswered: ms(5_000) };
const RAISE: Step = Step::Shift { share: Share(25), ready_at_least: 0 };
const LOWER: Step = Step::Shift { share: Share(34), ready_at_least: 1 };
const DOWN: Step = Step::CanaryDown { ready_at_least: 3 };
const UP: Step = Step::StableUp { replicas: 3 };

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy)]
struct Fate {
    carried_out_after: Duration,
    answered_after: Option<Duration>,
    /// `Unknown`: its answer says nothing.
    tells: bool,
}

const AT_ONCE: Fate = Fate { carried_out_after: ms(10), answered_after: Some(ms(20)), tells: true };

#[derive(Debug)]
struct Flag {
    /// What was carried out, and when.
    done: Arc<Mutex<Vec<(Duration, Step)>>>,
    fates: Mutex<Vec<Fate>>,
    began: Instant,
}

#[async_trait]
impl Target for Flag {
    fn describe(&self, step: Step) -> String {
        step.words()
    }

    async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        let fate = self.fates.lock().expect("a lock").pop().unwrap_or(AT_ONCE);
        let (done, began) = (Arc::clone(&self.done), self.began);
        // It goes on whether or not its caller does.
        tokio::spawn(async move {
            tokio::time::sleep(fate.carried_out_after).await;
            done.lock().expect("a lock").push((began.elapsed(), step));
        });
        match fate.answered_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
        let answer = Answer { status: None, text: "ok".to_owned() };
        if fate.tells { Ok(answer) } else { Err(ActError::Unknown(answer)) }
    }

    fn can_observe(&self) -> bool {
        false
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        Err(ReadError::NotConfigured)
    }
}

struct Scene {
    lane: Lane,
    flag: Arc<Flag>,
}

impl Scene {
    /// The first requests meet these fates, the others are carried out at once.
    fn new(fates: &[Fate]) -> Self {
        let fates = Mutex::new(fates.iter().rev().copied().collect());
        let flag = Arc::new(Flag { done: Arc::default(), fates, began: Instant::now() });
        Self { lane: Lane::new(flag.clone(), REACH), flag }
    }

    fn begin(&self, epoch: u64, step: Step) -> JoinHandle<Result<Answer, ActError>> {
        let permit = self.lane.enter(Epoch(epoch)).expect("none is later");
        tokio::spawn(async move { permit.apply(step).await })
    }

    fn done(&self) -> Vec<Step> {
        self.flag.done.lock().expect("a lock").iter().map(|(_, step)| *step).collect()
    }

    fn first(&self, wanted: Step) -> Duration {
        let done = self.flag.done.lock().expect("a lock");
        done.iter().find(|(_, step)| *step == wanted).expect("carried out").0
    }
}

/// Ends of a request that is still on its way as a rollback begins.
fn late() -> [(&'static str, Fate); 5] {
    let fate = |carried_out, answered: Option<u64>, tells| Fate {
        carried_out_after: ms(carried_out),
        answered_after: answered.map(ms),
        tells,
    };
    [
        ("late, and answered", fate(900, Some(901), true)),
        ("answered as failed, and done all the same later", fate(4_000, Some(900), false)),
        ("never answered", fate(4_900, None, true)),
        ("done after it was given up", fate(9_900, None, true)),
        ("unanswered before the rollback begins", fate(4_000, Some(50), false)),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_late_25_percent_never_stands_after_a_rollbacks_0() {
    for (what, fate) in late() {
        let scene = Scene::new(&[fate]);
        let earlier = scene.begin(1, RAISE);
        tokio::time::sleep(ms(100)).await;
        let answer = scene.begin(2, Step::TrafficOff).await.expect("a task").expect("set");
        assert_eq!(scene.first(Step::TrafficOff), ms(110), "{what}: the rollback waits for nothing");
        assert!(answer.text.contains("set again"), "{what}: {answer:?}");
        drop(earlier.await);
        tokio::time::sleep(ms(20_000)).await;
        let done = scene.done();
        assert_eq!(done.last(), Some(&Step::TrafficOff), "{what}: {done:?}");
        assert_eq!(done.iter().filter(|step| **step == RAISE).count(), 1, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_over_before_or_gives_the_canary_no_more_costs_nothing() {
    let unanswered = Fate { tells: false, ..AT_ONCE };
    for (first, fate, next) in [
        (RAISE, AT_ONCE, Step::TrafficOff),
        (Step::TrafficOff, unanswered, Step::TrafficOff),
        (UP, unanswered, Step::TrafficOff),
        (RAISE, unanswered, LOWER),
        (RAISE, unanswered, UP),
    ] {
        let scene = Scene::new(&[fate]);
        drop(scene.begin(1, first).await);
        scene.begin(2, next).await.expect("a task").expect("set");
        assert_eq!(scene.flag.began.elapsed(), ms(40), "{first:?}, {next:?}");
        tokio::time::sleep(ms(20_000)).await;
        assert_eq!(scene.done(), [first, next]);
    }
    let scene = Scene::new(&[unanswered]);
    drop(scene.begin(1, RAISE).await);
    tokio::time::sleep(REACH.unanswered).await;
    scene.begin(2, Step::TrafficOff).await.expect("a task").expect("set");
    assert_eq!(scene.done(), [RAISE, Step::TrafficOff], "it can have no effect any more");
}

#[tokio::test(start_paused = true)]
async fn no_canary_goes_down_while_a_call_may_give_it_traffic_also_of_the_same_rollback() {
    for (what, fate) in late() {
        let scene = Scene::new(&[fate]);
        let earlier = scene.begin(1, LOWER);
        tokio::time::sleep(ms(100)).await;
        scene.begin(1, DOWN).await.expect("a task").expect("down");
        drop(earlier.await);
        tokio::time::sleep(ms(20_000)).await;
        assert_eq!(scene.done(), [LOWER, DOWN], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_decision_changes_nothing_any_more_once_a_later_one_has_entered() {
    let scene = Scene::new(&[]);
    let earlier = scene.lane.enter(Epoch(1)).expect("the first");
    assert!(scene.lane.enter(Epoch(1)).is_some(), "the same again, as after a task that broke off");
    let later = scene.lane.enter(Epoch(2)).expect("a later one");
    for step in [RAISE, Step::TrafficOff, UP, DOWN] {
        let sent = earlier.apply(step).await;
        assert!(matches!(sent, Err(ActError::NotNow(_))), "{step:?}: {sent:?}");
    }
    assert!(scene.lane.enter(Epoch(1)).is_none() && scene.done().is_empty());
    later.apply(Step::TrafficOff).await.expect("set");
    assert_eq!(scene.done(), [Step::TrafficOff]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_earlier_call_gives_way_to_a_later_decision() {
    let hangs = Fate { carried_out_after: ms(4_900), answered_after: None, tells: true };
    let scene = Scene::new(&[hangs]);
    let _earlier = scene.begin(1, RAISE);
    tokio::time::sleep(ms(100)).await;
    let waits = scene.begin(2, Step::TrafficOff);
    tokio::time::sleep(ms(100)).await;
    let last = scene.begin(3, Step::TrafficOff);
    let waited = waits.await.expect("a task");
    assert!(matches!(waited, Err(ActError::NotNow(_))), "{waited:?}");
    assert_eq!(scene.flag.began.elapsed(), ms(200));
    last.await.expect("a task").expect("set");
    tokio::time::sleep(ms(20_000)).await;
    assert_eq!(scene.done().last(), Some(&Step::TrafficOff));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_dropped_may_have_been_sent() {
    let scene = Scene::new(&[Fate { carried_out_after: ms(3_000), answered_after: None, tells: true }]);
    let earlier = scene.begin(1, RAISE);
    tokio::time::sleep(ms(100)).await;
    earlier.abort();
    drop(earlier.await);
    scene.begin(2, Step::TrafficOff).await.expect("a task").expect("set");
    tokio::time::sleep(ms(20_000)).await;
    assert_eq!(scene.done(), [Step::TrafficOff, RAISE, Step::TrafficOff]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_answers_is_given_up() {
    let scene = Scene::new(&[Fate { answered_after: None, ..AT_ONCE }]);
    let sent = scene.begin(1, UP).await.expect("a task");
    assert!(matches!(&sent, Err(ActError::Unknown(answer)) if answer.text.contains("after 5 s")), "{sent:?}");
}
