//! The folder with the evidence.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::files::{io, read, replace, sha256, sync_folder};
use super::manifest::{Manifest, ManifestLine};
use super::verify::{VerifyReport, verify};
use super::{EvidenceError, EvidenceWriter, render};
use crate::incident::{EvidenceFile, Incident, IncidentId};

/// The raw webhook bodies that are kept with one rollback.
const MAX_WEBHOOKS: usize = 8;

/// Rollbacks of one second: more than one per rollout can't be.
const MAX_SAME_SECOND: usize = 99;

/// How often the lock is tried: writing takes milliseconds.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Bytes that go beside the text.
#[derive(Debug, Clone, Default)]
pub struct EvidenceBlobs {
    /// The metrics as the rollback began.
    pub before: Option<Vec<u8>>,
    /// The metrics as its verification ended.
    pub after: Option<Vec<u8>>,
    /// The raw webhook bodies.
    pub webhooks: Vec<Vec<u8>>,
}

/// One rollback's evidence in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSummary {
    /// The files' common name, `rollback_<date>_<time>`.
    pub name: String,
    /// The incident.
    pub incident: String,
    /// The rollout.
    pub rollout: String,
    /// When the rollback was executed.
    pub executed_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// The incident's state when it was written.
    pub state: String,
    /// The verdict, if there was one.
    pub verdict: Option<String>,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct EvidenceDir {
    path: PathBuf,
}

impl EvidenceDir {
    /// The folder at `path`; created when something is written.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the evidence of an incident, or completes it. Doing so again with the same content
    /// changes nothing.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    pub fn write(
        &self,
        incident: &Incident,
        blobs: &EvidenceBlobs,
        complete: bool,
        now: DateTime<Utc>,
    ) -> Result<Vec<EvidenceFile>, EvidenceError> {
        std::fs::create_dir_all(&self.path).map_err(io(&self.path, "created"))?;
        let _lock = self.lock()?;
        let mut manifest = Manifest::read(&self.path)?;
        manifest.mend()?;
        if let Some(line) = manifest.first_wrong() {
            return Err(EvidenceError::Broken { path: self.path.join(super::manifest::MANIFEST), line });
        }
        let name = self.name_for(incident)?;
        if self.finish_begun(&mut manifest, incident, &name, complete, now)? {
            return self.files_of(&incident.id);
        }
        let mut files = Vec::new();
        let mut beside = Vec::new();
        beside.extend(blobs.before.as_ref().map(|bytes| (format!("{name}_before.prom"), bytes.clone())));
        beside.extend(blobs.after.as_ref().map(|bytes| (format!("{name}_after.prom"), bytes.clone())));
        for (index, body) in blobs.webhooks.iter().take(MAX_WEBHOOKS).enumerate() {
            let number = if index == 0 { String::new() } else { format!("_{}", index + 1) };
            beside.push((format!("{name}_webhook{number}.json"), body.clone()));
        }
        for (file, bytes) in &beside {
            files.push(self.put(&mut manifest, incident, file, bytes, now)?);
        }
        let json = render::render_json(incident, complete, &files);
        let text = render::render_text(incident, complete, &files);
        for (file, bytes) in
            [(format!("{name}.json"), json.into_bytes()), (format!("{name}.txt"), text.into_bytes())]
        {
            files.push(self.put(&mut manifest, incident, &file, &bytes, now)?);
        }
        manifest.write_head()?;
        Ok(files)
    }

    /// A crash may have come after the JSON of this round and before its text, or before anybody
    /// recorded that both are there. What was begun is then finished as it was begun: a first
    /// version is not written twice, or there would be no replacement left to complete it, and a
    /// text tells what its JSON tells. Says whether there was such a round.
    fn finish_begun(
        &self,
        manifest: &mut Manifest,
        incident: &Incident,
        name: &str,
        complete: bool,
        now: DateTime<Utc>,
    ) -> Result<bool, EvidenceError> {
        let (json, text) = (format!("{name}.json"), format!("{name}.txt"));
        let round = if complete { 2 } else { 1 };
        let text_is_there = manifest.of_file(&text).count() >= round;
        if manifest.of_file(&json).count() < round || (complete && text_is_there) {
            return Ok(false);
        }
        if !text_is_there {
            let bytes = read(&self.path.join(&json))?.unwrap_or_default();
            // A JSON that was broken since is found by `verify`; the text must not wait for it.
            let rendered =
                render::text_of_json(&bytes).unwrap_or_else(|| render::render_text(incident, complete, &[]));
            self.put(manifest, incident, &text, rendered.as_bytes(), now)?;
        }
        manifest.write_head()?;
        Ok(true)
    }

    /// Writes one file and its manifest line, or the one of them that a crash left out.
    fn put(
        &self,
        manifest: &mut Manifest,
        incident: &Incident,
        name: &str,
        bytes: &[u8],
        now: DateTime<Utc>,
    ) -> Result<EvidenceFile, EvidenceError> {
        let sha256 = sha256(bytes);
        let listed: Vec<_> = manifest.of_file(name).map(|line| line.sha256.clone()).collect();
        if listed.last() == Some(&sha256) && read(&self.path.join(name))?.as_deref() == Some(bytes) {
            return Ok(EvidenceFile { name: name.to_owned(), sha256 });
        }
        if listed.len() >= 2 && !listed.contains(&sha256) {
            return Err(EvidenceError::Complete { file: name.to_owned() });
        }
        replace(&self.path, name, bytes)?;
        if listed.last() != Some(&sha256) {
            manifest.append(ManifestLine {
                at: now,
                incident: incident.id.to_string(),
                file: name.to_owned(),
                bytes: bytes.len() as u64,
                sha256: sha256.clone(),
                replaces: listed.last().cloned(),
                prev: String::new(),
                hash: String::new(),
            })?;
        }
        Ok(EvidenceFile { name: name.to_owned(), sha256 })
    }

    fn lock(&self) -> Result<File, EvidenceError> {
        let path = self.path.join("manifest.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io(&path, "opened"))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(io(&path, "locked")(error)),
            }
        }
        Err(EvidenceError::Busy { path })
    }

    /// The files' common name: that of the rollback's second, unless another incident has it.
    fn name_for(&self, incident: &Incident) -> Result<String, EvidenceError> {
        let at = incident.rollback_started_at.unwrap_or(incident.opened_at);
        let second = format!("rollback_{}", at.format("%Y%m%d_%H%M%S"));
        for number in 1..=MAX_SAME_SECOND {
            let name = if number == 1 { second.clone() } else { format!("{second}_{number}") };
            let owner = self.owner(&name)?;
            if owner.is_none_or(|owner| owner == incident.id.as_str()) {
                return Ok(name);
            }
        }
        Err(EvidenceError::Complete { file: second })
    }

    fn owner(&self, name: &str) -> Result<Option<String>, EvidenceError> {
        let json = read(&self.path.join(format!("{name}.json")))?;
        let owner = json.map(|bytes| {
            let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
            json.pointer("/incident/id").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        });
        Ok(owner)
    }

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
            let json = read(&self.path.join(&name))?.unwrap_or_default();
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
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
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
        for line in Manifest::read(&self.path)?.lines {
            if line.incident == incident.as_str() {
                files.insert(line.file, line.sha256);
            }
        }
        Ok(files.into_iter().map(|(name, sha256)| EvidenceFile { name, sha256 }).collect())
    }

    /// Looks for anything that was changed since it was written.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn verify(&self) -> Result<VerifyReport, EvidenceError> {
        if self.path.exists() {
            // So that a writer in the middle of its work is not taken for damage.
            let _lock = self.lock().or_else(|error| match error {
                EvidenceError::Io { .. } => File::open(&self.path).map_err(io(&self.path, "read")),
                other => Err(other),
            })?;
            sync_folder(&self.path)?;
        }
        verify(&self.path, self.names()?)
    }
}

#[async_trait]
impl EvidenceWriter for EvidenceDir {
    async fn record(
        &self,
        incident: Arc<Incident>,
        blobs: EvidenceBlobs,
        complete: bool,
        now: DateTime<Utc>,
    ) -> Result<Vec<EvidenceFile>, EvidenceError> {
        let folder = self.clone();
        let write = move || match folder.write(&incident, &blobs, complete, now) {
            // Completed before a crash that forgot to record it; what came since changes nothing.
            Err(EvidenceError::Complete { .. }) if complete => folder.files_of(&incident.id),
            other => other,
        };
        tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(EvidenceError::BrokeOff(error)))
    }
}

#[cfg(test)]
mod tests;
