//! What a line of the manifest says: that a file was written, or that the record was found broken.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::files::sha256;
use super::verify::Finding;

/// What the first line is chained to.
pub(super) const ORIGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A file was written. A changed order of members would make every older line count as changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestLine {
    pub at: DateTime<Utc>,
    pub incident: String,
    pub file: String,
    pub bytes: u64,
    /// SHA-256 of the file in lower-case hex.
    pub sha256: String,
    /// The SHA-256 of what it replaced.
    pub replaces: Option<String>,
    /// The `hash` of the line before.
    pub prev: String,
    /// SHA-256 over all members above.
    pub hash: String,
}

/// The record was found broken before something was added to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BreakLine {
    pub(super) at: DateTime<Utc>,
    pub(super) broken: Vec<Finding>,
    /// The manifest that this one continues, as it was found; none where there was none.
    pub(super) continues: Option<SetAside>,
    pub(super) prev: String,
    pub(super) hash: String,
}

/// A manifest that was found broken and lies there unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SetAside {
    pub(super) file: String,
    pub(super) sha256: String,
}

/// How long the chain is, and its last hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) lines: usize,
    pub(super) hash: String,
}

/// A line of the manifest. It has no tag: unknown members are denied, so only one of the two fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Entry {
    File(ManifestLine),
    Break(BreakLine),
}

/// A line as it lies there, which need not be as it was written.
#[derive(Debug)]
pub(super) struct Line {
    /// What it says, as far as it can be understood: one bad line must not make those after it, or
    /// a whole file with other line ends, count as if they had never been written.
    pub(super) entry: Option<Entry>,
    /// Byte for byte: spacing and the order of members may not change either.
    pub(super) as_written: bool,
}

impl Line {
    pub(super) fn read(whole: &[u8]) -> Self {
        let entry: Option<Entry> = serde_json::from_slice(whole).ok();
        let as_written = entry.as_ref().is_some_and(|entry| encode(entry).as_bytes() == whole);
        Self { entry, as_written }
    }
}

impl Entry {
    pub(super) fn as_file(&self) -> Option<&ManifestLine> {
        match self {
            Self::File(line) => Some(line),
            Self::Break(_) => None,
        }
    }

    pub(super) fn as_break(&self) -> Option<&BreakLine> {
        match self {
            Self::File(_) => None,
            Self::Break(line) => Some(line),
        }
    }

    pub(super) fn prev(&self) -> &str {
        match self {
            Self::File(line) => &line.prev,
            Self::Break(line) => &line.prev,
        }
    }

    pub(super) fn hash(&self) -> &str {
        match self {
            Self::File(line) => &line.hash,
            Self::Break(line) => &line.hash,
        }
    }

    pub(super) fn expected_hash(&self) -> String {
        let members = match self {
            Self::File(line) => serde_json::json!([
                line.at,
                line.incident,
                line.file,
                line.bytes,
                line.sha256,
                line.replaces,
                line.prev
            ]),
            Self::Break(line) => serde_json::json!([line.at, line.broken, line.continues, line.prev]),
        };
        sha256(members.to_string().as_bytes())
    }

    pub(super) fn chained_to(mut self, before: &str) -> Self {
        match &mut self {
            Self::File(line) => before.clone_into(&mut line.prev),
            Self::Break(line) => before.clone_into(&mut line.prev),
        }
        let expected = self.expected_hash();
        match &mut self {
            Self::File(line) => line.hash = expected,
            Self::Break(line) => line.hash = expected,
        }
        self
    }
}

pub(super) fn encode(entry: &Entry) -> String {
    // Texts, numbers and a time always encode; an empty line would be found by the next read.
    serde_json::to_string(entry).unwrap_or_default()
}
