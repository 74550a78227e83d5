//! Finds the gates of stages that can be judged again: one file, a ramp's folder, or all of a directory.

use std::path::{Path, PathBuf};

use super::EvidenceError;
use super::files::io;
use super::listing::names_in;
use super::ramp::{gates_of, is_gates, is_ramps};
use crate::ramp::GatesFile;

/// A record of a stage's gates, or in words why it is none.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedGates {
    pub path: PathBuf,
    pub gates: Result<GatesFile, String>,
}

/// All recorded gates at a path, in the order of their names. Whether they are as they were written is for
/// [`EvidenceDir::verify`](super::EvidenceDir::verify): a verdict that was changed together with its answer
/// still follows from it.
///
/// # Errors
/// When the path leads nowhere, or a folder can't be read.
pub fn recorded_gates(path: &Path) -> Result<Vec<RecordedGates>, EvidenceError> {
    let found = std::fs::metadata(path).map_err(io(path, "read"))?;
    if !found.is_dir() {
        return Ok(vec![one(path.to_owned())]);
    }
    let mut files = gates_in(path)?;
    for folder in names_in(path)?.into_iter().filter(|name| is_ramps(name)) {
        let folder = path.join(folder);
        if folder.is_dir() {
            files.extend(gates_in(&folder)?);
        }
    }
    files.sort();
    Ok(files.into_iter().map(one).collect())
}

fn gates_in(folder: &Path) -> Result<Vec<PathBuf>, EvidenceError> {
    let names = names_in(folder)?.into_iter().filter(|name| is_gates(name));
    Ok(names.map(|name| folder.join(name)).collect())
}

fn one(path: PathBuf) -> RecordedGates {
    RecordedGates { gates: gates_of(&path), path }
}
