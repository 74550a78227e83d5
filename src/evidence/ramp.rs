//! The folder of one ramp: the files of each stage as it was left, and the record of the whole.
//!
//! Nothing of it is ever replaced: a stage is over, and what was read as it was left can't be read again. It
//! shares the manifest with the rollbacks' evidence, so that neither can be cut without the other.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::directory::EvidenceDir;
use super::files::{make_folder, private_folder, read, sha256};
use super::folders::name_of;
use super::listing::names_in;
use super::manifest::Manifest;
use super::pending::Pending;
use super::render::{ramp_json, ramp_of_json, render_ramp};
use super::snapshots::taken_at;
use super::writing::Writing;
use super::{EvidenceError, KnownFile, Recorded};
use crate::incident::{EvidenceFile, Ramp, RampId, RampPhase};
use crate::ramp::{GatesFile, KeptFile, MAX_GATES_FILE_BYTES};

/// The most files of one writing: a stage has a dozen, and each criterion may keep one.
const MAX_FILES: usize = 128;

/// The longest name: with the folder's before it, far below what a file system takes.
const MAX_NAME_CHARS: usize = 100;

/// What a folder's name has between the rollout and the time: of a ramp, and of a snapshot without one.
const KINDS: [&str; 2] = ["-ramp-", "-snapshot-"];

/// The record of the whole for tools, inside a ramp's folder.
pub(super) const RECORD: &str = "ramp.json";

/// One ramp's evidence in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RampSummary {
    /// Its folder's name, which is its id.
    pub ramp: String,
    pub revision: String,
    /// When it started; of a ramp without a record, when the first stage that lies there began.
    pub started_at: DateTime<Utc>,
    /// None where its record is not written: it runs, or what was written is gone.
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended, such as `succeeded`; `unfinished` without its record.
    pub state: String,
    /// The shares of the stages whose gates lie there, in per cent.
    pub stages: Vec<u8>,
}

/// The record of a ramp that has ended: for people by the protocol, and for tools.
#[must_use]
pub fn ramp_record(ramp: &Ramp) -> Option<Vec<KeptFile>> {
    let (ended_at, text) = (ramp.ended_at?, render_ramp(ramp)?);
    let state = if ramp.phase == RampPhase::Succeeded { "success" } else { ramp.phase.as_str() };
    let name = format!("canary_{state}_{}.txt", ended_at.format("%Y%m%d_%H%M%S"));
    let json = ramp_json(ramp);
    let file = |name: String, text: String| KeptFile { name, bytes: text.into_bytes() };
    Some(vec![file(RECORD.to_owned(), json), file(name, text)])
}

/// Whether a folder of this name is a ramp's, or a snapshot's.
pub(super) fn is_ramps(folder: &str) -> bool {
    KINDS.iter().any(|kind| folder.contains(kind))
}

/// Whether a file of this name is a stage's gates.
pub(super) fn is_gates(name: &str) -> bool {
    name.starts_with("gates_stage_") && name.ends_with(".json")
}

impl EvidenceDir {
    /// Writes files into a ramp's folder, each once: what a try wrote that a crash cut off stays as it is, and
    /// is among what was written. The last file should be the one that says that the others are there.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    pub fn write_ramp(
        &self,
        ramp: &RampId,
        files: &[KeptFile],
        now: DateTime<Utc>,
        known: &[KnownFile],
    ) -> Result<Recorded, EvidenceError> {
        private_folder(&self.path)?;
        let _lock = self.lock()?;
        let (folder, owner) = (folder_of(ramp), ramp.as_str());
        let manifest = Manifest::read(&self.path)?;
        let mut writing = Writing { folder: &self.path, manifest, owner, now, known, problems: Vec::new() };
        self.continue_record(&mut writing)?;
        let begun = Pending::read(&self.path);
        self.adopt_pending(&mut writing)?;
        make_folder(&self.path.join(&folder))?;
        let (files, refused) = sound(files);
        writing.problems.extend(refused);
        let named = |file: &KeptFile| format!("{folder}/{}", file.name);
        let announced = files.iter().map(|file| EvidenceFile::new(named(file), sha256(&file.bytes)));
        Pending::announce(&self.path, owner, &announced.collect::<Vec<_>>())?;
        let written: Result<Vec<_>, _> =
            files.iter().map(|file| writing.put_once(&named(file), &file.bytes)).collect();
        let mut written = written?;
        if begun.owner.as_deref() == Some(owner) {
            written.extend(of_an_earlier_try(&writing, &begun, &written));
        }
        Pending::clear(&self.path);
        writing.manifest.write_head()?;
        let directory = Some(name_of(&self.path));
        let files = written.into_iter().map(|file| EvidenceFile { directory: directory.clone(), ..file });
        Ok(Recorded { files: files.collect(), problems: writing.problems })
    }

    /// The evidence of ramps, the oldest first. What can't be read hides no other.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn list_ramps(&self) -> Result<Vec<RampSummary>, EvidenceError> {
        let is_listed = |name: &String| is_ramps(name) && taken_at(name).is_none();
        let names = names_in(&self.path)?.into_iter().filter(is_listed);
        let mut found: Vec<_> = names.filter_map(|name| self.summary_of(&name)).collect();
        found.sort_by(|a, b| (a.started_at, &a.ramp).cmp(&(b.started_at, &b.ramp)));
        Ok(found)
    }

    fn summary_of(&self, folder: &str) -> Option<RampSummary> {
        let gates: Vec<_> = self.gates_in(folder).into_iter().filter_map(|(_, file)| file.ok()).collect();
        let mut stages: Vec<_> = gates.iter().map(|file| file.share.0).collect();
        stages.sort_unstable();
        let record = read(&self.path.join(folder).join(RECORD)).ok().flatten();
        let ramp = folder.to_owned();
        if let Some(record) = record.and_then(|bytes| ramp_of_json(&bytes)) {
            let state = record.phase.as_str().to_owned();
            let (revision, started_at) = (record.plan.revision.to_string(), record.started_at);
            return Some(RampSummary {
                ramp,
                revision,
                started_at,
                ended_at: record.ended_at,
                state,
                stages,
            });
        }
        let first = gates.iter().min_by_key(|file| file.span.began_at)?;
        let (revision, started_at) = (first.revision.to_string(), first.span.began_at);
        let state = "unfinished".to_owned();
        Some(RampSummary { ramp, revision, started_at, ended_at: None, state, stages })
    }

    /// The records of gates in a ramp's folder, by name.
    pub(super) fn gates_in(&self, folder: &str) -> Vec<(String, Result<GatesFile, String>)> {
        let path = self.path.join(folder);
        let mut names = names_in(&path).unwrap_or_default();
        names.retain(|name| is_gates(name));
        names.sort();
        names.into_iter().map(|name| (format!("{folder}/{name}"), gates_of(&path.join(&name)))).collect()
    }

    pub(super) fn show_ramp(&self, wanted: &str, as_json: bool) -> Result<Option<String>, EvidenceError> {
        if !is_ramps(wanted) || wanted.contains('/') {
            return Ok(None);
        }
        let folder = self.path.join(wanted);
        let is_record = |name: &String| match as_json {
            true => name == RECORD,
            false => name.starts_with("canary_") && name.ends_with(".txt"),
        };
        let names = names_in(&folder)?;
        let Some(name) = names.iter().find(|name| is_record(name)) else {
            return Ok((!names.is_empty()).then(|| without_record(wanted, names, as_json)));
        };
        Ok(read(&folder.join(name))?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// What is listed can be shown: what lies there, and why there is no record.
fn without_record(folder: &str, mut names: Vec<String>, as_json: bool) -> String {
    names.sort();
    if as_json {
        return serde_json::json!({ "folder": folder, "files": names }).to_string();
    }
    let why = match taken_at(folder) {
        Some(_) => "a snapshot of one stage, without a ramp",
        None => "a ramp with no record of the whole: it runs, or its record is gone",
    };
    let files: String = names.iter().map(|name| format!("  {name}\n")).collect();
    format!("{folder}: {why}. In its folder:\n{files}")
}

/// A stage's gates from a file; in words why there are none.
pub(super) fn gates_of(path: &std::path::Path) -> Result<GatesFile, String> {
    let length = std::fs::symlink_metadata(path).map(|found| found.len()).unwrap_or_default();
    if length > MAX_GATES_FILE_BYTES {
        return Err(format!("it has {length} bytes, and {MAX_GATES_FILE_BYTES} are the most"));
    }
    let bytes = read(path).map_err(|error| error.in_full())?.ok_or("there is no such file")?;
    GatesFile::read(&bytes).map_err(|error| error.to_string())
}

/// The id is made of the rollout's name, which is a DNS label, and a time; whatever else came is no path.
fn folder_of(ramp: &RampId) -> String {
    ramp.as_str().chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// The files that can be written, and in sentences why others can't: criteria name theirs.
fn sound(files: &[KeptFile]) -> (Vec<&KeptFile>, Vec<String>) {
    let (mut sound, mut refused, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for file in files {
        let name = file.name.as_str();
        let is_fine = name.len() <= MAX_NAME_CHARS
            && name.starts_with(is_plain)
            && name.chars().all(|c| is_plain(c) || c == '.');
        let why = if !is_fine {
            Some("its name is no plain file name")
        } else if file.bytes.len() as u64 > MAX_GATES_FILE_BYTES {
            Some("it is too long")
        } else if !names.insert(name) {
            Some("another file of the stage has its name")
        } else if sound.len() >= MAX_FILES {
            Some("the stage has too many files")
        } else {
            None
        };
        match why {
            Some(why) => refused.push(format!("{} is not kept: {why}", crate::text::shown(name))),
            None => sound.push(file),
        }
    }
    (sound, refused)
}

/// What an earlier try announced and wrote, and this one has no more: its picture, for instance.
fn of_an_earlier_try(writing: &Writing<'_>, begun: &Pending, written: &[EvidenceFile]) -> Vec<EvidenceFile> {
    let others = begun.files.iter().filter(|file| written.iter().all(|again| again.name != file.name));
    let is_listed =
        |file: &&EvidenceFile| writing.manifest.of_file(&file.name).any(|line| line.sha256 == file.sha256);
    others.filter(is_listed).cloned().collect()
}

#[cfg(test)]
mod tests;
