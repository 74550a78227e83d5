//! Evidence: what was seen and done, for the auditor a year later. A view over the stored events,
//! never a second truth: rendering is a pure function, so a crash and a second try give the same bytes.
//! A file may be replaced once, so what it says has to be true for ever: the first says as of when.
//!
//! Every file is written under a temporary name, fsynced and renamed. Its SHA-256 goes into
//! `manifest.jsonl`, each line chained to the one before; `manifest.head` says how long the chain
//! is. [`EvidenceDir::verify`] finds a changed byte, a missing file, a cut manifest. Who can rewrite
//! all three can forge them, but not the database, which knows every file that was written; note the
//! head's hash elsewhere to be safe from who can rewrite that, too.
//!
//! Whoever writes looks at the record first, and at what lies where it is about to write; not at every
//! file of every rollback, which would take ever longer: those are for [`EvidenceDir::verify`]. If it is broken it is set aside and continued by one
//! that says so for ever: such damage must neither be covered by the next rollback's evidence nor keep
//! that from being written.

mod directory;
mod files;
mod folders;
mod lines;
mod listing;
mod manifest;
mod pending;
mod ramp;
mod render;
mod replay;
mod snapshots;
mod verify;
mod writing;

pub use directory::{EvidenceBlobs, EvidenceDir, EvidenceSummary};
pub use folders::{EvidenceFolders, known_in};
pub use lines::ManifestLine;
pub use ramp::{RampSummary, ramp_record};
pub use render::{Version, render_ramp, render_text};
pub use replay::{AgainstPlan, RecordedGates, recorded_gates};
pub use snapshots::SnapshotSummary;
pub use verify::{Finding, VerifyReport};

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::incident::{EvidenceFile, Incident, RampId};
use crate::ramp::KeptFile;

/// Writes down what was seen and done.
#[async_trait]
pub trait EvidenceWriter: Send + Sync + std::fmt::Debug {
    /// Writes the evidence of an incident, or completes it. Doing so again changes nothing.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    async fn record(
        &self,
        incident: Arc<Incident>,
        blobs: EvidenceBlobs,
        complete: bool,
        now: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError>;

    /// Writes files of a ramp into its folder. What was written there before stays as it is.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    async fn record_ramp(
        &self,
        ramp: RampId,
        files: Arc<[KeptFile]>,
        now: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError>;
}

/// What was written, and what has to be reported about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    pub files: Vec<EvidenceFile>,
    /// What was found or had to be done otherwise, in sentences: none when all is well.
    pub problems: Vec<String>,
}

impl From<Vec<EvidenceFile>> for Recorded {
    fn from(files: Vec<EvidenceFile>) -> Self {
        Self { files, problems: Vec::new() }
    }
}

/// A file that is known to have been written, because the database says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFile {
    /// The id of the incident or the ramp that it is of.
    pub owner: String,
    pub file: EvidenceFile,
}

/// Knows what was written by earlier processes.
#[async_trait]
pub trait WrittenEarlier: Send + Sync + std::fmt::Debug {
    /// Every file that is known.
    ///
    /// # Errors
    /// In words: why nobody knows.
    async fn files(&self) -> Result<Vec<KnownFile>, String>;
}

/// Why evidence can't be written or read. The rollback itself never waits for it.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The directory or a file in it can't be used. Worth another try once that is mended.
    #[error("{path} can't be {doing}; {}", remedy(doing, source))]
    Io {
        path: PathBuf,
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// Another process writes there now.
    #[error("{path} is being written by another process; try again")]
    Busy { path: PathBuf },
    /// The folder doesn't answer. What hangs is left alone, and may end later.
    #[error("{path} hangs: nothing was written within {} s; check the disk or network behind it", limit.as_secs())]
    Hangs {
        path: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
    /// Neither folder can be written. Worth another try.
    #[error("evidence can't be written: {}; and {}", configured.in_full(), fallback.in_full())]
    Both {
        /// What is wrong with `evidence.directory`.
        configured: Box<EvidenceError>,
        /// What is wrong with `evidence.fallback_directory`.
        fallback: Box<EvidenceError>,
    },
    /// The one replacement that is allowed was made already.
    #[error("{file} is complete and never changed again")]
    Complete { file: String },
    /// So many files of this name lie there that none can be added.
    #[error("no name is left for {file} in {folder}: move its older copies elsewhere")]
    NoNameLeft { file: String, folder: PathBuf },
    /// The writing broke off: a bug. What is half written is mended by the next try.
    #[error("writing evidence broke off")]
    BrokeOff(#[source] tokio::task::JoinError),
    #[error("no evidence {0:?}: list it with `backstop evidence list`")]
    Unknown(String),
}

/// What helps: a disk that is full is no reason for not being read, nor more room a help against a file
/// in the way.
fn remedy(doing: &str, source: &std::io::Error) -> &'static str {
    match (doing, source.kind()) {
        (_, ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory) => {
            "move what lies in its way elsewhere"
        }
        ("read", ErrorKind::PermissionDenied) => "make it readable for the user who asks",
        ("read", _) => "look at the disk, and whether it is a plain file",
        (_, _) => "free space, or make it writable for Backstop's user",
    }
}

impl EvidenceError {
    /// The error with its cause, in one sentence.
    #[must_use]
    pub fn in_full(&self) -> String {
        let cause = std::error::Error::source(self).map(|cause| format!(": {cause}"));
        format!("{self}{}", cause.unwrap_or_default())
    }
}
