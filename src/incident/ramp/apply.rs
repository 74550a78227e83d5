//! How a ramp's events fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Approval, Course, HoldReason, Holding, Judgement, Paused, Promotion, Ramp, RampEvent, RampPhase,
    RampSaid, RampStarted, StageRecord,
};
use crate::incident::{NoticeFact, RampId, Share, StepOutcome, StepRecord};

/// The pause after a change that failed doubles from here, up to the longest: an API that refuses is not to be
/// asked a hundred times in a stage.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(300);

impl Ramp {
    pub(in crate::incident) fn start(id: RampId, at: DateTime<Utc>, started: &RampStarted) -> Self {
        let share = started.plan.stages.first().map_or(Share::ZERO, |stage| stage.share);
        Self {
            id,
            plan: Arc::clone(&started.plan),
            plan_sha256: started.plan_sha256.clone(),
            started_at: at,
            started_by: started.actor.clone(),
            started_through: started.through.clone(),
            again_because: started.again_because.clone(),
            warnings: started.warnings.clone(),
            phase: RampPhase::Starting,
            ended_at: None,
            stage: 0,
            stages: vec![StageRecord::new(0, share)],
            step: None,
            last_step_ended_at: None,
            retry_at: None,
            failures: 0,
            paused: None,
            holding: None,
            course: Course::default(),
            evidence: Vec::new(),
            evidence_problems: Vec::new(),
        }
    }

    /// Applies one event of this ramp. Replaying the same events gives the same ramp.
    pub(in crate::incident) fn apply(&mut self, at: DateTime<Utc>, event: &RampEvent) {
        self.remember(at, event);
        match event {
            RampEvent::Started(_) => {}
            RampEvent::StepStarted { step } => self.step = Some(*step),
            RampEvent::StepEnded { record } => self.step_ended(at, record),
            RampEvent::StageBegan { stage } => {
                if let Some(record) = self.record_mut(*stage) {
                    // A stage that begins anew has nothing of what was before.
                    record.began_at = Some(at);
                    record.paused_seconds = 0;
                    record.judgements.clear();
                    (record.approval, record.promotion, record.promoted_at) = (None, None, None);
                }
                (self.failures, self.retry_at) = (0, None);
                // A pause that began before the clock did takes nothing from it.
                if let Some(paused) = &mut self.paused {
                    paused.at = at;
                }
                if self.phase == RampPhase::Starting {
                    self.phase = RampPhase::StageRunning;
                }
            }
            RampEvent::Judged { stage, judgements } => self.judged(*stage, judgements),
            RampEvent::HoldStarted { reasons, detail } => {
                let since = self.holding.as_ref().map_or(at, |holding| holding.since);
                self.phase = RampPhase::StageHolding { reasons: reasons.clone() };
                if !reasons.contains(&HoldReason::StepFailed) {
                    // A change that failed is begun anew once what holds it is over, and not tried meanwhile.
                    (self.failures, self.retry_at) = (0, None);
                }
                let (told_at, is_overdue_reported) = self
                    .holding
                    .as_ref()
                    .map_or((None, false), |holding| (holding.told_at, holding.is_overdue_reported));
                let detail = detail.clone();
                self.holding = Some(Holding { since, detail, told_at, is_overdue_reported });
            }
            RampEvent::HoldEnded => self.goes_on(),
            RampEvent::Paused { actor, words } => {
                self.paused = Some(Paused { at, actor: actor.clone(), words: words.clone() });
            }
            RampEvent::Resumed { .. } => self.resumed(at),
            RampEvent::Approved { stage, actor, through } => {
                if let Some(record) = self.record_mut(*stage) {
                    let (actor, through) = (actor.clone(), through.clone());
                    record.approval = Some(Approval { at, actor, through });
                }
            }
            RampEvent::Promoted(promotion) => self.promote(promotion.clone(), Some(at)),
            RampEvent::StagePassed { stage, judgements } => {
                self.judged(*stage, judgements);
                if let Some(record) = self.record_mut(*stage) {
                    record.passed_at = Some(at);
                }
                if self.failures == 0 {
                    self.goes_on();
                }
            }
            RampEvent::NextStage { stage, share } => {
                self.stage = *stage;
                self.stages.push(StageRecord::new(*stage, *share));
                self.retry_at = None;
            }
            RampEvent::StageReopened { stage } => self.reopened(*stage),
            RampEvent::EvidenceWritten { stage: Some(stage), files, problems } => {
                if let Some(record) = self.record_mut(*stage) {
                    record.evidence.clone_from(files);
                    record.evidence_problems.clone_from(problems);
                }
            }
            RampEvent::EvidenceWritten { stage: None, files, problems } => {
                self.evidence.clone_from(files);
                self.evidence_problems.clone_from(problems);
            }
            RampEvent::Finishing => self.phase = RampPhase::Finishing,
            RampEvent::Succeeded => self.end(at, RampPhase::Succeeded),
            RampEvent::RolledBack { incident } => {
                self.end(at, RampPhase::RolledBack { incident: incident.clone() });
            }
            RampEvent::Aborted { actor, words, incident } => {
                let (actor, words, incident) = (actor.clone(), words.clone(), incident.clone());
                self.end(at, RampPhase::Aborted { actor, words, incident });
            }
            RampEvent::EndedOutside { detail } => {
                self.end(at, RampPhase::EndedOutside { detail: detail.clone() });
            }
        }
    }

    /// What is remembered of a notice, so that it is not raised again too soon.
    pub(in crate::incident) fn noticed(&mut self, at: DateTime<Utc>, fact: &NoticeFact) {
        let NoticeFact::Ramp(fact) = fact else { return };
        let Some(holding) = self.holding.as_mut().filter(|_| fact.ramp == self.id) else { return };
        match &fact.said {
            RampSaid::Holds { .. } => holding.told_at = Some(at),
            RampSaid::HoldsTooLong { .. } => {
                holding.told_at = Some(at);
                holding.is_overdue_reported = true;
            }
            RampSaid::Started { .. }
            | RampSaid::StageBegan { .. }
            | RampSaid::GoesOn
            | RampSaid::Succeeded { .. }
            | RampSaid::Ended { .. }
            | RampSaid::RecordProblem { .. } => {}
        }
    }

    /// The clock was set: spans stay as long as they were.
    pub(in crate::incident) fn clock_stepped(&mut self, by: TimeDelta) {
        if self.phase.has_ended() {
            return;
        }
        let times = [&mut self.retry_at, &mut self.last_step_ended_at];
        times.into_iter().flatten().for_each(|at| *at += by);
        if let Some(paused) = &mut self.paused {
            paused.at += by;
        }
        if let Some(holding) = &mut self.holding {
            holding.since += by;
            holding.told_at = holding.told_at.map(|at| at + by);
        }
        let stage = self.stage;
        if let Some(began_at) = self.record_mut(stage).and_then(|record| record.began_at.as_mut()) {
            *began_at += by;
        }
    }

    fn record_mut(&mut self, stage: usize) -> Option<&mut StageRecord> {
        self.stages.iter_mut().rev().find(|record| record.stage == stage)
    }

    fn judged(&mut self, stage: usize, judgements: &[Judgement]) {
        let Some(record) = self.record_mut(stage) else { return };
        for judgement in judgements {
            record.judgements.insert(judgement.criterion.clone(), judgement.clone());
        }
    }

    fn step_ended(&mut self, at: DateTime<Utc>, record: &StepRecord) {
        self.step = None;
        self.last_step_ended_at = Some(at);
        if record.outcome.is_done() {
            self.failures = 0;
            self.retry_at = None;
        } else if record.outcome == StepOutcome::NotNow {
            self.failures += 1;
            self.retry_at = Some(at + FIRST_PAUSE);
        } else {
            let pause = FIRST_PAUSE * (1 << self.failures.min(6));
            self.failures += 1;
            self.retry_at = Some(at + pause.min(LONGEST_PAUSE));
        }
    }

    /// Back to the stage whose share the canary has.
    fn reopened(&mut self, stage: usize) {
        while self.stages.last().is_some_and(|last| last.stage != stage && last.began_at.is_none()) {
            self.stages.pop();
        }
        self.stage = stage;
        // How often the change has failed is not forgotten: people would hear of it anew at each try.
        self.retry_at = None;
        let Some(record) = self.record_mut(stage) else { return };
        let passed_at = record.passed_at.take();
        if let Some(passed_at) = passed_at.filter(|_| !record.evidence.is_empty()) {
            let passed_at = passed_at.format("%H:%M:%S UTC");
            record.evidence_problems.push(format!(
                "the files are of {passed_at}, when it first passed; what its criteria said as it was left is in no file"
            ));
        }
    }

    fn resumed(&mut self, at: DateTime<Utc>) {
        let Some(paused) = self.paused.take() else { return };
        let stage = self.stage;
        if let Some(record) = self.record_mut(stage).filter(|record| record.began_at.is_some()) {
            // Rounded up: many short pauses must not make a stage shorter.
            record.paused_seconds += ((at - paused.at).num_milliseconds().max(0) + 999) / 1_000;
        }
    }

    fn goes_on(&mut self) {
        self.holding = None;
        if let RampPhase::StageHolding { .. } = self.phase {
            let has_begun = self.stages.iter().any(|record| record.began_at.is_some());
            self.phase = if self.is_finishing() {
                RampPhase::Finishing
            } else if has_begun {
                RampPhase::StageRunning
            } else {
                RampPhase::Starting
            };
        }
    }

    fn end(&mut self, at: DateTime<Utc>, phase: RampPhase) {
        self.phase = phase;
        self.ended_at = Some(at);
        self.step = None;
        self.retry_at = None;
        self.paused = None;
        self.holding = None;
    }

    /// The same ramp with its stage promoted, to see what would be in the way.
    #[must_use]
    pub fn promoted(mut self, promotion: Promotion) -> Self {
        self.promote(promotion, None);
        self
    }

    fn promote(&mut self, promotion: Promotion, at: Option<DateTime<Utc>>) {
        let stage = self.stage;
        if let Some(record) = self.record_mut(stage) {
            (record.promotion, record.promoted_at) = (Some(promotion), at);
        }
    }
}

impl StageRecord {
    fn new(stage: usize, share: Share) -> Self {
        Self {
            stage,
            share,
            began_at: None,
            paused_seconds: 0,
            passed_at: None,
            judgements: BTreeMap::new(),
            approval: None,
            promotion: None,
            promoted_at: None,
            evidence: Vec::new(),
            evidence_problems: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{Event, RampPlan, Revision, RolloutName, RolloutState, StoredAs};

    #[test]
    fn pauses_of_less_than_a_second_make_no_stage_shorter() {
        let plan = RampPlan {
            revision: Revision::new("v1.4.0"),
            stages: Vec::new(),
            max_hold_seconds: 3_600,
            remind_every_seconds: 900,
            watch_after_seconds: 86_400,
            stable_down: false,
        };
        let started = RampStarted {
            plan: Arc::new(plan),
            plan_sha256: String::new(),
            actor: "ada".to_owned(),
            through: "API".to_owned(),
            again_because: None,
            warnings: Vec::new(),
        };
        let paused = || RampEvent::Paused { actor: "ada".to_owned(), words: None };
        let resumed = || RampEvent::Resumed { actor: "ada".to_owned() };
        let mut state = RolloutState::default();
        let told = [
            (0, RampEvent::Started(started)),
            (0, RampEvent::StageBegan { stage: 0 }),
            (1_000, paused()),
            (1_300, resumed()),
            (2_000, paused()),
            (4_000, resumed()),
        ];
        for (milliseconds, happened) in told {
            let at = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds);
            let event = Event::Ramp { ramp: RampId::new("r-ramp-1"), happened };
            state.apply(&StoredAs { at, rollout: RolloutName::new("r"), incident: None, event });
        }
        assert_eq!(state.ramp.expect("a ramp").stages[0].paused_seconds, 1 + 2);
    }
}
