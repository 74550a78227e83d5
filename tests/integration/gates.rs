//! When the criteria of a ramp's stage are asked, and what follows from the answers, in stepped time.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstop::clock::{Clock, SteppedClock};
use backstop::decision::{Input, RampRequest, RampStart, Request};
use backstop::execution::{ActError, ReadError, Target};
use backstop::incident::{
    Answer, Bound, Criterion, CriterionName, HoldReason, HttpCheck, Observation, OnFail, Question, Ramp,
    RampPhase, RampPlan, RangeQuery, Revision, Share, StagePlan, Step, Unit,
};
use backstop::pipeline::Rollout;
use backstop::ramp::{Answer as Answered, Asked, HttpAnswer, Judge, RangeAnswer, Series, StageSpan};
use backstop::store::MemoryStore;
use chrono::TimeDelta;

use crate::support::in_memory::{InMemory, name, rollout};

mod by_itself;

/// A canary whose share is set and read.
#[derive(Debug, Default)]
struct Dial(AtomicU8, AtomicBool);

#[async_trait]
impl Target for Dial {
    fn describe(&self, _: Step) -> String {
        "SET".to_owned()
    }

    async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        if self.1.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(share) = step.sets_share() {
            self.0.store(share.0, Ordering::SeqCst);
        }
        Ok(Answer { status: Some(200), text: String::new() })
    }

    fn can_observe(&self) -> bool {
        true
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        Ok(Observation::of_share(Share(self.0.load(Ordering::SeqCst))))
    }
}

/// What it answers is the test's; when it was asked is kept.
#[derive(Debug)]
struct Scripted {
    value: Mutex<f64>,
    /// An API that never answers.
    hangs: Mutex<bool>,
    panics: Mutex<u32>,
    /// Seconds since the stage began, of each question to Prometheus.
    asked: Mutex<Vec<i64>>,
    /// The same of those to the API.
    api_asked: Mutex<Vec<i64>>,
}

impl Scripted {
    fn api_asked(&self) -> Vec<i64> {
        self.api_asked.lock().expect("whole").clone()
    }

    fn break_off_where_it_is_wanted(&self) {
        let left = std::mem::take(&mut *self.panics.lock().expect("whole"));
        assert_eq!(left, 0, "the test asked for it");
    }
}

#[async_trait]
impl Judge for Scripted {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        let answer = match &criterion.question {
            Question::Query(query) => {
                self.asked.lock().expect("whole").push((span.now - span.began_at).num_seconds());
                self.break_off_where_it_is_wanted();
                let value = *self.value.lock().expect("whole");
                let grid = span.grid(query);
                #[expect(clippy::cast_precision_loss, reason = "a time of this century")]
                let points = grid.iter().flat_map(|grid| {
                    (0..grid.points()).map(|n| ((grid.start + grid.step * n as i64) as f64, value))
                });
                let series = vec![Series { labels: Default::default(), points: points.collect() }];
                Answered::Range(RangeAnswer { series, ..RangeAnswer::default() })
            }
            _ => {
                self.api_asked.lock().expect("whole").push((span.now - span.began_at).num_seconds());
                self.break_off_where_it_is_wanted();
                if *self.hangs.lock().expect("whole") {
                    std::future::pending::<()>().await;
                }
                let answer = HttpAnswer { asked_at: span.now, status: Some(200), pointed: None, error: None };
                Answered::Http(answer)
            }
        };
        Asked::bare(answer)
    }
}

fn criterion(name: &str, question: Question) -> Criterion {
    Criterion {
        name: CriterionName::new(name),
        title: name.to_owned(),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question,
    }
}

fn query() -> Criterion {
    let query = RangeQuery {
        expression: "p95".to_owned(),
        bound: Bound::Below(0.2),
        unit: Unit::Seconds,
        window_seconds: 10,
        since_stage_began: false,
        samples: None,
        min_samples: 0,
    };
    criterion("p95", Question::Query(query))
}

fn api() -> Criterion {
    api_asked_every(60)
}

fn api_asked_every(every_seconds: u32) -> Criterion {
    let url = "http://127.0.0.1:1/".to_owned();
    let check = HttpCheck { url, status: 200, pointer: None, expected: None, every_seconds };
    criterion("contract", Question::Http(check))
}

/// A ramp of 5 and 100 %, each stage 100 s, and what it is judged by.
struct Scene {
    backstop: InMemory,
    judge: Arc<Scripted>,
    dial: Arc<Dial>,
    store: Arc<MemoryStore>,
}

fn spark(dial: &Arc<Dial>, judge: &Arc<Scripted>) -> Rollout {
    Rollout {
        judge: judge.clone(),
        judge_interval: Duration::from_secs(30),
        ..rollout(Arc::clone(dial) as Arc<dyn Target>)
    }
}

impl Scene {
    async fn new(criteria: Vec<Criterion>) -> Self {
        Self::lasting(100, criteria).await
    }

    /// With stages that last so many seconds.
    async fn lasting(duration_seconds: u32, criteria: Vec<Criterion>) -> Self {
        let judge = Arc::new(Scripted {
            value: Mutex::new(0.1),
            hangs: Mutex::new(false),
            panics: Mutex::new(0),
            asked: Mutex::default(),
            api_asked: Mutex::default(),
        });
        let (dial, store) = (Arc::new(Dial::default()), Arc::new(MemoryStore::default()));
        let clock = Arc::new(SteppedClock::starting_at("2026-11-24T03:00:00Z".parse().expect("a time")));
        let mut backstop = InMemory::new(spark(&dial, &judge), Vec::new(), store.clone(), clock).await;
        backstop.watch();
        backstop.work();
        let scene = Self { backstop, judge, dial, store };
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stage = |share| StagePlan {
            share: Share(share),
            duration_seconds,
            needs_approval: false,
            criteria: criteria.clone(),
        };
        let plan = RampPlan {
            revision: Revision::new("v1.4.0"),
            stages: vec![stage(5), stage(100)],
            max_hold_seconds: 3_600,
            remind_every_seconds: 900,
            watch_after_seconds: 0,
            stable_down: false,
        };
        scene
            .ask(RampRequest::Start(Box::new(RampStart {
                plan: Arc::new(plan),
                plan_sha256: "0".repeat(64),
                through: "API".to_owned(),
                again_because: None,
                is_confirmed: false,
                unanswered: Vec::new(),
                to_be_confirmed: Vec::new(),
                warnings: Vec::new(),
            })))
            .await;
        scene.passes(1).await;
        assert_eq!((scene.share(), scene.ramp().phase), (5, RampPhase::StageRunning));
        scene
    }

    async fn ask(&self, request: RampRequest) {
        let input = Input::Person { actor: "ada".to_owned(), request: Request::Ramp(request) };
        let ruling = self.backstop.worker.journal.submit_one(&name(), input).await.expect("taken");
        assert_eq!(ruling.refusal, None);
    }

    async fn passes(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn share(&self) -> u8 {
        self.dial.0.load(Ordering::SeqCst)
    }

    fn ramp(&self) -> Ramp {
        self.backstop.state().ramp.as_deref().cloned().expect("a ramp")
    }

    fn holds_for(&self) -> Vec<HoldReason> {
        match self.ramp().phase {
            RampPhase::StageHolding { reasons, .. } => reasons,
            _ => Vec::new(),
        }
    }

    fn asked(&self) -> Vec<i64> {
        self.judge.asked.lock().expect("whole").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn criteria_are_asked_as_the_stage_begins_at_each_interval_and_as_its_time_is_over() {
    let scene = Scene::new(vec![query()]).await;
    scene.passes(98).await;
    assert_eq!((scene.asked(), scene.share()), (vec![0, 30, 60, 90], 5));
    scene.passes(3).await;
    assert_eq!((&scene.asked()[..5], scene.share()), (&[0, 30, 60, 90, 100][..], 100));
}

#[tokio::test(start_paused = true)]
async fn what_fails_holds_and_goes_on_by_itself_once_it_is_good_again() {
    let scene = Scene::new(vec![query()]).await;
    *scene.judge.value.lock().expect("whole") = 0.3;
    scene.passes(110).await;
    assert_eq!((scene.share(), scene.holds_for()), (5, vec![HoldReason::CriterionFails]));
    *scene.judge.value.lock().expect("whole") = 0.1;
    scene.passes(30).await;
    assert_eq!(scene.share(), 100);
}

#[tokio::test(start_paused = true)]
async fn in_a_stage_that_begins_anew_everything_is_asked_anew() {
    let scene = Scene::new(vec![query(), api_asked_every(600)]).await;
    scene.passes(30).await;
    scene.dial.0.store(50, Ordering::SeqCst);
    scene.passes(25).await;
    assert_eq!(scene.holds_for(), [HoldReason::ShareChanged]);
    scene.dial.0.store(5, Ordering::SeqCst);
    scene.passes(25).await;
    assert_eq!(scene.ramp().phase, RampPhase::StageRunning);
    scene.passes(70).await;
    assert_eq!(scene.share(), 5, "its hundred seconds began with the share that came back");
    scene.passes(35).await;
    assert_eq!(scene.share(), 100, "{:?}", scene.ramp().record());
}

#[tokio::test(start_paused = true)]
async fn a_person_who_says_enough_waiting_is_not_kept_waiting_for_the_next_round() {
    let scene = Scene::new(vec![query()]).await;
    scene.passes(35).await;
    let request = RampRequest::Promote { is_full: false, is_forced: false, words: None };
    scene.ask(request).await;
    scene.passes(2).await;
    assert_eq!(scene.share(), 100, "{:?}", scene.asked());
}

#[tokio::test(start_paused = true)]
async fn a_question_that_breaks_off_is_asked_again() {
    let scene = Scene::new(vec![query()]).await;
    *scene.judge.panics.lock().expect("whole") = 1;
    scene.passes(101).await;
    assert_eq!(scene.share(), 100, "{:?}", scene.asked());
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_asks_anew_and_skips_nothing() {
    let scene = Scene::new(vec![query()]).await;
    scene.passes(60).await;
    let Scene { backstop, judge, dial, store } = scene;
    let clock = backstop.clock.clone();
    drop(backstop);
    judge.asked.lock().expect("whole").clear();
    clock.step(TimeDelta::seconds(30));
    let mut backstop = InMemory::new(spark(&dial, &judge), Vec::new(), store.clone(), clock.clone()).await;
    backstop.watch();
    backstop.work();
    let scene = Scene { backstop, judge, dial, store };
    scene.passes(1).await;
    let began_at = scene.ramp().stage_began_at().expect("begun");
    let first = scene.asked();
    assert_eq!(first.len(), 1, "at once: {first:?}");
    assert!((90..=93).contains(&first[0]), "as of now: {first:?}");
    assert_eq!(scene.share(), 5);
    scene.passes(12).await;
    assert_eq!(scene.share(), 100);
    assert!(scene.backstop.clock.now() - began_at >= TimeDelta::seconds(100));
}

#[tokio::test(start_paused = true)]
async fn a_share_that_a_person_set_to_0_stays_there_although_a_change_was_under_way_at_a_restart() {
    let scene = Scene::new(vec![query()]).await;
    // Its flag API hangs as the next share is set; the process is killed, and somebody takes the canary off.
    scene.dial.1.store(true, Ordering::SeqCst);
    scene.passes(101).await;
    assert!(scene.ramp().step.is_some() && scene.share() == 5, "{:?}", scene.ramp());
    let Scene { backstop, judge, dial, store } = scene;
    let clock = backstop.clock.clone();
    drop(backstop);
    dial.1.store(false, Ordering::SeqCst);
    dial.0.store(0, Ordering::SeqCst);
    let mut backstop = InMemory::new(spark(&dial, &judge), Vec::new(), store.clone(), clock).await;
    backstop.watch();
    backstop.work();
    let scene = Scene { backstop, judge, dial, store };
    scene.passes(60).await;
    assert_eq!(scene.share(), 0);
    assert!(matches!(scene.ramp().phase, RampPhase::EndedOutside { .. }), "{:?}", scene.ramp());
}
