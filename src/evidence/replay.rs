//! Finds the gates of stages that can be judged again: one file, a ramp's folder, or all of a directory. What a
//! ramp's record says it was started with is compared with them.

use std::path::{Path, PathBuf};

use super::EvidenceError;
use super::files::{io, read};
use super::listing::names_in;
use super::ramp::{RECORD, gates_of, is_gates, is_ramps};
use super::render::ramp_of_json;
use crate::ramp::{GatesFile, MAX_GATES_FILE_BYTES, changed_plan};

/// A record of a stage's gates, or in words why it is none.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedGates {
    pub path: PathBuf,
    pub gates: Result<GatesFile, String>,
    pub plan: AgainstPlan,
}

/// Gates beside the plan that their ramp was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgainstPlan {
    /// No ramp's record lies beside them: the ramp runs, or its record is gone; or it is a snapshot without one.
    NoRecord,
    AsPlanned,
    /// In what they are others, or what is wrong with the record, in sentences.
    Departs(Vec<String>),
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
    let gates = gates_of(&path);
    let plan = gates
        .as_ref()
        .map_or(AgainstPlan::NoRecord, |gates| against_plan(&path.with_file_name(RECORD), gates));
    RecordedGates { gates, plan, path }
}

fn against_plan(record: &Path, gates: &GatesFile) -> AgainstPlan {
    let wrong = |why: String| AgainstPlan::Departs(vec![format!("{RECORD} beside it: {why}")]);
    let bytes = match std::fs::symlink_metadata(record).map(|found| found.len()) {
        Ok(length) if length > MAX_GATES_FILE_BYTES => {
            return wrong(format!("it has {length} bytes, and {MAX_GATES_FILE_BYTES} are the most"));
        }
        Ok(_) | Err(_) => read(record),
    };
    let bytes = match bytes {
        Ok(None) => return AgainstPlan::NoRecord,
        Ok(Some(bytes)) => bytes,
        Err(error) => return wrong(error.in_full()),
    };
    if let Some(why) = changed_plan(&String::from_utf8_lossy(&bytes)) {
        return wrong(why);
    }
    let Some(ramp) = ramp_of_json(&bytes) else {
        return wrong(
            "it is no record of a ramp that this program can read: use the one that wrote it".to_owned(),
        );
    };
    let departures = gates.departures_from(&ramp);
    if departures.is_empty() { AgainstPlan::AsPlanned } else { AgainstPlan::Departs(departures) }
}
