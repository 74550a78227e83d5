//! What `backstop snapshot` has left: the files of one stage, as they were at one time and without a ramp.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::EvidenceError;
use super::directory::EvidenceDir;
use super::listing::names_in;

/// One snapshot in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSummary {
    /// Its folder's name.
    pub snapshot: String,
    pub taken_at: DateTime<Utc>,
    /// What was on canary; none where nobody was asked for its gates, which say so.
    pub revision: Option<String>,
    /// The share of the stage that it is of, in per cent: one, but for what somebody put there.
    pub stages: Vec<u8>,
}

impl EvidenceDir {
    /// Snapshots, the oldest first.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn list_snapshots(&self) -> Result<Vec<SnapshotSummary>, EvidenceError> {
        let names = names_in(&self.path)?;
        let mut found: Vec<_> = names.into_iter().filter_map(|name| self.snapshot_of(name)).collect();
        found.sort_by(|a, b| (a.taken_at, &a.snapshot).cmp(&(b.taken_at, &b.snapshot)));
        Ok(found)
    }

    fn snapshot_of(&self, folder: String) -> Option<SnapshotSummary> {
        let taken_at = taken_at(&folder)?;
        let gates: Vec<_> = self.gates_in(&folder).into_iter().filter_map(|(_, file)| file.ok()).collect();
        let revision = gates.first().map(|file| file.revision.to_string());
        let names = names_in(&self.path.join(&folder)).ok()?;
        let mut stages: Vec<_> = names.iter().filter_map(|name| share_of(name)).collect();
        stages.sort_unstable();
        stages.dedup();
        Some(SnapshotSummary { snapshot: folder, taken_at, revision, stages })
    }
}

/// When a snapshot was taken, by its folder's name; `None`: it is none. A rollout's own name may have the word in
/// it, so the time has to follow.
pub(super) fn taken_at(folder: &str) -> Option<DateTime<Utc>> {
    let (_, at) = folder.rsplit_once("-snapshot-")?;
    NaiveDateTime::parse_from_str(at, "%Y%m%d-%H%M%S").ok().map(|at| at.and_utc())
}

/// Of `rollout_stage_25.txt`, or of the gates where there were no metrics.
fn share_of(name: &str) -> Option<u8> {
    let rest = name.strip_prefix("rollout_stage_").or_else(|| name.strip_prefix("gates_stage_"))?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
