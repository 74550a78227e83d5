//! The latest round of each stage, for its evidence and for whoever looks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::incident::{Ramp, RampId, RolloutName, RolloutState};
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
    pub(super) fn keep_what_is_needed(&self, rollout: &RolloutName, state: &RolloutState) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((id, stages)) = all.get_mut(rollout) else { return };
        let ramp: Option<&Ramp> = state.ramp.as_deref().filter(|ramp| ramp.id == *id);
        stages.retain(|stage, _| {
            let mut records = ramp.into_iter().flat_map(|ramp| &ramp.stages);
            records.any(|record| record.stage == *stage && record.evidence.is_empty())
        });
        if stages.is_empty() {
            all.remove(rollout);
        }
    }
}
