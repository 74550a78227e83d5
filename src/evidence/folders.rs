//! Two folders: the one that is configured, and another one for when it can't be written.
//!
//! A folder may hang (a dead network file system) rather than fail, so each writing has a time limit
//! and a thread of its own; a thread that hangs is left behind, and others don't wait for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;

use super::directory::{EvidenceBlobs, EvidenceDir};
use super::{EvidenceError, EvidenceWriter, KnownFile, Recorded, WrittenEarlier};
use crate::incident::{Incident, RampId};
use crate::ramp::KeptFile;

/// The longest that writing into one folder may take: a healthy disk needs milliseconds, and the
/// evidence of a rollback is expected within seconds.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Writings of one folder at a time, and so the threads that a folder can hang.
const WRITINGS_AT_ONCE: usize = 4;

/// The longest to wait for what was written earlier: evidence goes on without, and asks again.
const RECALL_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes into a folder, beside what is known to lie there; perhaps into both folders, one after the other.
type Work = Arc<dyn Fn(&EvidenceDir, &[KnownFile]) -> Result<Recorded, EvidenceError> + Send + Sync>;

/// A folder that can't hold up others.
#[derive(Debug, Clone)]
struct Bounded {
    dir: EvidenceDir,
    permits: Arc<Semaphore>,
}

impl Bounded {
    fn new(path: PathBuf) -> Self {
        Self { dir: EvidenceDir::new(path), permits: Arc::new(Semaphore::new(WRITINGS_AT_ONCE)) }
    }

    async fn write(&self, work: &Work, known: &[KnownFile]) -> Result<Recorded, EvidenceError> {
        let known = known_in(self.dir.path(), known);
        let hangs = || EvidenceError::Hangs { path: self.dir.path().to_owned(), limit: WRITE_TIMEOUT };
        let (dir, permits, work) = (self.dir.clone(), Arc::clone(&self.permits), Arc::clone(work));
        let written = async move {
            let permit = permits.acquire_owned().await;
            let work = move || {
                let _held_until_it_ends = permit;
                work(&dir, &known)
            };
            tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|error| Err(EvidenceError::BrokeOff(error)))
        };
        tokio::time::timeout(WRITE_TIMEOUT, written).await.unwrap_or_else(|_| Err(hangs()))
    }
}

/// How a directory is recorded with a file: from the root, so that no other has the same name.
pub(super) fn name_of(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

/// What was written into a folder; what was recorded without its folder counts as written there.
#[must_use]
pub fn known_in(path: &Path, known: &[KnownFile]) -> Vec<KnownFile> {
    let name = name_of(path);
    let there = |known: &&KnownFile| known.file.directory.as_ref().is_none_or(|directory| *directory == name);
    known.iter().filter(there).cloned().collect()
}

/// Writes into the configured folder or, where that fails or hangs, into the other one.
#[derive(Debug)]
pub struct EvidenceFolders {
    configured: Bounded,
    fallback: Bounded,
    earlier: Arc<dyn WrittenEarlier>,
    /// What was written earlier, as far as it was recalled, and since by this process.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    recalled: bool,
    files: Vec<KnownFile>,
}

impl EvidenceFolders {
    /// The two folders, and whoever knows what was written by earlier processes.
    #[must_use]
    pub fn new(configured: PathBuf, fallback: PathBuf, earlier: Arc<dyn WrittenEarlier>) -> Self {
        Self {
            configured: Bounded::new(configured),
            fallback: Bounded::new(fallback),
            earlier,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // Adding to a list leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known to have been written; says so where nobody could be asked.
    async fn recall(&self, problems: &mut Vec<String>) -> Vec<KnownFile> {
        if !self.known().recalled {
            match tokio::time::timeout(RECALL_TIMEOUT, self.earlier.files()).await {
                Ok(Ok(files)) => {
                    let mut known = self.known();
                    known.recalled = true;
                    known.files.extend(files);
                }
                Ok(Err(error)) => problems.push(format!(
                    "whether earlier evidence is still there could not be checked: {error}"
                )),
                Err(_) => problems.push(format!(
                    "whether earlier evidence is still there could not be checked: the database didn't answer within {} s",
                    RECALL_TIMEOUT.as_secs()
                )),
            }
        }
        self.known().files.clone()
    }

    fn remember(&self, owner: &str, recorded: &Recorded) {
        let is_written_again = |name: &str| recorded.files.iter().any(|file| file.name == name);
        let mut known = self.known();
        // The latest version of a file proves that the manifest was not cut before it.
        known.files.retain(|earlier| earlier.owner != owner || !is_written_again(&earlier.file.name));
        let files = recorded.files.iter().cloned();
        known.files.extend(files.map(|file| KnownFile { owner: owner.to_owned(), file }));
    }

    /// Writes into the configured folder or, where that can't be, into the other one.
    async fn write(&self, owner: &str, work: Work) -> Result<Recorded, EvidenceError> {
        let mut problems = Vec::new();
        let known = self.recall(&mut problems).await;
        let mut recorded = match self.configured.write(&work, &known).await {
            Ok(recorded) => recorded,
            Err(configured) => match self.fallback.write(&work, &known).await {
                Ok(recorded) => {
                    let instead = self.fallback.dir.path().display();
                    let why = configured.in_full();
                    problems.push(format!("the evidence was written to {instead} instead: {why}"));
                    recorded
                }
                Err(fallback) => {
                    return Err(EvidenceError::Both {
                        configured: Box::new(configured),
                        fallback: Box::new(fallback),
                    });
                }
            },
        };
        recorded.problems.splice(0..0, problems);
        self.remember(owner, &recorded);
        Ok(recorded)
    }
}

#[async_trait]
impl EvidenceWriter for EvidenceFolders {
    async fn record(
        &self,
        incident: Arc<Incident>,
        blobs: EvidenceBlobs,
        complete: bool,
        now: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError> {
        let owner = incident.id.to_string();
        let work = move |dir: &EvidenceDir, known: &[KnownFile]| {
            match dir.write(&incident, &blobs, complete, now, known) {
                // Completed before a crash that forgot to record it; what came since changes nothing.
                Err(EvidenceError::Complete { .. }) if complete => {
                    dir.files_of(incident.id.as_str()).map(Recorded::from)
                }
                other => other,
            }
        };
        self.write(&owner, Arc::new(work)).await
    }

    async fn record_ramp(
        &self,
        ramp: RampId,
        files: Arc<[KeptFile]>,
        now: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError> {
        let owner = ramp.to_string();
        let work = move |dir: &EvidenceDir, known: &[KnownFile]| dir.write_ramp(&ramp, &files, now, known);
        self.write(&owner, Arc::new(work)).await
    }
}

#[cfg(test)]
mod tests;
