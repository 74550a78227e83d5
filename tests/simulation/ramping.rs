//! Ramps in a schedule: what persons ask of them, and how the systems behind their criteria answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstop::decision::{RampRequest, RampStart};
use backstop::incident::{Criterion, CriterionName, HttpCheck, OnFail, Question, RampPlan, Share, StagePlan};
use backstop::ramp::{Answer, Asked, HttpAnswer, Judge, StageSpan};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::plan::{Action, Plan, TROUBLE};
use crate::process::revision;
use crate::world::World;

/// How long each stage of a simulated ramp lasts, in seconds: all of them fit into a schedule.
pub(crate) const STAGE_SECONDS: u32 = 8;

/// The shares of its stages, in per cent.
pub(crate) const SHARES: [u8; 3] = [5, 50, 100];

/// What is asked in each stage.
pub(crate) const CRITERIA: [&str; 2] = ["checks", "smoke"];

/// Of the other things that happen in a schedule so many are left out: most ramps get nowhere with all of them.
const LEFT_OUT: f64 = 0.6;

/// A fault in what Backstop's core relies on, which has to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RampPlant {
    /// Whoever asks the criteria takes what nobody answered for a pass.
    AdvancesOnUnknown,
    /// What is read back from the store has forgotten that a clock stood still.
    CountsPauses,
    /// An order is sent once more a while later, whatever was decided since.
    SetsLate,
}

/// That a schedule has ramps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ramping {
    pub(crate) plant: Option<RampPlant>,
    /// Whether the second stage is left only with a person's word.
    pub(crate) needs_approval: bool,
}

/// How one criterion is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnAsk {
    #[default]
    Passes,
    Fails,
    /// Nobody answers.
    Down,
    /// The answer comes later than the next question would.
    Slow,
}

/// What happens to a ramp.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Start,
    Pause,
    Resume,
    Approve,
    Promote { is_full: bool, is_forced: bool },
    Abort,
    OnAsk(usize, OnAsk),
}

impl Plan {
    /// With ramps of the first rollout; perhaps with a fault in what the core relies on.
    pub(crate) fn with_ramps(seed: u64, plant: Option<RampPlant>) -> Self {
        use rand::SeedableRng;
        let mut plan = Self::of(seed);
        let mut rng = StdRng::seed_from_u64(seed.rotate_left(16));
        plan.ramping = Some(Ramping { plant, needs_approval: rng.random_bool(0.2) });
        (plan.on_disk, plan.sets_clock) = (false, false);
        (plan.readable, plan.modes[0]) = (true, backstop::decision::Mode::Armed);
        plan.actions.retain(|(at, action)| match action {
            Action::Share(0, _) => *at > Duration::ZERO && !rng.random_bool(LEFT_OUT),
            Action::SetClock { .. } => false,
            _ => !rng.random_bool(LEFT_OUT),
        });
        let start = Duration::from_millis(rng.random_range(3_000..6_000));
        plan.actions.push((start, Action::Ramp(Act::Start)));
        for _ in 0..rng.random_range(0..9) {
            let at = Duration::from_millis(rng.random_range(0..TROUBLE.as_millis() as u64));
            plan.actions.push((at, Action::Ramp(Act::draw(&mut rng))));
        }
        if rng.random_bool(0.3) {
            let (at, rest) =
                (rng.random_range(4_000..40_000), Duration::from_millis(rng.random_range(0..9_000)));
            let crash = Action::Crash { steps: rng.random_range(0..60), rest, unseen: None };
            plan.actions.push((Duration::from_millis(at), crash));
        }
        if rng.random_bool(0.3) {
            plan.actions.extend(paused_before_a_crash(&mut rng, start));
        }
        plan.actions.sort_by_key(|(at, _)| *at);
        plan
    }
}

/// A stage is paused and goes on, and then the process is killed: the next one has to know for how long.
fn paused_before_a_crash(rng: &mut StdRng, start: Duration) -> [(Duration, Action); 3] {
    let mut later = |least: u64, most: u64| Duration::from_millis(rng.random_range(least..most));
    let paused = start + later(2_000, 6_000);
    let resumed = paused + later(3_000, 12_000);
    let (killed, rest) = (resumed + later(100, 1_500), later(0, 1_000));
    let crash = Action::Crash { steps: 0, rest, unseen: None };
    [(paused, Action::Ramp(Act::Pause)), (resumed, Action::Ramp(Act::Resume)), (killed, crash)]
}

impl Act {
    fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..20) {
            0..2 => Self::Start,
            2..5 => Self::Pause,
            5..8 => Self::Resume,
            8..10 => Self::Approve,
            10..13 => Self::Promote { is_full: rng.random_bool(0.3), is_forced: rng.random_bool(0.4) },
            13..15 => Self::Abort,
            _ => {
                let answers = [OnAsk::Passes, OnAsk::Passes, OnAsk::Fails, OnAsk::Down, OnAsk::Slow];
                Self::OnAsk(rng.random_range(0..CRITERIA.len()), *answers.choose(rng).expect("one"))
            }
        }
    }

    /// What a person asks for; `None`: it is no person.
    pub(crate) fn request(self, ramping: Ramping, deployments: u32, number: u32) -> Option<RampRequest> {
        let words = format!("for reason {number}");
        Some(match self {
            Self::Start => RampRequest::Start(Box::new(start(ramping, deployments, words))),
            Self::Pause => RampRequest::Pause { words: None },
            Self::Resume => RampRequest::Resume,
            Self::Approve => RampRequest::Approve { through: "Slack".to_owned() },
            Self::Promote { is_full, is_forced } => {
                RampRequest::Promote { is_full, is_forced, words: is_forced.then_some(words) }
            }
            Self::Abort => RampRequest::Abort { words },
            Self::OnAsk(..) => return None,
        })
    }
}

fn start(ramping: Ramping, deployments: u32, words: String) -> RampStart {
    let criterion = |name: &&str| Criterion {
        name: CriterionName::new(*name),
        title: (*name).to_owned(),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question: Question::Http(HttpCheck {
            url: format!("http://{name}"),
            status: 200,
            pointer: None,
            expected: None,
            every_seconds: 1,
        }),
    };
    let stage = |share: u8| StagePlan {
        share: Share(share),
        duration_seconds: STAGE_SECONDS,
        needs_approval: ramping.needs_approval && share == SHARES[1],
        criteria: CRITERIA.iter().map(criterion).collect(),
    };
    let plan = RampPlan {
        revision: revision(deployments),
        stages: SHARES.map(stage).to_vec(),
        max_hold_seconds: 60,
        remind_every_seconds: 30,
        watch_after_seconds: 600,
        stable_down: false,
    };
    RampStart {
        plan: Arc::new(plan),
        plan_sha256: "ab".repeat(32),
        through: "simulation".to_owned(),
        again_because: Some(words),
        is_confirmed: true,
        unanswered: Vec::new(),
        to_be_confirmed: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Asks the simulated systems.
#[derive(Debug)]
pub(crate) struct SimulatedJudge {
    pub(crate) world: World,
    pub(crate) plant: Option<RampPlant>,
}

#[async_trait]
impl Judge for SimulatedJudge {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        let Self { world, plant } = self;
        world.step().await;
        let which = CRITERIA.iter().position(|name| *name == criterion.name.as_str()).unwrap_or_default();
        let asked_at = span.now;
        let on_ask = world.lock().ramps.on_ask[which];
        match on_ask {
            OnAsk::Slow => tokio::time::sleep(Duration::from_millis(2_700)).await,
            OnAsk::Passes | OnAsk::Fails | OnAsk::Down => {}
        }
        let answer = |status, error: Option<&str>| {
            let error = error.map(str::to_owned);
            Answer::Http(HttpAnswer { asked_at, status, pointed: None, error })
        };
        let passes = || answer(Some(200), None);
        let given = match on_ask {
            OnAsk::Passes | OnAsk::Slow => passes(),
            OnAsk::Fails => answer(Some(500), None),
            OnAsk::Down if *plant == Some(RampPlant::AdvancesOnUnknown) => passes(),
            OnAsk::Down => answer(None, Some("connection refused")),
        };
        let now = world.now();
        world.lock().ramps.answered(which, on_ask, now);
        Asked::bare(given)
    }
}
