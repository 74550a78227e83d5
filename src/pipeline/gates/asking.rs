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
use crate::incident::{Criterion, CriterionName, Ramp, RolloutName};
use crate::metrics::Metrics;
use crate::pipeline::{Rollout, Worker};
use crate::ramp::Asked;

/// What a task was started for: a whole round, or one criterion that is asked by itself.
type Of = (RolloutName, Option<CriterionName>);

/// What a task came back with: nothing of a round, which has been reported by then.
type Came = Option<Arc<Asked>>;

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
}

/// A criterion that is asked by itself.
#[derive(Debug, Default)]
struct ByItself {
    began_at: Option<DateTime<Utc>>,
    running: Option<AbortHandle>,
    answer: Option<Arc<Asked>>,
}

impl Stage {
    fn of(occasion: Occasion) -> Self {
        Self { occasion, round_at: None, round: None, by_itself: BTreeMap::new() }
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
        let mut next = now + TimeDelta::days(1);
        for criterion in ramp.criteria_of(ramp.stage) {
            if let Some(every) = questions::asked_every(criterion) {
                next = next.min(self.begin_by_itself(rollout, ramp, (criterion, every), now));
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
        let due_at = next_round(ramp, last, rollout.judge_interval, now);
        let Some(span) = questions::span(ramp, ramp.stage, now).filter(|_| due_at <= now) else {
            return due_at;
        };
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
        rollout: &Arc<Rollout>,
        ramp: &Ramp,
        (criterion, every): (&Criterion, Duration),
        now: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let far = now + TimeDelta::days(1);
        let Some(stage) = self.stages.get_mut(&rollout.name) else { return far };
        let one = stage.by_itself.entry(criterion.name.clone()).or_default();
        if one.running.is_some() {
            return far;
        }
        let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
        let due_at =
            one.began_at.filter(|began_at| *began_at <= now).map_or(now, |began_at| began_at + every);
        let Some(span) = questions::span(ramp, ramp.stage, now).filter(|_| due_at <= now) else {
            return due_at;
        };
        one.began_at = Some(now);
        let (judge, asked) = (Arc::clone(&rollout.judge), criterion.clone());
        let task = self.tasks.spawn(async move { Some(Arc::new(judge.ask(&asked, &span).await)) });
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
                if came.is_some() {
                    one.answer = came;
                }
            }
        }
    }
}
