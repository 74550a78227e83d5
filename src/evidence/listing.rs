//! One folder with evidence: reading it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::Path;

use super::directory::{EvidenceDir, EvidenceSummary};
use super::files::{io, read, sync, wait_for};
use super::folders::name_of;
use super::manifest::Manifest;
use super::ramp::is_ramps;
use super::verify::{VerifyReport, verify};
use super::{EvidenceError, KnownFile, render};
use crate::incident::EvidenceFile;

/// What the files of rollbacks begin with.
const ROLLBACKS: &str = "rollback_";

/// What lies in a folder; nothing where there is none.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, EvidenceError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(folder, "read")(error)),
    };
    Ok(entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect())
}

impl EvidenceDir {
    /// All evidence of rollbacks, the oldest first.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn list(&self) -> Result<Vec<EvidenceSummary>, EvidenceError> {
        let mut found = Vec::new();
        for name in names_in(&self.path)?.into_iter().filter(|name| name.starts_with(ROLLBACKS)) {
            let Some(stem) = name.strip_suffix(".json").filter(|stem| !stem.contains("_webhook")) else {
                continue;
            };
            // One that can't be read must not hide the others; `verify` names it.
            let json = read(&self.path.join(&name)).ok().flatten().unwrap_or_default();
            match serde_json::from_slice::<render::Document>(&json) {
                Ok(document) => found.push(document.summary(stem)),
                Err(error) => {
                    tracing::warn!(file = name, %error, "is no evidence; run `backstop evidence verify`")
                }
            }
        }
        found.sort_by(|a, b| (a.executed_at, &a.name).cmp(&(b.executed_at, &b.name)));
        Ok(found)
    }

    /// Every file that looks like evidence, as the manifest names it.
    fn names(&self) -> Result<Vec<String>, EvidenceError> {
        let (mut names, folders): (Vec<_>, Vec<_>) =
            names_in(&self.path)?.into_iter().partition(|name| name.starts_with(ROLLBACKS));
        for folder in folders.into_iter().filter(|name| is_ramps(name) && self.path.join(name).is_dir()) {
            let inside = names_in(&self.path.join(&folder))?;
            names.extend(inside.into_iter().map(|name| format!("{folder}/{name}")));
        }
        Ok(names)
    }

    /// One rollback's evidence as text or JSON, by its name or its incident; or the record of a ramp, by its id.
    ///
    /// # Errors
    /// [`EvidenceError::Unknown`], or when it can't be read.
    pub fn show(&self, wanted: &str, as_json: bool) -> Result<String, EvidenceError> {
        let wanted = wanted.trim_end_matches(".txt").trim_end_matches(".json");
        let unknown = || EvidenceError::Unknown(wanted.to_owned());
        if let Some(record) = self.show_ramp(wanted, as_json)? {
            return Ok(record);
        }
        let listed = self.list()?;
        let found = listed.iter().find(|summary| summary.name == wanted || summary.incident == wanted);
        let name = &found.ok_or_else(unknown)?.name;
        let ending = if as_json { "json" } else { "txt" };
        let bytes = read(&self.path.join(format!("{name}.{ending}")))?.ok_or_else(unknown)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The files of an incident or a ramp, by its id, as they were last written.
    ///
    /// # Errors
    /// When the manifest can't be read.
    pub fn files_of(&self, owner: &str) -> Result<Vec<EvidenceFile>, EvidenceError> {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for line in Manifest::read(&self.path)?.files() {
            if line.incident == owner {
                files.insert(line.file.clone(), line.sha256.clone());
            }
        }
        let directory = Some(name_of(&self.path));
        let file = |(name, sha256)| EvidenceFile { name, sha256, directory: directory.clone() };
        Ok(files.into_iter().map(file).collect())
    }

    /// Looks for anything that was changed since it was written, and for what is `known` to have been
    /// written here and is gone.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn verify(&self, known: &[KnownFile]) -> Result<VerifyReport, EvidenceError> {
        let _lock = self.lock_of_reader()?;
        if self.path.exists() {
            sync(&self.path).map_err(io(&self.path, "read"))?;
        }
        verify(&self.path, self.names()?, known)
    }

    /// So that a writer in the middle of its work is not mistaken for damage. Who may not open the
    /// lock, or reads a copy without one, does without.
    fn lock_of_reader(&self) -> Result<Option<File>, EvidenceError> {
        let path = self.path.join("manifest.lock");
        match OpenOptions::new().write(true).open(&path) {
            Ok(file) => wait_for(&path, file).map(Some),
            Err(_) => Ok(None),
        }
    }
}
