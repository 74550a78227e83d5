//! The files of a stage as of now, without a ramp: for whoever carries the protocol out by hand.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Gathered, Left};
use crate::incident::{
    Event, Question, Ramp, RampEvent, RampId, RampPlan, RampStarted, RolloutState, Share, StagePlan, StoredAs,
};
use crate::pipeline::{Rollout, Worker};
use crate::ramp::PlanChanges;

/// The stage that a snapshot looks back over where the criteria can't be read.
const LOOKED_BACK_SECONDS: u32 = 900;

/// What was read for a stage's files.
#[derive(Debug)]
pub struct StageSnapshot {
    /// The folder's name, made like a ramp's id.
    pub id: RampId,
    pub files: Vec<crate::ramp::KeptFile>,
    /// What is missing, in sentences.
    pub problems: Vec<String>,
}

impl Worker {
    /// Reads what a ramp would keep of a stage of this share, as if the stage had begun its own duration ago.
    /// Programs are not run and nobody's approval is asked for. Without a Prometheus its criteria are left out.
    pub async fn snapshot_of_stage(
        &self,
        rollout: &Rollout,
        share: Share,
        asks_prometheus: bool,
    ) -> StageSnapshot {
        let mut problems = Vec::new();
        let mut plan = self.plan_now(rollout, share, &mut problems).await;
        for stage in &mut plan.stages {
            stage.criteria.retain(|criterion| match &criterion.question {
                Question::Query(_) => asks_prometheus,
                Question::Logs(_) => true,
                Question::Http(_) | Question::Command(_) | Question::Approval => false,
            });
        }
        let now = self.clock.now();
        let id = RampId::new(format!("{}-snapshot-{}", rollout.name, now.format("%Y%m%d-%H%M%S")));
        let place = plan.stages.iter().position(|stage| stage.share == share).unwrap_or(0);
        let ramp = as_if_ramped(rollout, (&id, plan), place, now);
        let gathered = match ramp.as_deref().and_then(|ramp| Some((ramp, ramp.record()?))) {
            Some((ramp, record)) => {
                self.gather_stage(Left { rollout, ramp, record, at: now, is_snapshot: true }).await
            }
            None => Gathered::default(),
        };
        problems.extend(gathered.problems);
        StageSnapshot { id, files: gathered.files, problems }
    }

    /// What is configured now. A file of criteria that is broken keeps no metrics from being read.
    async fn plan_now(&self, rollout: &Rollout, share: Share, problems: &mut Vec<String>) -> RampPlan {
        let offers = Arc::clone(&rollout.offers);
        let offer = tokio::task::spawn_blocking(move || offers.offer()).await;
        let revision = rollout.policy.revision.clone();
        let offer = offer.map_err(|error| error.to_string()).and_then(|offer| offer);
        let planned = offer.and_then(|offer| {
            offer.plan(revision.clone(), &PlanChanges::default()).map_err(|error| error.to_string())
        });
        match planned {
            Ok(plan) => plan,
            Err(error) => {
                problems.push(format!("the stage's criteria are not asked: {error}"));
                let stage = StagePlan {
                    share,
                    duration_seconds: LOOKED_BACK_SECONDS,
                    needs_approval: false,
                    criteria: Vec::new(),
                };
                RampPlan {
                    revision,
                    stages: vec![stage],
                    max_hold_seconds: 0,
                    remind_every_seconds: 0,
                    watch_after_seconds: 0,
                    stable_down: false,
                }
            }
        }
    }
}

/// A ramp in the stage of this place, which began so long ago as it lasts.
fn as_if_ramped(
    rollout: &Rollout,
    (id, plan): (&RampId, RampPlan),
    stage: usize,
    now: DateTime<Utc>,
) -> Option<Arc<Ramp>> {
    let (share, duration) = plan.stages.get(stage).map(|stage| (stage.share, stage.duration_seconds))?;
    let started = RampStarted {
        plan: Arc::new(plan),
        plan_sha256: String::new(),
        actor: String::new(),
        through: "backstop snapshot".to_owned(),
        again_because: None,
        warnings: Vec::new(),
    };
    let next = (stage > 0).then_some(RampEvent::NextStage { stage, share });
    let told = [Some(RampEvent::Started(started)), next, Some(RampEvent::StageBegan { stage })];
    let mut state = RolloutState::default();
    for happened in told.into_iter().flatten() {
        state.apply(&StoredAs {
            at: now - TimeDelta::seconds(i64::from(duration)),
            rollout: rollout.name.clone(),
            incident: None,
            event: Event::Ramp { ramp: id.clone(), happened },
        });
    }
    state.ramp
}
