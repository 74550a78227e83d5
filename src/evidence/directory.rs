//! One folder with evidence: writing into it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::files::{open_private, private_folder, read, sha256, wait_for};
use super::folders::name_of;
use super::lines::BreakLine;
use super::manifest::{Manifest, is_said, unlisted};
use super::pending::Pending;
use super::verify::Finding;
use super::writing::Writing;
use super::{EvidenceError, KnownFile, Recorded, Version, render};
use crate::incident::{EvidenceFile, Incident};

/// The most raw webhook bodies that are stored with one rollback.
const MAX_WEBHOOKS: usize = 8;

/// Rollbacks of one second: more than one per rollout can't be.
const MAX_SAME_SECOND: usize = 99;

/// Bytes that go beside the text.
#[derive(Debug, Clone, Default)]
pub struct EvidenceBlobs {
    /// The metrics as the rollback began.
    pub before: Option<Vec<u8>>,
    /// The metrics as the incident closed.
    pub after: Option<Vec<u8>>,
    pub webhooks: Vec<Vec<u8>>,
}

/// One rollback's evidence in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSummary {
    /// The files' common name, `rollback_<date>_<time>`.
    pub name: String,
    pub incident: String,
    pub rollout: String,
    /// When the rollback began.
    pub executed_at: DateTime<Utc>,
    /// What caused it: an alert's name or a person's words.
    pub reason: String,
    /// The incident's state when it was written.
    pub state: String,
    /// Whether nothing can have come since: if not, state and verdict are as of `written_at`.
    pub complete: bool,
    /// When it was written, if it is not complete and that is known.
    pub written_at: Option<DateTime<Utc>>,
    /// The verdict, if there was one by then.
    pub verdict: Option<String>,
}

/// A folder with evidence. Nothing of it is cached: every call reads what lies there.
#[derive(Debug, Clone)]
pub struct EvidenceDir {
    pub(super) path: PathBuf,
}

impl EvidenceDir {
    /// The folder at `path`; created when something is written.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The path as it was given, perhaps relative.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is no such folder: not the same as one in which nothing lies.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.path.try_exists(), Ok(false))
    }

    /// Writes the evidence of an incident, or completes it. Doing so again with the same content
    /// changes nothing. A record that was broken since, judged by its own head and by what is `known`
    /// to have been written here, is set aside and continued by one that says so.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    pub fn write(
        &self,
        incident: &Incident,
        blobs: &EvidenceBlobs,
        complete: bool,
        now: DateTime<Utc>,
        known: &[KnownFile],
    ) -> Result<Recorded, EvidenceError> {
        private_folder(&self.path)?;
        let _lock = self.lock()?;
        let (manifest, owner) = (Manifest::read(&self.path)?, incident.id.as_str());
        let mut writing = Writing { folder: &self.path, manifest, owner, now, known, problems: Vec::new() };
        self.continue_record(&mut writing)?;
        self.adopt_pending(&mut writing)?;
        let name = self.name_for(&writing, incident)?;
        let files = if self.finish_begun(&mut writing, incident, &name, complete)? {
            self.files_of(incident.id.as_str())?
        } else {
            let directory = Some(name_of(&self.path));
            let written = self.write_round(&mut writing, incident, (&name, blobs), complete)?.into_iter();
            written.map(|file| EvidenceFile { directory: directory.clone(), ..file }).collect()
        };
        Pending::clear(&self.path);
        writing.manifest.write_head()?;
        Ok(Recorded { files, problems: writing.problems })
    }

    /// Everything rests on what was written before: what is missing of it is said here, in the record
    /// itself, where no later writing can hide it.
    pub(super) fn continue_record(&self, writing: &mut Writing<'_>) -> Result<(), EvidenceError> {
        let mut broken = writing.manifest.chain_findings(true)?;
        let unlisted = unlisted(&writing.manifest, writing.known).into_iter();
        broken.extend(unlisted.filter(|finding| !is_said(&writing.manifest, finding)));
        if broken.is_empty() {
            return writing.manifest.mend();
        }
        let said: Vec<_> = broken.iter().map(Finding::to_string).collect();
        writing.problems.push(format!(
            "the record of earlier evidence in {} was found broken and is continued by a new one: {}; run `backstop evidence verify`",
            self.path.display(),
            said.join("; ")
        ));
        let (prev, hash) = Default::default();
        writing.manifest.begin_anew(BreakLine { at: writing.now, broken, continues: None, prev, hash })
    }

    /// A crash may have come between a file and its line. It is ours if that was announced.
    pub(super) fn adopt_pending(&self, writing: &mut Writing<'_>) -> Result<(), EvidenceError> {
        let Pending { owner, files } = Pending::read(&self.path);
        let owner = owner.unwrap_or_else(|| writing.owner.to_owned());
        for file in files {
            let listed = writing.manifest.of_file(&file.name).last().map(|line| line.sha256.clone());
            if listed.as_ref() == Some(&file.sha256) {
                continue;
            }
            let Ok(Some(bytes)) = read(&self.path.join(&file.name)) else { continue };
            if sha256(&bytes) == file.sha256 {
                writing.add_line_of(&owner, &file, bytes.len(), listed)?;
            }
        }
        Ok(())
    }

    fn write_round(
        &self,
        writing: &mut Writing<'_>,
        incident: &Incident,
        (name, blobs): (&str, &EvidenceBlobs),
        complete: bool,
    ) -> Result<Vec<EvidenceFile>, EvidenceError> {
        let mut contents = Vec::new();
        contents.extend(blobs.before.as_ref().map(|bytes| (format!("{name}_before.prom"), bytes.clone())));
        contents.extend(blobs.after.as_ref().map(|bytes| (format!("{name}_after.prom"), bytes.clone())));
        for (index, body) in blobs.webhooks.iter().take(MAX_WEBHOOKS).enumerate() {
            let number = if index == 0 { String::new() } else { format!("_{}", index + 1) };
            contents.push((format!("{name}_webhook{number}.json"), body.clone()));
        }
        let file = |(name, bytes): &(String, Vec<u8>)| EvidenceFile::new(name.clone(), sha256(bytes));
        let beside: Vec<_> = contents.iter().map(file).collect();
        let version = Version::written(complete, writing.now);
        let json = render::render_json(incident, version, &beside);
        let text = render::render_text(incident, version, &beside);
        contents.push((format!("{name}.json"), json.into_bytes()));
        contents.push((format!("{name}.txt"), text.into_bytes()));
        Pending::announce(&self.path, writing.owner, &contents.iter().map(file).collect::<Vec<_>>())?;
        contents.iter().map(|(file, bytes)| writing.put(file, bytes)).collect()
    }

    /// A crash may have come after the JSON of this round and before its text, or before anybody
    /// recorded that both are there. What was begun is then finished as it was begun: a first
    /// version is not written twice, or there would be no replacement left to complete it, and a
    /// text says what its JSON says. Returns whether there was such a round.
    fn finish_begun(
        &self,
        writing: &mut Writing<'_>,
        incident: &Incident,
        name: &str,
        complete: bool,
    ) -> Result<bool, EvidenceError> {
        let (json, text) = (format!("{name}.json"), format!("{name}.txt"));
        let round = if complete { 2 } else { 1 };
        let text_is_there = writing.manifest.of_file(&text).count() >= round;
        if writing.manifest.of_file(&json).count() < round || (complete && text_is_there) {
            return Ok(false);
        }
        if !text_is_there {
            let bytes = read(&self.path.join(&json)).ok().flatten().unwrap_or_default();
            // A JSON that was broken since is found by `verify`; the text must not wait for it.
            let rendered = render::text_of_json(&bytes).unwrap_or_else(|| {
                render::render_text(incident, Version::written(complete, writing.now), &[])
            });
            let announced = EvidenceFile::new(text.clone(), sha256(rendered.as_bytes()));
            Pending::announce(&self.path, writing.owner, &[announced])?;
            writing.put(&text, rendered.as_bytes())?;
        }
        Ok(true)
    }

    pub(super) fn lock(&self) -> Result<File, EvidenceError> {
        let path = self.path.join("manifest.lock");
        let file = open_private(&path, OpenOptions::new().truncate(false).write(true))?;
        wait_for(&path, file)
    }

    /// The files' common name: that of the rollback's second, unless another incident has it. A name
    /// that only a file claims is left alone too, while there are others: its line may have been lost.
    fn name_for(&self, writing: &Writing<'_>, incident: &Incident) -> Result<String, EvidenceError> {
        let at = incident.rollback_started_at.unwrap_or(incident.opened_at);
        let second = format!("rollback_{}", at.format("%Y%m%d_%H%M%S"));
        let names = (1..=MAX_SAME_SECOND).map(|number| match number {
            1 => second.clone(),
            _ => format!("{second}_{number}"),
        });
        let free: Vec<_> = names.filter(|name| !writing.is_taken(name)).collect();
        let unclaimed = free.iter().find(|name| {
            let json = read(&self.path.join(format!("{name}.json"))).ok().flatten();
            json.and_then(|json| render::owner(&json)).is_none_or(|owner| owner == incident.id)
        });
        let name = unclaimed.or(free.first()).cloned();
        name.ok_or_else(|| EvidenceError::NoNameLeft { file: second, folder: self.path.clone() })
    }
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
pub(super) mod tests;
