//! What is found out before a ramp starts: its plan, whether its criteria can be judged at all, and what a
//! person should know.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::{Rollout, Worker};
use crate::decision::RampStart;
use crate::incident::{Criterion, GateReason, GateVerdict, Question, RampPlan, Revision, UnfitRevision};
use crate::ramp::detection_floor::Counted;
use crate::ramp::{Metric, PlanChanges, RampOffer, StageSpan, StagedCriterion, plan_sha256};
use crate::signals::{RuleSource, SignalError, known_metrics};
use crate::text::shown;

/// The longest stage that a person may ask for, in seconds: of a longer one nobody knows any more at its end
/// why it was begun.
const LONGEST_STAGE_SECONDS: u32 = 7 * 24 * 3_600;

/// How long ago the last rollback may be, real or as a drill, before a person is reminded to try one.
const DRILL_WITHIN: TimeDelta = TimeDelta::days(30);

/// How far back an API or a log is asked before a ramp.
const JUST_NOW: TimeDelta = TimeDelta::seconds(60);

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampWanted {
    pub revision: Revision,
    pub changes: PlanChanges,
    /// Through what: the command line, the API, Slack.
    pub through: String,
    /// Why, in spite of an earlier rollback of the revision.
    pub again_because: Option<String>,
    /// The person has read the warnings that have to be confirmed.
    pub is_confirmed: bool,
}

/// Why no plan could be made of what a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    #[error("the rollout's criteria can't be used: {0}")]
    Criteria(String),
    #[error(
        "a stage of {0} s is shorter than judge_interval ({1} s): it would end unjudged; ask for a longer one"
    )]
    TooShort(u32, u32),
    #[error(
        "a stage of {0} s is longer than the {LONGEST_STAGE_SECONDS} s that one may last; ask for a shorter one"
    )]
    TooLong(u32),
    #[error(transparent)]
    Revision(#[from] UnfitRevision),
    #[error("the plan can't be written down: {0}")]
    Unwritten(String),
}

/// What Prometheus said of the application.
#[derive(Debug, Default)]
struct Known {
    metrics: BTreeSet<Metric>,
    /// `None`: it could not be found out.
    counted: Option<Counted>,
    requests_per_second: Option<f64>,
}

impl Worker {
    /// Everything that a ramp starts with; whether it may is decided afterwards, on the share that is read here.
    ///
    /// # Errors
    /// See [`NoPlan`].
    pub async fn prepare_ramp(&self, rollout: &Rollout, wanted: RampWanted) -> Result<RampStart, NoPlan> {
        let offers = Arc::clone(&rollout.offers);
        let offer = tokio::task::spawn_blocking(move || offers.offer()).await;
        let offer = offer.map_err(|error| NoPlan::Criteria(error.to_string()))?.map_err(NoPlan::Criteria)?;
        if let Some(seconds) = wanted.changes.stage_duration_seconds {
            let least = offer.judge_interval_seconds.max(1);
            if seconds < least {
                return Err(NoPlan::TooShort(seconds, least));
            }
            if seconds > LONGEST_STAGE_SECONDS {
                return Err(NoPlan::TooLong(seconds));
            }
        }
        let plan = offer.plan(wanted.revision, &wanted.changes)?;
        let mut start = RampStart {
            plan_sha256: plan_sha256(&plan).map_err(|error| NoPlan::Unwritten(error.to_string()))?,
            plan: Arc::new(plan),
            through: wanted.through,
            again_because: wanted.again_because,
            is_confirmed: wanted.is_confirmed,
            unanswered: Vec::new(),
            to_be_confirmed: Vec::new(),
            warnings: Vec::new(),
        };
        let plan = Arc::clone(&start.plan);
        let (known, unanswered) =
            tokio::join!(self.ask_prometheus(&offer, &plan), self.unanswered_elsewhere(rollout, &plan));
        // Last: whether it may start is decided on a reading of this moment.
        self.read_share(rollout).await;
        start.unanswered = unanswered;
        match known {
            Ok(known) => judge(&offer, &known, &mut start),
            Err(why) => start.unanswered.push(why),
        }
        start.warnings.extend(self.drill_is_due(rollout));
        Ok(start)
    }

    /// What Prometheus knows of what the plan's criteria need.
    async fn ask_prometheus(&self, offer: &RampOffer, plan: &RampPlan) -> Result<Known, String> {
        let needs = of_plan(offer, plan).filter_map(|one| one.needs.as_ref());
        let wanted: BTreeSet<&Metric> = needs.flat_map(|needs| needs.metrics()).collect();
        if wanted.is_empty() {
            return Ok(Known::default());
        }
        let Some(prometheus) = &self.sources.prometheus else {
            return Err(
                "no Prometheus is configured, and most are asked of it: set prometheus.url.".to_owned()
            );
        };
        let said = |error: SignalError| format!("Prometheus can't be asked: {error}.");
        let (metrics, told_apart, rate) = tokio::join!(
            known_metrics(prometheus.as_ref(), &wanted),
            ask(prometheus.as_ref(), offer.questions.told_apart.as_deref()),
            ask(prometheus.as_ref(), offer.questions.requests_per_second.as_deref()),
        );
        let counted = told_apart.map_err(said)?.map(|value| match value {
            Some(_) => Counted::CanaryAlone,
            None => Counted::CanaryAndStable,
        });
        Ok(Known {
            metrics: metrics.map_err(said)?,
            counted,
            requests_per_second: rate.map_err(said)?.flatten(),
        })
    }

    /// What is asked of an API or a log has to answer now. A program is not run for that: it may take minutes.
    async fn unanswered_elsewhere(&self, rollout: &Rollout, plan: &RampPlan) -> Vec<String> {
        let now = self.clock.now();
        let span = StageSpan::new(now - JUST_NOW, now, 1);
        let is_asked = |one: &&Criterion| matches!(one.question, Question::Http(_) | Question::Logs(_));
        let asked: Vec<_> = plan.criteria().filter(is_asked).collect();
        let judged = join_all(asked.iter().map(|criterion| rollout.judge.judged(criterion, &span))).await;
        let unanswered = asked.iter().zip(judged).filter_map(|(criterion, judgement)| {
            let has_none = matches!(judgement.reason, GateReason::NoAnswer | GateReason::NoData);
            let is_unanswered = judgement.verdict == GateVerdict::Unknown && has_none;
            is_unanswered.then(|| unanswered(criterion, &judgement.detail))
        });
        unanswered.collect()
    }

    fn drill_is_due(&self, rollout: &Rollout) -> Option<String> {
        let states = self.journal.states();
        let last = states.get(&rollout.name).and_then(|state| state.rolled_back.values().max().copied());
        let is_recent = last.is_some_and(|at| at + DRILL_WITHIN >= self.clock.now());
        (!is_recent).then(|| {
            let days = DRILL_WITHIN.num_days();
            format!("Nothing was rolled back within {days} days, not as a drill either: whether it works is known from then.")
        })
    }
}

/// A number, or none where the answer is empty; the outer one where nothing is asked.
async fn ask(
    prometheus: &dyn RuleSource,
    expression: Option<&str>,
) -> Result<Option<Option<f64>>, SignalError> {
    let Some(expression) = expression else { return Ok(None) };
    let samples = prometheus.query(expression).await?;
    Ok(Some(samples.first().map(|sample| sample.value).filter(|value| value.is_finite())))
}

/// The criteria that some stage of the plan is judged by.
fn of_plan<'a>(offer: &'a RampOffer, plan: &'a RampPlan) -> impl Iterator<Item = &'a StagedCriterion> {
    let asked: BTreeSet<_> = plan.criteria().map(|criterion| &criterion.name).collect();
    offer.criteria.all.iter().filter(move |one| asked.contains(&one.criterion.name))
}

/// What follows from what Prometheus knows.
fn judge(offer: &RampOffer, known: &Known, start: &mut RampStart) {
    for one in of_plan(offer, &start.plan) {
        let Some(needs) = &one.needs else { continue };
        let missing = needs.missing(&known.metrics);
        if !needs.are_met_by(&known.metrics) {
            let why = format!("Prometheus has no {missing}");
            start.unanswered.push(unanswered(&one.criterion, &why));
        } else if !missing.is_empty() {
            start.warnings.push(format!(
                "{}: Prometheus has no {missing}. That is as it should be for what is born with its first error; if its \
                 name is another one, nothing will be seen.",
                shown(&one.criterion.title)
            ));
        }
    }
    let off: Vec<_> = offer.criteria.left_out.iter().map(|one| shown(&one.title)).collect();
    if !off.is_empty() {
        start.warnings.push(format!("Not judged, since they are off: {}.", off.join(", ")));
    }
    let Some(counted) = known.counted else { return };
    start.to_be_confirmed = offer.blind_spots(&start.plan, counted);
    if let Some(rate) = known.requests_per_second {
        start.warnings.extend(offer.too_short(&start.plan, counted, rate));
    }
}

fn unanswered(criterion: &Criterion, why: &str) -> String {
    let (title, name) = (shown(&criterion.title), criterion.name.as_str());
    format!("{title}: {why} (or [[rollouts.ramp.criteria]] name = {name:?}, enabled = false).")
}

#[cfg(test)]
mod tests;
