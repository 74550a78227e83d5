//! What is about to be written. A file that lies in the folder and in no line of the manifest may be
//! one that a crash cut off from its line, or one that somebody put there: the announcement
//! distinguishes them.

use std::path::Path;

use super::EvidenceError;
use super::files::{read, replace};
use crate::incident::EvidenceFile;

const PENDING: &str = "manifest.pending";

pub(super) struct Pending;

impl Pending {
    /// Announces files, durably, before the first of them is written.
    pub(super) fn announce(folder: &Path, files: &[EvidenceFile]) -> Result<(), EvidenceError> {
        // Names and hashes always encode; an empty announcement would adopt nothing.
        replace(folder, PENDING, &serde_json::to_vec(files).unwrap_or_default())
    }

    /// What was announced and perhaps not finished; one that can't be read announces nothing.
    pub(super) fn read(folder: &Path) -> Vec<EvidenceFile> {
        let bytes = read(&folder.join(PENDING)).ok().flatten().unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Forgets the announcement. One that stays does no harm: what it announced is listed by now.
    pub(super) fn clear(folder: &Path) {
        let _stays = std::fs::remove_file(folder.join(PENDING));
    }
}
