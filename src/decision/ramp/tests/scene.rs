//! A rollout with a ramp, moved by hand.

use std::sync::Arc;

use crate::decision::ramp::{RampRequest, RampStart};
use crate::decision::world::World;
use crate::decision::{Command, Input, Reading, Refusal, Request};
use crate::incident::{
    Answer, Attempt, Bound, Criterion, CriterionName, Event, GateReason, GateVerdict, HoldReason, Judgement,
    OnFail, Question, Ramp, RampEvent, RampPhase, RampPlan, RangeQuery, Revision, Share, StagePlan, Step,
    StepOutcome, StepRecord, Unit,
};

/// How long each stage lasts.
pub(super) const STAGE: i64 = 900;

pub(super) struct Scene {
    pub(super) world: World,
}

pub(super) fn criterion(name: &str) -> Criterion {
    Criterion {
        name: CriterionName::new(name),
        title: format!("{name} is good"),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question: Question::Query(RangeQuery {
            expression: "up".to_owned(),
            bound: Bound::Below(0.2),
            unit: Unit::Seconds,
            window_seconds: 300,
            since_stage_began: false,
            samples: None,
            min_samples: 0,
        }),
    }
}

/// Stages of 1, 25 and 100 %, each with the criterion `latency`.
pub(super) fn plan() -> RampPlan {
    let stage = |share| StagePlan {
        share: Share(share),
        duration_seconds: 900,
        needs_approval: false,
        criteria: vec![criterion("latency")],
    };
    RampPlan {
        revision: Revision::new("v1.4.0"),
        stages: vec![stage(1), stage(25), stage(100)],
        max_hold_seconds: 3_600,
        remind_every_seconds: 900,
        watch_after_seconds: 86_400,
        stable_down: false,
    }
}

pub(super) fn start_of(plan: RampPlan) -> RampStart {
    RampStart {
        plan: Arc::new(plan),
        plan_sha256: "0".repeat(64),
        through: "command line".to_owned(),
        again_because: None,
        is_confirmed: false,
        unanswered: Vec::new(),
        to_be_confirmed: Vec::new(),
        warnings: Vec::new(),
    }
}

impl Scene {
    /// At 0 %, nothing started.
    pub(super) fn at_rest() -> Self {
        let mut world = World::with_canary();
        world.share(0);
        Self { world }
    }

    /// Its first share is to be set.
    pub(super) fn started_with(plan: RampPlan) -> Self {
        let mut scene = Self::at_rest();
        scene.ask(RampRequest::Start(Box::new(start_of(plan))));
        assert_eq!(scene.world.refusal, None);
        scene
    }

    /// In its first stage, read back.
    pub(super) fn running() -> Self {
        Self::running_with(plan())
    }

    pub(super) fn running_with(plan: RampPlan) -> Self {
        let mut scene = Self::started_with(plan);
        scene.share_is_set();
        scene
    }

    /// The step under way is carried out, and read back.
    pub(super) fn share_is_set(&mut self) {
        let share = self.ramp().share();
        self.step_ends(StepOutcome::Done);
        self.world.share(share.0);
    }

    pub(super) fn step_ends(&mut self, outcome: StepOutcome) {
        let (ramp, step) = (self.ramp().id.clone(), self.ramp().step.expect("a step"));
        let at = self.world.now;
        let attempt = Attempt {
            started_at: at,
            ended_at: at,
            request: "POST".to_owned(),
            answer: Answer { status: None, text: "answer".to_owned() },
            read_back: None,
            observed: None,
            read_failed: false,
            outcome,
        };
        let step = StepRecord {
            step,
            started_at: at,
            ended_at: at,
            attempts: vec![attempt],
            outcome,
            share_before: None,
            decided_at: None,
        };
        self.world.send(&Input::RampStepEnded { ramp, step });
    }

    pub(super) fn ask(&mut self, request: RampRequest) {
        self.world.person(Request::Ramp(request));
    }

    pub(super) fn promote(&mut self, is_full: bool, words: Option<&str>) {
        let is_forced = words.is_some();
        self.ask(RampRequest::Promote { is_full, is_forced, words: words.map(str::to_owned) });
    }

    /// Time goes by, and the share is read as it was set.
    pub(super) fn wait(&mut self, seconds: i64) {
        self.world.wait(seconds);
        let share = self.ramp().share();
        self.world.share(share.0);
    }

    pub(super) fn judge(&mut self, verdict: GateVerdict) {
        let judgements = vec![self.judgement("latency", verdict)];
        self.judged(judgements);
    }

    /// The criteria `latency` and `errors`.
    pub(super) fn judge_both(&mut self, [latency, errors]: [GateVerdict; 2]) {
        let judgements = vec![self.judgement("latency", latency), self.judgement("errors", errors)];
        self.judged(judgements);
    }

    fn judgement(&self, criterion: &str, verdict: GateVerdict) -> Judgement {
        let reason = match verdict {
            GateVerdict::Pass => GateReason::Within,
            GateVerdict::Fail => GateReason::OutsideNow,
            GateVerdict::Unknown => GateReason::NoData,
        };
        Judgement {
            criterion: CriterionName::new(criterion),
            verdict,
            reason,
            value: Some(0.1),
            detail: "0.1 s".to_owned(),
            judged_at: self.world.now,
        }
    }

    pub(super) fn judged(&mut self, judgements: Vec<Judgement>) {
        let (ramp, stage) = (self.ramp().id.clone(), self.ramp().stage);
        self.world.send(&Input::RampJudged { ramp, stage, judgements });
    }

    /// A stage's time goes by, and all of it was good.
    pub(super) fn stage_passes(&mut self) {
        self.wait(STAGE);
        self.judge(GateVerdict::Pass);
    }

    /// In its last stage, which has passed; no evidence is written yet.
    pub(super) fn finishing() -> Self {
        let mut scene = Self::running();
        for _ in 0..2 {
            scene.stage_passes();
            scene.share_is_set();
        }
        scene.stage_passes();
        assert_eq!(scene.state(), "finishing");
        scene
    }

    /// The evidence of every stage that is over is written.
    pub(super) fn evidence_is_written(&mut self) {
        let ramp = self.ramp().id.clone();
        let due = self.world.due();
        for command in due {
            let Command::WriteRampEvidence { stage, .. } = command else { continue };
            let file = crate::incident::EvidenceFile {
                name: "rollout_stage_1.txt".to_owned(),
                sha256: "0".repeat(64),
                directory: None,
            };
            self.world.send(&Input::RampEvidenceWritten {
                ramp: ramp.clone(),
                stage,
                files: vec![file],
                problems: Vec::new(),
            });
        }
    }

    pub(super) fn ramp(&self) -> &Ramp {
        self.world.state.ramp.as_deref().expect("a ramp")
    }

    pub(super) fn state(&self) -> &'static str {
        self.ramp().phase.as_str()
    }

    pub(super) fn holds_for(&self) -> Vec<HoldReason> {
        match &self.ramp().phase {
            RampPhase::StageHolding { reasons } => reasons.clone(),
            _ => Vec::new(),
        }
    }

    /// The share that is being set.
    pub(super) fn setting(&self) -> Option<u8> {
        match self.ramp().step {
            Some(Step::SetShare { share, .. }) => Some(share.0),
            _ => None,
        }
    }

    pub(super) fn refusal(&self) -> String {
        match &self.world.refusal {
            Some(Refusal::Ramp(refusal)) => refusal.name().to_string(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.world.notices().iter().filter(|notice| **notice == name).count()
    }

    pub(super) fn unread(&mut self) {
        self.world.reading = Reading::At { at: self.world.now, share: None };
        self.world.send(&Input::ShareRead);
    }

    /// The shares that were set, in order.
    pub(super) fn shares_set(&self) -> Vec<u8> {
        let begun = self.world.journal.iter().filter_map(|stored| match &stored.event {
            Event::Ramp {
                happened: RampEvent::StepStarted { step: Step::SetShare { share, .. } }, ..
            } => Some(share.0),
            _ => None,
        });
        begun.collect()
    }
}
