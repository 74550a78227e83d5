//! Looks for what was changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::files::{read, sha256};
use super::lines::ManifestLine;
use super::manifest::{Manifest, is_said, unlisted};
use super::{EvidenceError, KnownFile};
use crate::text::shown;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// A file's bytes are not those that were written.
    Changed {
        file: String,
    },
    /// The same where the manifest is damaged, too, and nobody else knows the file: what the manifest
    /// lists may be an earlier version, whose successor's line is gone.
    NotAsListed {
        file: String,
    },
    Missing {
        file: String,
    },
    /// What lies under a file's name can't be read, or is no plain file.
    Unreadable {
        file: String,
    },
    /// A file lies there that is in no line of the manifest.
    Unlisted {
        file: String,
    },
    /// The database knows that a file was written, and the manifest does not.
    Lost {
        file: String,
    },
    /// The database knows that a file was written, it lies there as it was, and a line of it is gone
    /// from the manifest.
    LineGone {
        file: String,
    },
    /// A manifest line was changed, or does not continue the one before.
    ManifestLineChanged {
        /// From 1.
        line: usize,
    },
    /// The same of several lines on end, such as all of a manifest with other line ends.
    ManifestLinesChanged {
        /// From 1.
        from: usize,
        /// The last of them.
        to: usize,
    },
    /// The manifest ends before, or after, what its head says.
    ManifestTruncated {
        expected: usize,
        found: usize,
    },
    /// The manifest's head is gone, unreadable or does not fit the last line.
    HeadChanged,
    /// The last line has no end: cut, or a crash in the middle of writing.
    TornLine,
    /// A file was replaced more than once: completing a first version needs one replacement.
    ReplacedAgain {
        file: String,
    },
    /// As something was written, the record before it was found broken.
    FoundBroken {
        /// The manifest's line that says so, from 1.
        line: usize,
        at: DateTime<Utc>,
        then: Vec<Finding>,
    },
}

impl Finding {
    /// The file that is known to be as it was written, although something is wrong.
    fn unharmed(&self) -> Option<&str> {
        if let Self::LineGone { file } = self { Some(file) } else { None }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { file } => write!(f, "changed: {} is not what the manifest lists", shown(file)),
            Self::NotAsListed { file } => write!(
                f,
                "{} is not what the manifest lists: it was changed, or a line of it is gone",
                shown(file)
            ),
            Self::Missing { file } => write!(f, "missing: {} was written and is gone", shown(file)),
            Self::Unreadable { file } => {
                write!(f, "unreadable: {} can't be read as a plain file", shown(file))
            }
            Self::Unlisted { file } => {
                write!(f, "unlisted: {} is in no line of the manifest that can be read", shown(file))
            }
            Self::Lost { file } => {
                write!(
                    f,
                    "MISSING: {} was written, the database says, and the manifest doesn't list it",
                    shown(file)
                )
            }
            Self::LineGone { file } => write!(
                f,
                "manifest.jsonl lacks a line of {}; the file itself is as the database recorded it",
                shown(file)
            ),
            Self::ManifestLineChanged { line } => {
                write!(f, "manifest.jsonl, line {line}, was changed or does not continue the one before it")
            }
            Self::ManifestLinesChanged { from, to } => {
                write!(
                    f,
                    "manifest.jsonl, lines {from} to {to}, were changed or do not continue those before them"
                )
            }
            Self::ManifestTruncated { expected, found } => {
                write!(f, "manifest.jsonl has {found} lines, its head says {expected}")
            }
            Self::HeadChanged => write!(f, "manifest.head is missing or does not fit the manifest"),
            Self::TornLine => write!(f, "manifest.jsonl ends in the middle of a line"),
            Self::ReplacedAgain { file } => write!(f, "replaced more than once: {}", shown(file)),
            Self::FoundBroken { line, at, then } => {
                let then: Vec<_> = then.iter().map(Self::to_string).collect();
                write!(
                    f,
                    "manifest.jsonl, line {line}: at {} the record was found broken: {}",
                    at.format("%Y-%m-%d %H:%M:%S UTC"),
                    then.join("; ")
                )
            }
        }
    }
}

/// What a check of the folder looked at, and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Files that were compared.
    pub files: usize,
    pub lines: usize,
    /// The chain's last hash: noted elsewhere, it proves that nothing before it was rewritten.
    pub head: String,
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    /// Whether nothing is wrong; a folder that is empty or missing is clean too.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

pub(super) fn verify(
    folder: &Path,
    names: Vec<String>,
    known: &[KnownFile],
) -> Result<VerifyReport, EvidenceError> {
    let manifest = Manifest::read(folder)?;
    let mut findings = manifest.chain_findings(false)?;
    if manifest.torn.is_some() {
        findings.push(Finding::TornLine);
    }
    findings.extend(manifest.breaks().map(|(line, found)| Finding::FoundBroken {
        line,
        at: found.at,
        then: found.broken.clone(),
    }));
    findings.extend(manifest.earlier_findings.iter().cloned());
    let damaged = !findings.is_empty();
    let mut latest: BTreeMap<&str, Vec<&ManifestLine>> = BTreeMap::new();
    for line in manifest.files() {
        latest.entry(&line.file).or_default().push(line);
    }
    let mut unlisted = unlisted(&manifest, known);
    let unharmed: BTreeSet<_> = unlisted.iter().filter_map(Finding::unharmed).map(str::to_owned).collect();
    unlisted.retain(|finding| !is_said(&manifest, finding));
    for (file, lines) in &latest {
        let vouched_for = !damaged || known.iter().any(|known| known.file.name == *file);
        findings.extend(file_findings(folder, file, lines).into_iter().filter_map(|found| match found {
            Finding::Changed { file } if unharmed.contains(&file) => None,
            Finding::Changed { file } if !vouched_for => Some(Finding::NotAsListed { file }),
            found => Some(found),
        }));
    }
    let strange =
        names.into_iter().filter(|name| !latest.contains_key(name.as_str()) && !unharmed.contains(name));
    findings.extend(strange.map(|file| Finding::Unlisted { file }));
    findings.extend(unlisted);
    Ok(VerifyReport {
        files: latest.len(),
        lines: manifest.lines.len(),
        head: manifest.head().hash,
        findings,
    })
}

fn file_findings(folder: &Path, file: &str, lines: &[&ManifestLine]) -> Vec<Finding> {
    let name = || file.to_owned();
    let mut findings = Vec::new();
    if lines.len() > 2 {
        findings.push(Finding::ReplacedAgain { file: name() });
    }
    let Some(last) = lines.last() else { return findings };
    match read(&folder.join(file)) {
        Ok(None) => findings.push(Finding::Missing { file: name() }),
        Err(_) => findings.push(Finding::Unreadable { file: name() }),
        Ok(Some(bytes)) if sha256(&bytes) != last.sha256 => findings.push(Finding::Changed { file: name() }),
        Ok(Some(_)) => {}
    }
    findings
}
