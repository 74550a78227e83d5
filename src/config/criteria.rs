//! What has to hold in each stage of a ramp: the shipped criteria, files of one's own, and
//! `[[rollouts.ramp.criteria]]`, a later one of the same name changing an earlier one key by key.
//!
//! Files are read when somebody needs the criteria: one that is missing stops no rollback.

mod built;
mod entry;
mod files;
mod needs;
mod passwords;
mod placeholders;
mod remembered;

use std::path::{Path, PathBuf};

use super::reader::Reader;
use super::report::{ConfigReport, Level, Problem};
use super::{Config, MetricsConfig, RolloutConfig};
use crate::ramp::Criteria;
use entry::Entry;
use remembered::{Remembered, Source};

/// The protocol's criteria, as they are shipped.
const SHIPPED: &str = include_str!("../../deploy/criteria.toml");

/// The name by which problems call them.
const SHIPPED_FILE: &str = "deploy/criteria.toml";

/// Larger than any such file; a wrong path should not fill the memory.
const MAX_BYTES: u64 = 1 << 20;

/// Each is asked every few seconds, and stands in every ramp's stored plan.
const MAX_CRITERIA: usize = 100;

/// Where a rollout's criteria come from.
#[derive(Debug, Clone, PartialEq)]
pub struct CriteriaConfig {
    /// `None`: those that are shipped.
    pub files: Option<Vec<PathBuf>>,
    own: Vec<Entry>,
    remembered: Remembered,
}

impl CriteriaConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let files = reader.texts("criteria_files").iter().map(|text| reader.file_path(text)).collect();
        let own = reader.tables("criteria").iter().map(Entry::read).collect();
        Self { files: reader.has("criteria_files").then_some(files), own, remembered: Remembered::default() }
    }

    /// The criteria, with the rollout's own names and series in them.
    ///
    /// # Errors
    /// Everything that is wrong with the files and in them, each with its place.
    pub fn load(&self, rollout: &RolloutConfig) -> Result<Criteria, ConfigReport> {
        self.load_for(&rollout.metrics, &placeholders::recorded_labels(rollout))
    }

    /// The same with what a ramp has to know of them before it starts. Large expressions are taken apart for that,
    /// which no start of the server should wait for.
    ///
    /// # Errors
    /// As [`CriteriaConfig::load`].
    pub fn load_with_needs(&self, rollout: &RolloutConfig) -> Result<Criteria, ConfigReport> {
        let mut criteria = self.load(rollout)?;
        let whose = needs::Whose::of(rollout);
        for one in &mut criteria.all {
            (one.needs, one.statistic) = built::needs_and_statistic(&one.criterion.question, &whose);
        }
        Ok(criteria)
    }

    fn load_for(&self, metrics: &MetricsConfig, recorded: &str) -> Result<Criteria, ConfigReport> {
        let mut problems = Vec::new();
        let mut texts: Vec<(&Path, String)> = Vec::new();
        for file in self.files.iter().flatten() {
            match text_of(file) {
                Ok(text) => texts.push((file, text)),
                Err(problem) => problems.push(*problem),
            }
        }
        let files = texts.iter().map(|(_, text)| text.clone()).collect();
        let source = Source { files, metrics: metrics.clone(), recorded: recorded.to_owned() };
        if let Some(criteria) = self.remembered.of(&source).filter(|_| problems.is_empty()) {
            return Ok(criteria);
        }
        if self.files.is_none() {
            texts.push((Path::new(SHIPPED_FILE), SHIPPED.to_owned()));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (file, text) in &texts {
            match entries_of(text, file) {
                Ok(found) => found.into_iter().for_each(|entry| entry.merge_into(&mut entries)),
                Err(found) => problems.extend(found),
            }
        }
        self.own.iter().cloned().for_each(|entry| entry.merge_into(&mut entries));
        if entries.len() > MAX_CRITERIA {
            let last = entries.last().map(|entry| entry.place.0.clone()).unwrap_or_default();
            let message = format!("are {} criteria, and {MAX_CRITERIA} are the most", entries.len());
            problems.push(Problem::whole_file(&last, message, "leave some out".to_owned()));
        }
        let names = placeholders::Names { metrics, recorded };
        let mut criteria = Criteria::default();
        for entry in &entries {
            match built::built(entry, &names) {
                Ok(Ok(criterion)) => criteria.all.push(criterion),
                Ok(Err(left_out)) => criteria.left_out.push(left_out),
                Err(found) => problems.extend(found.into_iter().map(|problem| self.placed(problem))),
            }
        }
        problems.extend(files::of_one_file(&criteria, &entries));
        if !problems.is_empty() {
            return Err(ConfigReport::new(problems));
        }
        self.remembered.keep(source, &criteria);
        Ok(criteria)
    }

    /// The problem with its line, where it is one of an own file of criteria.
    fn placed(&self, problem: Problem) -> Problem {
        if !self.files.iter().flatten().any(|file| *file == problem.file) {
            return problem;
        }
        let text = std::fs::read_to_string(&problem.file).unwrap_or_default();
        match toml_edit::Document::parse(text.as_str()) {
            Ok(document) => problem.placed(&document.into_item(), &text),
            Err(_) => problem,
        }
    }
}

impl Config {
    /// What is wrong with the rollouts' criteria: of this file's own at their places in it, of other files at
    /// those in theirs.
    pub(super) fn check_criteria(&self, document: &toml_edit::Item, text: &str) -> Vec<Problem> {
        // Those that are shipped need no look at each start, which would wait for it with each rollout.
        let is_own = |rollout: &&RolloutConfig| {
            rollout.ramp.criteria.files.is_some() || !rollout.ramp.criteria.own.is_empty()
        };
        let own = self.rollouts.iter().filter(is_own);
        let found = own.filter_map(|rollout| rollout.ramp.criteria.load(rollout).err());
        let found = found.flat_map(|report| report.problems);
        let placed = |problem: Problem| {
            if problem.file == self.file { problem.placed(document, text) } else { problem }
        };
        found.map(placed).collect()
    }
}

/// What is written in a file of criteria.
fn text_of(file: &Path) -> Result<String, Box<Problem>> {
    let unread = |message: String| {
        let remedy = "name a file that Backstop's user can read, relative to the configuration's folder";
        Box::new(Problem::whole_file(file, message, remedy.to_owned()))
    };
    let length = std::fs::metadata(file).map_err(|error| unread(format!("can't be read: {error}")))?.len();
    if length > MAX_BYTES {
        return Err(unread(format!("is {length} bytes long; at most {MAX_BYTES} are read")));
    }
    std::fs::read_to_string(file).map_err(|error| unread(format!("can't be read: {error}")))
}

fn entries_of(text: &str, file: &Path) -> Result<Vec<Entry>, Vec<Problem>> {
    let document =
        toml_edit::Document::parse(text).map_err(|error| vec![Problem::syntax(file, text, &error)])?;
    let reader = Reader::new(file, text, document.as_table());
    let entries = reader.tables("criteria").iter().map(Entry::read).collect();
    reader.finish();
    let problems = reader.problems();
    if problems.iter().any(|problem| problem.level == Level::Error) { Err(problems) } else { Ok(entries) }
}

#[cfg(test)]
pub(super) mod tests;
