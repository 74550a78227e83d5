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
            let id = incident.id;
            incident.evidence.into_iter().map(move |file| KnownFile { incident: id.clone(), file })
        });
        Ok(files.collect())
    }
}
