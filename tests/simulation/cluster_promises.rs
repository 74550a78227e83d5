//! What must hold in a cluster at each step that is decided on, at each order, and at the end.

use std::collections::BTreeMap;

use backstop::incident::{Event, Observation, Phase, RolloutName, RolloutState, Share, Step, StoredAs};
use chrono::{DateTime, TimeDelta, Utc};

use crate::cluster::{Cluster, REPLICAS};
use crate::process::{revision, rollout_name};
use crate::promises::Promise;
use crate::world::Inner;

/// How old an observation may be that a step is decided upon: two seconds, and the longest reading.
const SEEN_LATELY: TimeDelta = TimeDelta::milliseconds(4_500);

/// The same for a rollback's first step, which may rest on the last poll: a minute, and the longest reading.
const POLLED_LATELY: TimeDelta = TimeDelta::milliseconds(62_500);

/// Once it was told that another revision is there, an order may be on its way for this long.
const ON_ITS_WAY: TimeDelta = TimeDelta::milliseconds(1_500);

impl Inner {
    /// An event became durable.
    pub(crate) fn decided_in_cluster(&mut self, stored: &StoredAs) -> Promise {
        let raised_at = self.traffic[0].raised_at;
        let Some(cluster) = &mut self.cluster else { return Ok(()) };
        let given_at = raised_at.max(cluster.touched_at);
        cluster.causes.stored(stored, given_at)?;
        match &stored.event {
            Event::RollbackStarted { .. } => cluster.has_done_nothing = true,
            Event::StepEnded(_) | Event::RollbackWaiting { .. } => cluster.has_done_nothing = false,
            Event::StepStarted { step, observed } => {
                let Some(observed) = observed else { return Err(format!("{step:?} rests on nothing")) };
                allows(*step, observed)?;
                let may_be_polled = cluster.has_done_nothing && carries_all(*step, observed);
                let valid = if may_be_polled { POLLED_LATELY } else { SEEN_LATELY };
                let lately = |(at, _): &&(DateTime<Utc>, _)| *at + valid >= stored.at;
                let told = cluster.told.iter().take_while(lately).any(|(_, told)| told == observed);
                promise!(told, "{step:?} rests on {observed:?}, which nobody told lately");
            }
            Event::VerificationStarted { .. } => cluster.done_at = Some(stored.at),
            Event::RolledBack => cluster.rolled_back_at = cluster.done_at,
            _ => {}
        }
        Ok(())
    }

    /// An order arrives.
    pub(crate) fn may_act_on_it(
        &self,
        stored: &BTreeMap<RolloutName, RolloutState>,
        now: DateTime<Utc>,
    ) -> Promise {
        let Some(cluster) = &self.cluster else { return Ok(()) };
        let sound = self.ledger.store_is_sound(now);
        let incident = stored.get(&rollout_name(0)).and_then(RolloutState::open_incident);
        let rolling = incident.filter(|incident| matches!(incident.phase, Phase::RollingBack { .. }));
        let Some(incident) = rolling else {
            promise!(!sound, "a step is ordered although no rollback is recorded");
            return Ok(());
        };
        let there = revision(self.ledger.deployments);
        let since = cluster.deployed_at.unwrap_or(self.ledger.started_at);
        let of_this = |(at, told): &&(_, Observation)| *at >= since && told.revision.as_ref() == Some(&there);
        let known_since = cluster.told.iter().filter(of_this).map(|(at, _)| *at).min();
        let known = known_since.is_some_and(|at| at + ON_ITS_WAY < now);
        promise!(
            *incident.revision() == there || !known || !sound,
            "{} is about {} and acts on {there}, which was told at {known_since:?}",
            incident.id,
            incident.revision()
        );
        Ok(())
    }

    /// What is called rolled back is so, unless somebody else has changed it since its steps were done.
    pub(crate) fn cluster_is_rolled_back(&self) -> Promise {
        let Some(cluster) = &self.cluster else { return Ok(()) };
        let Some(done_at) = cluster.rolled_back_at else { return Ok(()) };
        if cluster.touched_at.is_some_and(|at| at + SEEN_LATELY >= done_at) {
            return Ok(());
        }
        let Cluster { stable_wanted, canary_wanted, .. } = *cluster;
        let share = self.traffic[0].share;
        promise!(
            share == 0 && canary_wanted == 0 && stable_wanted >= REPLICAS,
            "rolled back by {done_at}, and the canary has {share} % and {canary_wanted} pods, stable {stable_wanted}"
        );
        Ok(())
    }
}

/// Whether all traffic is to be taken off while nothing is in the way of it.
fn carries_all(step: Step, observed: &Observation) -> bool {
    let Some(stable) = observed.workloads.map(|workloads| workloads.stable) else { return false };
    let serves = stable.wanted >= REPLICAS && stable.ready_endpoints >= REPLICAS;
    let is_whole = matches!(step, Step::Shift { share: Share::ZERO, ready_at_least: REPLICAS.. });
    is_whole && serves && !observed.is_off()
}

/// Whether a step may be decided upon this.
fn allows(step: Step, observed: &Observation) -> Promise {
    let Some(workloads) = observed.workloads else { return Err(format!("{step:?} rests on no pods")) };
    let stable = workloads.stable;
    match step {
        Step::TrafficOff => return Err("traffic is to be shifted without a look at stable".to_owned()),
        Step::StopOwner => return Err("there is nobody to stop".to_owned()),
        Step::StableUp { replicas } => {
            promise!(replicas > stable.wanted, "{step:?} is decided with {stable:?}");
        }
        Step::Shift { ready_at_least, .. } => {
            promise!(stable.ready_endpoints >= ready_at_least.max(1), "{step:?} is decided with {stable:?}");
        }
        Step::CanaryUp { .. } | Step::SetShare { .. } | Step::StableDown { .. } => {
            return Err(format!("{step:?} is a ramp's, and no rollback's"));
        }
        Step::CanaryDown { .. } => {
            promise!(
                observed.is_off() && stable.ready_endpoints >= REPLICAS,
                "{step:?} is decided with {} and {stable:?}",
                observed.words()
            );
        }
    }
    Ok(())
}
