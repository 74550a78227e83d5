//! Reads back a rollback that was carried out, and watches over it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::observed_target::ObservedTarget;
use super::{Rollout, Worker};
use crate::decision::Input;
use crate::execution::ReadError;
use crate::incident::{Alert, IncidentId, Observation, Phase};
use crate::verification::{Subject, VerifyTimes};

impl Worker {
    pub(super) async fn verify(
        &self,
        rollout: &Rollout,
        id: IncidentId,
        attempt: u32,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) {
        let Some(incident) = self.incident(&rollout.name, &id) else { return };
        let times = VerifyTimes {
            since,
            off_since: incident.progress.traffic_off_at.unwrap_or(since),
            until,
            guarded_until: since + rollout.policy.guard,
            interval: rollout.verify_interval,
        };
        let subject = Verified { worker: self, rollout, id: &id, attempt };
        let verification = rollout.verifier.verify(&subject, times, self.clock.as_ref()).await;
        if let Some(verification) = verification {
            self.report(&rollout.name, Input::Verified { incident: id, attempt, verification }).await;
        }
    }
}

/// An attempt at a rollback that is being verified.
#[derive(Debug)]
struct Verified<'a> {
    worker: &'a Worker,
    rollout: &'a Rollout,
    id: &'a IncidentId,
    attempt: u32,
}

#[async_trait]
impl Subject for Verified<'_> {
    fn alerts(&self) -> Option<Vec<Alert>> {
        let incident = self.worker.incident(&self.rollout.name, self.id)?;
        let Phase::Verifying { attempt, .. } = incident.phase else { return None };
        let alerts = incident.alerts.iter().map(|attached| attached.alert.clone());
        (attempt == self.attempt).then(|| alerts.collect())
    }

    /// What is seen is decided upon at once: what somebody undoes in the guard window must not wait for
    /// the next poll, and what is set again for it counts as such, whoever looked first.
    async fn observe(&self) -> Result<Observation, ReadError> {
        let Self { worker, rollout, .. } = self;
        if !rollout.lane.target().can_observe() {
            return Err(ReadError::NotConfigured);
        }
        let clock = worker.clock.as_ref();
        let observation = ObservedTarget { rollout, observed: &worker.observed, clock }.observe().await?;
        worker.report(&rollout.name, Input::ShareRead).await;
        Ok(observation)
    }
}
