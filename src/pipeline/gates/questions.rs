//! Asks one criterion, or all of a stage.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};

use crate::incident::{Criterion, CriterionName, Question, Ramp};
use crate::pipeline::{Rollout, Worker};
use crate::ramp::{Answer, ApprovalAnswer, Asked, Gate, KeptFile, Pace, Round, StageSpan, judge_answer};

/// Questions of one round that are asked together: few enough that a hundred ramps are no storm on one
/// Prometheus.
const AT_ONCE: usize = 4;

/// The time of a stage that has begun, as of `now`.
pub(super) fn span(ramp: &Ramp, stage: usize, now: DateTime<Utc>) -> Option<StageSpan> {
    let began_at = ramp.record_of(stage)?.began_at?;
    let duration_seconds = ramp.plan.stages.get(stage)?.duration_seconds;
    Some(StageSpan::new(began_at, now, duration_seconds))
}

/// The latest answers of what is asked by itself.
pub(super) type ByItself = BTreeMap<CriterionName, Arc<Asked>>;

/// A stage, and the time as of which it is asked about.
struct About<'a> {
    rollout: &'a Rollout,
    ramp: &'a Ramp,
    stage: usize,
    span: &'a StageSpan,
}

/// Asks what is asked in every round, and takes the latest answer of what is asked by itself.
pub(super) async fn round(
    rollout: &Rollout,
    ramp: &Ramp,
    (stage, span): (usize, StageSpan),
    by_itself: ByItself,
) -> Round {
    ask_all(&About { rollout, ramp, stage, span: &span }, Some(&by_itself)).await
}

/// Asks all; without answers of what is asked by itself, those anew, too.
async fn ask_all(about: &About<'_>, by_itself: Option<&ByItself>) -> Round {
    let criteria = about.ramp.criteria_of(about.stage);
    let questions: Vec<_> = criteria.iter().map(|criterion| ask_one(about, criterion, by_itself)).collect();
    let asked: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
    of_answers(about.span, criteria.iter().zip(asked))
}

async fn ask_one(about: &About<'_>, criterion: &Criterion, by_itself: Option<&ByItself>) -> Option<Asked> {
    match (Pace::of(&criterion.question), by_itself) {
        (Some(_), Some(answers)) => answers.get(&criterion.name).map(|asked| Asked::clone(asked)),
        (None, _) | (Some(_), None) => Some(ask_now(about, criterion).await),
    }
}

fn of_answers<'a>(span: &StageSpan, asked: impl Iterator<Item = (&'a Criterion, Option<Asked>)>) -> Round {
    let mut kept: Vec<KeptFile> = Vec::new();
    let gates = asked.filter_map(|(criterion, asked)| {
        let Asked { answer, kept: file } = asked?;
        kept.extend(file);
        // Of an older answer, too, what it says now.
        let judgement = judge_answer(&answer, criterion, span);
        Some(Gate { criterion: criterion.clone(), answer, judgement })
    });
    let gates = gates.collect();
    Round { span: span.clone(), gates, kept }
}

async fn ask_now(about: &About<'_>, criterion: &Criterion) -> Asked {
    if criterion.question != Question::Approval {
        return about.rollout.judge.ask(criterion, about.span).await;
    }
    let approval = about.ramp.record_of(about.stage).and_then(|record| record.approval.as_ref());
    let approved_by = approval.map(|approval| approval.actor.clone());
    Asked::bare(Answer::Approval(ApprovalAnswer { approved_by }))
}

impl Worker {
    /// Asks every criterion of a stage that is over anew, as of a time: for evidence whose answers a restart
    /// has lost. What can only say how things are now is asked now. `None`: the stage never began.
    pub async fn ask_again(
        &self,
        rollout: &Rollout,
        ramp: &Ramp,
        stage: usize,
        at: DateTime<Utc>,
    ) -> Option<Round> {
        let span = span(ramp, stage, at)?;
        Some(ask_all(&About { rollout, ramp, stage, span: &span }, None).await)
    }
}
