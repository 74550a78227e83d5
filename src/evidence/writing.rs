//! One writing of evidence: file by file, each with its line in the manifest.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::files::{create, io, read, replace, set_aside, sha256};
use super::lines::ManifestLine;
use super::manifest::Manifest;
use super::{EvidenceError, KnownFile};
use crate::incident::EvidenceFile;

/// One writing: what all its parts need.
pub(super) struct Writing<'a> {
    pub(super) folder: &'a Path,
    pub(super) manifest: Manifest,
    /// The id of the incident or the ramp that is written about.
    pub(super) owner: &'a str,
    pub(super) now: DateTime<Utc>,
    /// What the database knows to lie here.
    pub(super) known: &'a [KnownFile],
    /// What has to be reported, in sentences.
    pub(super) problems: Vec<String>,
}

/// What lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    Same,
    /// Other bytes, which we wrote.
    Ours,
    /// Other bytes, which nobody vouches for, or no plain file.
    Strange,
}

impl Writing<'_> {
    /// Writes one file and its manifest line, or the one of them that a crash left out. What lies in
    /// its place and was not written by us is moved aside, never written over.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<EvidenceFile, EvidenceError> {
        let file = EvidenceFile::new(name.to_owned(), sha256(bytes));
        let listed: Vec<_> = self.manifest.of_file(name).map(|line| line.sha256.clone()).collect();
        let there = self.there(name, &file.sha256);
        if listed.last() == Some(&file.sha256) && there == There::Same {
            return Ok(file);
        }
        if listed.len() >= 2 && !listed.contains(&file.sha256) {
            return Err(EvidenceError::Complete { file: name.to_owned() });
        }
        match there {
            There::Same => {}
            There::Ours => replace(self.folder, name, bytes)?,
            There::Nothing => self.create(name, bytes)?,
            There::Strange => {
                let aside = set_aside(self.folder, name)?;
                self.problems.push(format!(
                    "{name} in {} was not written by Backstop, or was changed since; it is kept as {aside}",
                    self.folder.display()
                ));
                self.create(name, bytes)?;
            }
        }
        if listed.last() != Some(&file.sha256) {
            self.add_line(&file, bytes.len(), listed.last().cloned())?;
        }
        Ok(file)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
        let path = self.folder.join(name);
        // Somebody was faster: the next try sees what lies there.
        let taken = || io(&path, "created")(std::io::ErrorKind::AlreadyExists.into());
        if create(self.folder, name, bytes)? { Ok(()) } else { Err(taken()) }
    }

    fn there(&self, name: &str, wanted: &str) -> There {
        match read(&self.folder.join(name)).map(|bytes| bytes.map(|bytes| sha256(&bytes))) {
            Ok(None) => There::Nothing,
            Ok(Some(found)) if found == wanted => There::Same,
            Ok(Some(found)) if self.is_ours(name, &found) => There::Ours,
            Ok(Some(_)) | Err(_) => There::Strange,
        }
    }

    /// The same for what is written once: what is listed stays, whatever was to be written now. A first try that
    /// a crash cut off has read the world when it was to be read; the next one reads another. What is damaged
    /// since is left to whoever verifies, since writing over it would cover it.
    pub(super) fn put_once(&mut self, name: &str, bytes: &[u8]) -> Result<EvidenceFile, EvidenceError> {
        let listed = self.manifest.of_file(name).last().map(|line| line.sha256.clone());
        let Some(sha256) = listed else { return self.put(name, bytes) };
        if self.there(name, &sha256) != There::Same {
            self.problems.push(format!(
                "{name} in {} was written and is gone, or was changed since; run `backstop evidence verify`",
                self.folder.display()
            ));
        }
        Ok(EvidenceFile::new(name.to_owned(), sha256))
    }

    fn add_line(
        &mut self,
        file: &EvidenceFile,
        bytes: usize,
        replaces: Option<String>,
    ) -> Result<(), EvidenceError> {
        self.add_line_of(self.owner, file, bytes, replaces)
    }

    pub(super) fn add_line_of(
        &mut self,
        owner: &str,
        file: &EvidenceFile,
        bytes: usize,
        replaces: Option<String>,
    ) -> Result<(), EvidenceError> {
        self.manifest.append(ManifestLine {
            at: self.now,
            incident: owner.to_owned(),
            file: file.name.clone(),
            bytes: bytes as u64,
            sha256: file.sha256.clone(),
            replaces,
            prev: String::new(),
            hash: String::new(),
        })
    }

    fn is_ours(&self, name: &str, sha256: &str) -> bool {
        self.manifest.of_file(name).any(|line| line.sha256 == sha256)
            || self.known.iter().any(|KnownFile { owner, file }| {
                owner == self.owner && file.name == name && file.sha256 == sha256
            })
    }

    /// Whether a name is another incident's, by the manifest or the database.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        let files = [format!("{name}.json"), format!("{name}.txt")];
        let lines = self.manifest.files().filter(|line| files.contains(&line.file));
        let known = self.known.iter().filter(|known| files.contains(&known.file.name));
        let owners = lines.map(|line| line.incident.as_str()).chain(known.map(|known| known.owner.as_str()));
        owners.into_iter().any(|owner| owner != self.owner)
    }
}
