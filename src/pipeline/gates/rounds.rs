//! The latest round of each stage, for its evidence and for whoever looks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::incident::{RampId, RolloutName};
use crate::pipeline::States;
use crate::ramp::Round;

type OfRamp = (RampId, BTreeMap<usize, Arc<Round>>);

/// The latest round of each stage whose evidence is not written yet. In memory alone: after a restart
/// everything is asked again. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Rounds(Arc<Mutex<BTreeMap<RolloutName, OfRamp>>>);

impl Rounds {
    /// The latest of a ramp's stage, counted from 0.
    #[must_use]
    pub fn of(&self, rollout: &RolloutName, ramp: &RampId, stage: usize) -> Option<Arc<Round>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, stages) = all.get(rollout).filter(|(id, _)| id == ramp)?;
        stages.get(&stage).cloned()
    }

    pub(in crate::pipeline) fn record(
        &self,
        rollout: &RolloutName,
        ramp: &RampId,
        stage: usize,
        round: Round,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_ramp = all.entry(rollout.clone()).or_insert_with(|| (ramp.clone(), BTreeMap::new()));
        if of_ramp.0 != *ramp {
            *of_ramp = (ramp.clone(), BTreeMap::new());
        }
        of_ramp.1.insert(stage, Arc::new(round));
    }

    /// Drops what is in the evidence.
    pub(super) fn keep_what_is_needed(&self, states: &States) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|rollout, (id, stages)| {
            let ramp = states.get(rollout).and_then(|state| state.ramp.as_ref());
            let ramp = ramp.filter(|ramp| ramp.id == *id);
            stages.retain(|stage, _| {
                let record = ramp.and_then(|ramp| ramp.record_of(*stage));
                record.is_some_and(|record| record.evidence.is_empty())
            });
            !stages.is_empty()
        });
    }
}
