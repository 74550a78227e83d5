//! What is about to be written. A file that lies in the folder and in no line of the manifest may be
//! one that a crash cut off from its line, or one that somebody put there: the announcement
//! distinguishes them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::EvidenceError;
use super::files::{read, replace};
use crate::incident::EvidenceFile;

const PENDING: &str = "manifest.pending";

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The incident or the ramp that the files are of; none where an earlier version did not say.
    pub(super) owner: Option<String>,
    pub(super) files: Vec<EvidenceFile>,
}

impl Pending {
    /// Announces files, durably, before the first of them is written.
    pub(super) fn announce(folder: &Path, owner: &str, files: &[EvidenceFile]) -> Result<(), EvidenceError> {
        let announced = Self { owner: Some(owner.to_owned()), files: files.to_vec() };
        // Names and hashes always encode; an empty announcement would adopt nothing.
        replace(folder, PENDING, &serde_json::to_vec(&announced).unwrap_or_default())
    }

    /// What was announced and perhaps not finished; one that can't be read announces nothing.
    pub(super) fn read(folder: &Path) -> Self {
        let bytes = read(&folder.join(PENDING)).ok().flatten().unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            // As earlier versions wrote it.
            Self { owner: None, files: serde_json::from_slice(&bytes).unwrap_or_default() }
        })
    }

    /// Forgets the announcement. One that stays does no harm: what it announced is listed by now.
    pub(super) fn clear(folder: &Path) {
        let _stays = std::fs::remove_file(folder.join(PENDING));
    }
}
