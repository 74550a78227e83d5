//! Looks for what was changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::EvidenceError;
use super::files::{read, sha256};
use super::manifest::{Manifest, ManifestLine};

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// A file's bytes are not those that were written.
    Changed {
        /// Which.
        file: String,
    },
    /// A file is gone.
    Missing {
        /// Which.
        file: String,
    },
    /// A file lies there that nobody wrote.
    Unlisted {
        /// Which.
        file: String,
    },
    /// A manifest line was changed, or does not continue the one before.
    ManifestLineChanged {
        /// From 1.
        line: usize,
    },
    /// The manifest ends before, or after, what its head says.
    ManifestTruncated {
        /// Lines by the head.
        expected: usize,
        /// Lines that are there.
        found: usize,
    },
    /// The manifest's head is gone, unreadable or does not fit the last line.
    HeadChanged,
    /// The last line has no end: cut, or a crash in the middle of writing.
    TornLine,
    /// A file was replaced more than once.
    ReplacedAgain {
        /// Which.
        file: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { file } => write!(f, "changed: {file} is not what was written"),
            Self::Missing { file } => write!(f, "missing: {file}"),
            Self::Unlisted { file } => write!(f, "unlisted: {file} is in no line of the manifest"),
            Self::ManifestLineChanged { line } => write!(f, "manifest.jsonl, line {line}, was changed"),
            Self::ManifestTruncated { expected, found } => {
                write!(f, "manifest.jsonl has {found} lines, its head says {expected}")
            }
            Self::HeadChanged => write!(f, "manifest.head is missing or does not fit the manifest"),
            Self::TornLine => write!(f, "manifest.jsonl ends in the middle of a line"),
            Self::ReplacedAgain { file } => write!(f, "replaced more than once: {file}"),
        }
    }
}

/// What was looked at and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Files that were compared.
    pub files: usize,
    /// Lines of the manifest.
    pub lines: usize,
    /// The chain's last hash: noted elsewhere, it proves that nothing before it was rewritten.
    pub head: String,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

pub(super) fn verify(folder: &Path, names: Vec<String>) -> Result<VerifyReport, EvidenceError> {
    let manifest = Manifest::read(folder)?;
    let mut findings = chain(&manifest)?;
    let mut latest: BTreeMap<&str, Vec<&ManifestLine>> = BTreeMap::new();
    for line in &manifest.lines {
        latest.entry(&line.file).or_default().push(line);
    }
    for (file, lines) in &latest {
        let file = (*file).to_owned();
        if lines.len() > 2 {
            findings.push(Finding::ReplacedAgain { file: file.clone() });
        }
        let Some(last) = lines.last() else { continue };
        match read(&folder.join(&file))? {
            None => findings.push(Finding::Missing { file }),
            Some(bytes) if sha256(&bytes) != last.sha256 => findings.push(Finding::Changed { file }),
            Some(_) => {}
        }
    }
    let listed: BTreeSet<_> = latest.keys().copied().collect();
    let strange = names.into_iter().filter(|name| !listed.contains(name.as_str()));
    findings.extend(strange.map(|file| Finding::Unlisted { file }));
    Ok(VerifyReport {
        files: latest.len(),
        lines: manifest.lines.len(),
        head: manifest.head().hash,
        findings,
    })
}

fn chain(manifest: &Manifest) -> Result<Vec<Finding>, EvidenceError> {
    let mut findings = Vec::new();
    findings.extend(manifest.first_wrong().map(|line| Finding::ManifestLineChanged { line }));
    if manifest.torn.is_some() {
        findings.push(Finding::TornLine);
    }
    let found = manifest.head();
    match manifest.stored_head()? {
        Some(head) if head.lines != found.lines => {
            findings.push(Finding::ManifestTruncated { expected: head.lines, found: found.lines });
        }
        Some(head) if head.hash == found.hash => {}
        None if found.lines == 0 && manifest.torn.is_none() && manifest.broken.is_none() => {}
        _ => findings.push(Finding::HeadChanged),
    }
    Ok(findings)
}
