//! `manifest.jsonl`: one line a written file, each chained to the one before.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::EvidenceError;
use super::files::{io, read, replace, sha256};

/// The manifest's name in the folder.
pub(super) const MANIFEST: &str = "manifest.jsonl";
/// The name of the file that tells how long the chain is.
pub(super) const HEAD: &str = "manifest.head";
/// What the first line is chained to.
const ORIGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestLine {
    /// When the file was written.
    pub at: DateTime<Utc>,
    /// The incident that it belongs to.
    pub incident: String,
    /// Its name in the folder.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// The SHA-256 of what it replaced.
    pub replaces: Option<String>,
    /// The `hash` of the line before.
    pub prev: String,
    /// SHA-256 over all members above.
    pub hash: String,
}

impl ManifestLine {
    /// What the hash has to be.
    #[must_use]
    pub fn expected_hash(&self) -> String {
        let members = serde_json::json!([
            self.at,
            self.incident,
            self.file,
            self.bytes,
            self.sha256,
            self.replaces,
            self.prev
        ]);
        sha256(members.to_string().as_bytes())
    }
}

/// How long the chain is, and its last hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) lines: usize,
    pub(super) hash: String,
}

/// The manifest as it lies there.
#[derive(Debug)]
pub(super) struct Manifest {
    folder: PathBuf,
    pub(super) lines: Vec<ManifestLine>,
    /// A last line without its end: a crash in the middle of writing.
    pub(super) torn: Option<Vec<u8>>,
    /// The first line that is no manifest line, from 1.
    pub(super) broken: Option<usize>,
}

impl Manifest {
    pub(super) fn read(folder: &Path) -> Result<Self, EvidenceError> {
        let bytes = read(&folder.join(MANIFEST))?.unwrap_or_default();
        let mut manifest = Self { folder: folder.to_owned(), lines: Vec::new(), torn: None, broken: None };
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let Some(whole) = line.strip_suffix(b"\n") else {
                manifest.torn = Some(line.to_vec());
                break;
            };
            match serde_json::from_slice::<ManifestLine>(whole) {
                // Spacing and the order of members are part of what may not change.
                Ok(parsed) if encode(&parsed).as_bytes() == whole => manifest.lines.push(parsed),
                _ => {
                    manifest.broken = Some(index + 1);
                    break;
                }
            }
        }
        Ok(manifest)
    }

    pub(super) fn head(&self) -> Head {
        let hash = self.lines.last().map_or_else(|| ORIGIN.to_owned(), |line| line.hash.clone());
        Head { lines: self.lines.len(), hash }
    }

    pub(super) fn stored_head(&self) -> Result<Option<Head>, EvidenceError> {
        Ok(read(&self.folder.join(HEAD))?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// The first line whose hash or link is wrong, from 1.
    pub(super) fn first_wrong(&self) -> Option<usize> {
        let mut prev = ORIGIN.to_owned();
        for (index, line) in self.lines.iter().enumerate() {
            if line.prev != prev || line.hash != line.expected_hash() {
                return Some(index + 1);
            }
            prev.clone_from(&line.hash);
        }
        self.broken
    }

    pub(super) fn of_file(&self, name: &str) -> impl Iterator<Item = &ManifestLine> {
        self.lines.iter().filter(move |line| line.file == name)
    }

    /// Makes a manifest that a crash cut off usable again. What was cut off is kept beside it.
    pub(super) fn mend(&mut self) -> Result<(), EvidenceError> {
        let Some(torn) = self.torn.take() else { return Ok(()) };
        let name = format!("manifest.torn-{}", self.lines.len() + 1);
        replace(&self.folder, &name, &torn)?;
        let whole: String = self.lines.iter().map(|line| encode(line) + "\n").collect();
        replace(&self.folder, MANIFEST, whole.as_bytes())
    }

    pub(super) fn append(&mut self, line: ManifestLine) -> Result<(), EvidenceError> {
        let line = ManifestLine { prev: self.head().hash, ..line };
        let line = ManifestLine { hash: line.expected_hash(), ..line };
        let path = self.folder.join(MANIFEST);
        let mut file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(io(&path, "opened"))?;
        file.write_all(format!("{}\n", encode(&line)).as_bytes()).map_err(io(&path, "written"))?;
        file.sync_all().map_err(io(&path, "written"))?;
        self.lines.push(line);
        self.write_head()
    }

    pub(super) fn write_head(&self) -> Result<(), EvidenceError> {
        // A head that can't be encoded would be a line that couldn't either.
        let head = serde_json::to_vec(&self.head()).unwrap_or_default();
        replace(&self.folder, HEAD, &head)
    }
}

fn encode(line: &ManifestLine) -> String {
    // Texts, numbers and a time always encode; an empty line would be found by the next read.
    serde_json::to_string(line).unwrap_or_default()
}
