//! One folder with evidence: reading it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};

use super::directory::{EvidenceDir, EvidenceSummary};
use super::files::{io, read, sync, wait_for};
use super::folders::name_of;
use super::manifest::Manifest;
use super::verify::{VerifyReport, verify};
use super::{EvidenceError, KnownFile, render};
use crate::incident::{EvidenceFile, IncidentId};

impl EvidenceDir {
    /// All evidence, the oldest first.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn list(&self) -> Result<Vec<EvidenceSummary>, EvidenceError> {
        let mut found = Vec::new();
        for name in self.names()? {
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

    fn names(&self) -> Result<Vec<String>, EvidenceError> {
        let entries = match std::fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(&self.path, "read")(error)),
        };
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
        Ok(names.filter(|name| name.starts_with("rollback_")).collect())
    }

    /// One rollback's evidence as text or JSON, by its name or its incident.
    ///
    /// # Errors
    /// [`EvidenceError::Unknown`], or when it can't be read.
    pub fn show(&self, wanted: &str, as_json: bool) -> Result<String, EvidenceError> {
        let wanted = wanted.trim_end_matches(".txt").trim_end_matches(".json");
        let unknown = || EvidenceError::Unknown(wanted.to_owned());
        let listed = self.list()?;
        let found = listed.iter().find(|summary| summary.name == wanted || summary.incident == wanted);
        let name = &found.ok_or_else(unknown)?.name;
        let ending = if as_json { "json" } else { "txt" };
        let bytes = read(&self.path.join(format!("{name}.{ending}")))?.ok_or_else(unknown)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The files of an incident as they were last written.
    ///
    /// # Errors
    /// When the manifest can't be read.
    pub fn files_of(&self, incident: &IncidentId) -> Result<Vec<EvidenceFile>, EvidenceError> {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for line in Manifest::read(&self.path)?.files() {
            if line.incident == incident.as_str() {
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
