//! What the store knows of evidence.

use std::sync::Arc;

use async_trait::async_trait;

use crate::evidence::{KnownFile, WrittenEarlier};
use crate::store::{IncidentFilter, IncidentStore};

/// How many incidents are asked for, the newest first. A folder that lost older evidence lost the
/// newest too, or was cut where `backstop evidence verify` looks.
const MAX_INCIDENTS: usize = 1_000;

/// Asks the store what was written: the folder itself may have lost it.
#[derive(Debug)]
pub(super) struct StoredEvidence(pub(super) Arc<dyn IncidentStore>);

#[async_trait]
impl WrittenEarlier for StoredEvidence {
    async fn files(&self) -> Result<Vec<KnownFile>, String> {
        let filter = IncidentFilter { limit: MAX_INCIDENTS, ..IncidentFilter::default() };
        let incidents = self.0.incidents(&filter).await.map_err(|error| crate::logging::chain(&error))?;
        let files = incidents.into_iter().flat_map(|incident| {
            let id = incident.id.to_string();
            incident.evidence.into_iter().map(move |file| KnownFile { owner: id.clone(), file })
        });
        let mut files: Vec<_> = files.collect();
        // Of each rollout the last ramp is known: its files are the newest that can be gone.
        let stored = self.0.load().await.map_err(|error| crate::logging::chain(&error))?;
        for ramp in stored.rollouts.into_values().filter_map(|state| state.ramp) {
            let of_stages = ramp.stages.iter().flat_map(|record| &record.evidence);
            let of_ramp = of_stages.chain(&ramp.evidence).cloned();
            files.extend(of_ramp.map(|file| KnownFile { owner: ramp.id.to_string(), file }));
        }
        Ok(files)
    }
}
