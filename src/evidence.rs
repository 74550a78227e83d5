//! Evidence: what was seen and done, for the auditor a year later. A view over the stored events,
//! never a second truth: rendering is a pure function, so a crash and a second try give the same bytes.
//!
//! Every file is written under a temporary name, fsynced and renamed. Its SHA-256 goes into
//! `manifest.jsonl`, each line chained to the one before; `manifest.head` tells how long the chain
//! is. [`EvidenceDir::verify`] finds a changed byte, a missing file, a cut manifest. Who can rewrite
//! all three can forge them: note the head's hash elsewhere to be safe from that, too.

mod directory;
mod files;
mod manifest;
mod render;
mod verify;

pub use directory::{EvidenceBlobs, EvidenceDir, EvidenceSummary};
pub use manifest::ManifestLine;
pub use render::render_text;
pub use verify::{Finding, VerifyReport};

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::incident::{EvidenceFile, Incident};

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
    ) -> Result<Vec<EvidenceFile>, EvidenceError>;
}

/// Why evidence can't be written or read. The rollback itself never waits for it.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The directory or a file in it can't be used. Worth another try once that is mended.
    #[error("{path} can't be {doing}; free space, or make it writable for Backstop's user")]
    Io {
        /// Which.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Another process writes there now.
    #[error("{path} is being written by another process; try again")]
    Busy {
        /// The lock's file.
        path: PathBuf,
    },
    /// The manifest can't be continued. Run `backstop evidence verify`.
    #[error(
        "{path}, line {line}, is broken: run `backstop evidence verify`, keep the folder, and set another `evidence.directory`"
    )]
    Broken {
        /// The manifest.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The one replacement that is allowed was made already.
    #[error("{file} is complete and never changed again")]
    Complete {
        /// Which file.
        file: String,
    },
    /// The writing broke off: a bug. What is half written is mended by the next try.
    #[error("writing evidence broke off")]
    BrokeOff(#[source] tokio::task::JoinError),
    /// There is no such evidence.
    #[error("no evidence {0:?}: list it with `backstop evidence list`")]
    Unknown(String),
}
