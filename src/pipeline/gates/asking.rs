//! The questions that are being asked, and those that were.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::Instrument;

use super::occasion::{Occasion, next_round};
use super::questions;
use crate::decision::Input;
use crate::incident::{Criterion, CriterionName, GateVerdict, Ramp, RolloutName};
use crate::metrics::Metrics;
use crate::pipeline::{Rollout, Worker};
use crate::ramp::{Asked, LastAsked, Leaving, Pace, StageSpan, judge_answer, next_asked};

/// What a task was started for: a whole round, or one criterion that is asked by itself.
type Of = (RolloutName, Option<CriterionName>);

/// What a task came back with: nothing of a round, which has been reported by then.
type Came = Option<(Arc<Asked>, LastAsked)>;

/// Everything that is under way. Dropped, it ends.
#[derive(Debug, Default)]
pub(super) struct Asking {
    tasks: JoinSet<Came>,
    of_task: HashMap<Id, Of>,
    stages: BTreeMap<RolloutName, Stage>,
}

/// One stage that is asked about.
#[derive(Debug)]
struct Stage {
    /// Of the latest round.
    occasion: Occasion,
    round_at: Option<DateTime<Utc>>,
    round: Option<AbortHandle>,
    by_itself: BTreeMap<CriterionName, ByItself>,
    /// One of them has answered since the latest round began.
    has_news: bool,
    /// When it was first seen that a person had said it may be left.
    promoted_at: Option<DateTime<Utc>>,
}

/// A criterion that is asked by itself.
#[derive(Debug, Default)]
struct ByItself {
    last: Option<LastAsked>,
    running: Option<AbortHandle>,
    answer: Option<Arc<Asked>>,
}

impl Stage {
    fn of(occasion: Occasion) -> Self {
        let (by_itself, has_news) = (BTreeMap::new(), false);
        Self { occasion, round_at: None, round: None, by_itself, has_news, promoted_at: None }
    }

    /// When it may be left; `None`: nobody knows, while its clock stands still.
    fn leaves_at(&self, ramp: &Ramp) -> Option<DateTime<Utc>> {
        ramp.stage_ends_at().into_iter().chain(self.promoted_at).min()
    }

    /// The time of it that is asked about now.
    fn span(&self, rollout: &Rollout, ramp: &Ramp, now: DateTime<Utc>) -> Option<StageSpan> {
        let judge_interval_seconds = u32::try_from(rollout.judge_interval.as_secs()).unwrap_or(u32::MAX);
        let since = self.leaves_at(ramp).filter(|leaves_at| *leaves_at <= now);
        let leaving = Some(Leaving { since, judge_interval_seconds });
        Some(StageSpan { leaving, ..questions::span(ramp, ramp.stage, now)? })
    }
}

impl Drop for Stage {
    /// What is still asked about a stage that was left says nothing to anybody.
    fn drop(&mut self) {
        let by_itself = self.by_itself.values_mut().filter_map(|one| one.running.take());
        self.round.take().into_iter().chain(by_itself).for_each(|task| task.abort());
    }
}

impl Asking {
    /// Begins what is due for a ramp's stage, and says for how long nothing else is.
    pub(super) fn begin(
        &mut self,
        worker: &Worker,
        rollout: &Arc<Rollout>,
        ramp: &Ramp,
        now: DateTime<Utc>,
    ) -> Duration {
        let occasion = Occasion::of(ramp);
        if !self.stages.get(&rollout.name).is_some_and(|stage| stage.occasion.is_same_stage(&occasion)) {
            self.stages.insert(rollout.name.clone(), Stage::of(occasion.clone()));
        }
        if let Some(stage) = self.stages.get_mut(&rollout.name) {
            stage.promoted_at = occasion.is_promoted().then(|| stage.promoted_at.unwrap_or(now));
        }
        let mut next = now + TimeDelta::days(1);
        for criterion in ramp.criteria_of(ramp.stage) {
            if let Some(pace) = Pace::of(&criterion.question) {
                next = next.min(self.begin_by_itself(worker, rollout, ramp, (criterion, pace, now)));
            }
        }
        next = next.min(self.begin_round(worker, rollout, ramp, (occasion, now)));
        (next - now).to_std().unwrap_or(Duration::ZERO)
    }

    fn begin_round(
        &mut self,
        worker: &Worker,
        rollout: &Arc<Rollout>,
        ramp: &Ramp,
        (occasion, now): (Occasion, DateTime<Utc>),
    ) -> DateTime<Utc> {
        let far = now + TimeDelta::days(1);
        let Some(stage) = self.stages.get_mut(&rollout.name).filter(|stage| stage.round.is_none()) else {
            return far;
        };
        let last = stage.round_at.map(|at| (at, &stage.occasion));
        let next = next_round(ramp, last, rollout.judge_interval, now);
        // What came late for the round at the stage's end keeps nobody waiting for the one after that.
        let due_at = stage.leaves_at(ramp).filter(|_| stage.has_news).map_or(next, |leaves| leaves.min(next));
        let Some(span) = stage.span(rollout, ramp, now).filter(|_| due_at <= now) else {
            return due_at;
        };
        stage.has_news = false;
        let answered = stage.by_itself.iter().filter_map(|(name, one)| Some((name, one.answer.as_ref()?)));
        let by_itself = answered.map(|(name, answer)| (name.clone(), Arc::clone(answer))).collect();
        (stage.occasion, stage.round_at) = (occasion, Some(now));
        let (worker, rollout, ramp) = (worker.clone(), Arc::clone(rollout), ramp.clone());
        let of = (rollout.name.clone(), None);
        let span_of_log = tracing::info_span!("ramp", rollout = %rollout.name, ramp = %ramp.id);
        let ask = async move {
            let round = questions::round(&rollout, &ramp, (ramp.stage, span), by_itself).await;
            let judgements = round.judgements();
            // Before it is decided upon: the evidence of a stage that it ends is made of it.
            worker.rounds.record(&rollout.name, &ramp.id, ramp.stage, round);
            let input = Input::RampJudged { ramp: ramp.id, stage: ramp.stage, judgements };
            worker.report(&rollout.name, input).await;
            None
        };
        let task = self.tasks.spawn(ask.instrument(span_of_log));
        self.of_task.insert(task.id(), of);
        stage.round = Some(task);
        far
    }

    fn begin_by_itself(
        &mut self,
        worker: &Worker,
        rollout: &Arc<Rollout>,
        ramp: &Ramp,
        (criterion, pace, now): (&Criterion, Pace, DateTime<Utc>),
    ) -> DateTime<Utc> {
        let far = now + TimeDelta::days(1);
        let Some(stage) = self.stages.get_mut(&rollout.name) else { return far };
        let (span, leaves_at) = (stage.span(rollout, ramp, now), stage.leaves_at(ramp));
        let one = stage.by_itself.entry(criterion.name.clone()).or_default();
        if one.running.is_some() {
            return far;
        }
        let last = one.last.filter(|last| last.at <= now);
        let due_at = last.map_or(now, |last| next_asked(&last, pace, leaves_at, rollout.judge_interval));
        let Some(span) = span.filter(|_| due_at <= now) else { return due_at };
        // Until it has answered: one that breaks off comes to no verdict.
        one.last = Some(LastAsked { at: now, took: TimeDelta::zero(), is_clear: false });
        let (judge, asked, clock) =
            (Arc::clone(&rollout.judge), criterion.clone(), Arc::clone(&worker.clock));
        let task = self.tasks.spawn(async move {
            let answer = judge.ask(&asked, &span).await;
            let is_clear = judge_answer(&answer.answer, &asked, &span).verdict != GateVerdict::Unknown;
            Some((
                Arc::new(answer),
                LastAsked { at: now, took: (clock.now() - now).max(TimeDelta::zero()), is_clear },
            ))
        });
        self.of_task.insert(task.id(), (rollout.name.clone(), Some(criterion.name.clone())));
        one.running = Some(task);
        far
    }

    /// Nothing is asked for other rollouts any more.
    pub(super) fn forget_all_but(&mut self, is_asked: impl Fn(&RolloutName) -> bool) {
        self.stages.retain(|rollout, _| is_asked(rollout));
    }

    /// `None` while nothing is asked.
    pub(super) async fn next_ended(&mut self) -> Option<Result<(Id, Came), JoinError>> {
        self.tasks.join_next_with_id().await
    }

    pub(super) fn ended(&mut self, ended: Result<(Id, Came), JoinError>, metrics: &Metrics) {
        let (task, came) = match ended {
            Ok((task, came)) => (task, came),
            Err(error) => {
                if error.is_panic() {
                    metrics.task_panicked();
                    tracing::error!(%error, "a question of a ramp broke off; it is asked again");
                }
                (error.id(), None)
            }
        };
        let Some((rollout, criterion)) = self.of_task.remove(&task) else { return };
        let Some(stage) = self.stages.get_mut(&rollout) else { return };
        let is_this = |running: &Option<AbortHandle>| running.as_ref().is_some_and(|one| one.id() == task);
        match criterion {
            None if is_this(&stage.round) => stage.round = None,
            None => {}
            Some(name) => {
                let Some(one) = stage.by_itself.get_mut(&name).filter(|one| is_this(&one.running)) else {
                    return;
                };
                one.running = None;
                if let Some((answer, last)) = came {
                    (one.answer, one.last) = (Some(answer), Some(last));
                    stage.has_news = true;
                }
            }
        }
    }
}
