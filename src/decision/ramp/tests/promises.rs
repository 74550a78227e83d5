//! What a ramp never does, whatever happens in whatever order.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::scene::{Scene, plan, start_of};
use crate::decision::ramp::RampRequest;
use crate::decision::{Confirmation, Input, Reading};
use crate::incident::{
    Event, GateVerdict, Judgement, Promotion, RampEvent, Revision, Share, Step, StepOutcome,
};

const SEEDS: u64 = 3_000;
const TURNS: usize = 60;

/// Things go as they should for a while.
fn goes_well(scene: &mut Scene, chance: &mut StdRng) {
    scene.world.watchdog_silent_seconds = 0;
    scene.world.frozen = None;
    scene.world.policy.revision = Revision::new("v1.4.0");
    if scene.ramp().paused.is_some() && chance.random_bool(0.5) {
        scene.ask(RampRequest::Resume);
    }
    if scene.world.state.open_incident().is_some() {
        scene.world.confirm(Confirmation::Gone);
    }
    if scene.ramp().step.is_some() {
        scene.step_ends(StepOutcome::Done);
    }
    if scene.ramp().stage_began_at().is_some() {
        scene.wait(1);
        scene.judge(GateVerdict::Pass);
    } else {
        scene.world.wait(1);
        let before = scene.ramp().share_set();
        scene.world.share(before.0);
    }
}

/// One thing that may happen.
fn happens(scene: &mut Scene, chance: &mut StdRng) {
    scene.world.wait(chance.random_range(0..=400));
    if scene.world.state.running_ramp().is_none() {
        scene.world.share(0);
        scene.ask(RampRequest::Start(Box::new(start_of(plan()))));
        return;
    }
    if chance.random_bool(0.7) {
        return goes_well(scene, chance);
    }
    match chance.random_range(0..22) {
        0 => scene.ask(RampRequest::Pause { words: None }),
        1 => scene.ask(RampRequest::Resume),
        2 => scene.promote(chance.random_bool(0.3), chance.random_bool(0.3).then_some("in a hurry")),
        3 => scene.ask(RampRequest::Approve { through: "Slack".to_owned() }),
        4 if chance.random_bool(0.2) => scene.ask(RampRequest::Abort { words: "no".to_owned() }),
        5 if chance.random_bool(0.2) => {
            scene.world.critical("Errors");
        }
        6 => {
            scene.world.warning("Slow");
        }
        7 if scene.world.state.open_incident().is_some() => {
            scene.world.confirm(Confirmation::Gone);
        }
        8 => scene.world.watchdog_silent_seconds = if chance.random_bool(0.5) { 600 } else { 0 },
        9 => scene.world.frozen = chance.random_bool(0.5).then(|| "a freeze".to_owned()),
        10 => {
            let version = if chance.random_bool(0.3) { "v1.5.0" } else { "v1.4.0" };
            scene.world.policy.revision = Revision::new(version);
        }
        11 => {
            scene.world.share([0, 1, 2, 25, 50, 100][chance.random_range(0..6)]);
        }
        12 => scene.unread(),
        13 => scene.world.reading = Reading::Never,
        14 => {
            scene.world.send(&Input::Tick);
        }
        15 | 16 if scene.ramp().step.is_some() => {
            let outcomes = [
                StepOutcome::Done,
                StepOutcome::Done,
                StepOutcome::Failed,
                StepOutcome::Unknown,
                StepOutcome::NotNow,
            ];
            scene.step_ends(outcomes[chance.random_range(0..outcomes.len())]);
        }
        17..=20 => {
            let verdicts = [GateVerdict::Pass, GateVerdict::Pass, GateVerdict::Fail, GateVerdict::Unknown];
            scene.judge(verdicts[chance.random_range(0..verdicts.len())]);
        }
        _ => scene.wait(0),
    }
}

/// A stage as the journal tells of it.
#[derive(Default)]
struct Stage {
    began_at: Option<chrono::DateTime<chrono::Utc>>,
    paused_at: Option<chrono::DateTime<chrono::Utc>>,
    paused_seconds: i64,
    passed_at: Option<chrono::DateTime<chrono::Utc>>,
    promotion: Option<Promotion>,
}

impl Stage {
    fn resume(&mut self, at: chrono::DateTime<chrono::Utc>) {
        if let Some(paused_at) = self.paused_at.take() {
            let counts_from = self.began_at.map_or(at, |began_at| began_at.max(paused_at));
            self.paused_seconds += (at - counts_from).num_seconds();
        }
    }
}

fn were_good(judgements: &[Judgement], promotion: Option<&Promotion>) -> bool {
    let known = |judgement: &Judgement| {
        promotion.and_then(|promotion| promotion.in_spite_of_criteria.get(&judgement.criterion)).copied()
    };
    judgements.iter().all(|judgement| match judgement.verdict {
        GateVerdict::Pass => true,
        GateVerdict::Fail => known(judgement) == Some(GateVerdict::Fail),
        GateVerdict::Unknown => known(judgement).is_some(),
    })
}

/// Reads the whole journal as an auditor would.
fn audit(scene: &Scene) -> Result<(), String> {
    let (mut before, mut stage, mut allowed, mut runs) = (None, Stage::default(), Share::ZERO, false);
    for stored in &scene.world.journal {
        let at = stored.at;
        let happened = match &stored.event {
            Event::RollbackStarted { .. } => {
                // Barred by its epoch, and ended by the same decision.
                continue;
            }
            Event::Ramp { happened, .. } => happened,
            _ => continue,
        };
        match happened {
            RampEvent::Started(started) => {
                (before, stage, allowed, runs) = (None, Stage::default(), started.plan.stages[0].share, true);
            }
            RampEvent::StepStarted { step: Step::SetShare { share, .. } } if !runs || *share > allowed => {
                return Err(format!("{share} is set at {at}, and {allowed} is allowed"));
            }
            RampEvent::StepStarted { step: Step::SetShare { share, .. } } => {
                let passed_at = before.as_ref().and_then(|(before, _): &(Stage, Share)| before.passed_at);
                if passed_at.is_some_and(|passed_at| (at - passed_at).num_seconds() > 120) {
                    return Err(format!("{share} is set at {at} by what was good at {passed_at:?}"));
                }
            }
            // It may begin anew, after another share or revision.
            RampEvent::StageBegan { .. } => {
                stage = Stage { began_at: Some(at), paused_at: stage.paused_at, ..Stage::default() };
            }
            RampEvent::Paused { .. } => stage.paused_at = Some(at),
            RampEvent::Resumed { .. } => stage.resume(at),
            RampEvent::Promoted(promotion) => stage.promotion = Some(promotion.clone()),
            RampEvent::StagePassed { judgements, .. } => {
                let began_at = stage.began_at.ok_or("a stage is passed that never began")?;
                let lasted = (at - began_at).num_seconds() - stage.paused_seconds;
                if stage.paused_at.is_some() || (stage.promotion.is_none() && lasted < 900) {
                    return Err(format!("a stage is passed after {lasted} s"));
                }
                if judgements.is_empty() || !were_good(judgements, stage.promotion.as_ref()) {
                    return Err(format!("a stage is passed with {judgements:?}"));
                }
            }
            RampEvent::NextStage { share, .. } => {
                let passed = std::mem::take(&mut stage);
                before = Some((Stage { passed_at: Some(at), ..passed }, allowed));
                allowed = *share;
            }
            RampEvent::StageReopened { .. } => {
                (stage, allowed) = before.take().ok_or("no stage was before the one that is reopened")?;
            }
            RampEvent::RolledBack { .. }
            | RampEvent::Aborted { .. }
            | RampEvent::EndedOutside { .. }
            | RampEvent::Succeeded => runs = false,
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn no_share_is_raised_without_passed_gates_or_a_persons_force_nor_early_nor_after_the_end() {
    let mut raised = 0;
    for seed in 0..SEEDS {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut scene = Scene::started_with(plan());
        for _ in 0..TURNS {
            happens(&mut scene, &mut chance);
        }
        raised += usize::from(scene.shares_set().iter().any(|share| *share > 1));
        if let Err(broken) = audit(&scene) {
            panic!("seed {seed}: {broken}");
        }
    }
    assert!(raised > 100, "the world is one in which ramps go on: {raised}");
}

#[test]
fn a_rollback_or_an_abort_leaves_no_change_of_the_ramp_to_be_made() {
    for seed in 0..SEEDS / 3 {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut scene = Scene::started_with(plan());
        for _ in 0..chance.random_range(0..40) {
            happens(&mut scene, &mut chance);
        }
        if scene.world.state.running_ramp().is_none() {
            continue;
        }
        scene.world.wait(5);
        scene.ask(RampRequest::Abort { words: "now".to_owned() });
        let open = scene.world.state.open_incident();
        let acts = open.is_some_and(|open| open.has_rolled_back());
        let was_sent = scene.ramp().last_step_ended_at.is_some();
        assert!(acts || !was_sent, "seed {seed}: {:?}", scene.ramp().phase);
        let before = scene.shares_set().len();
        for _ in 0..10 {
            scene.world.wait(100);
            scene.judge(GateVerdict::Pass);
            scene.world.send(&Input::Tick);
        }
        assert_eq!(scene.shares_set().len(), before, "seed {seed}");
    }
}
