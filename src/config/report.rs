//! What is wrong with a configuration: where, what, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml_edit::Item;

/// An error keeps Backstop from starting, a warning does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Error,
    Warning,
}

/// What is wrong at one key, and what to do. `check-config --output json` prints it as it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub file: PathBuf,
    /// The line, from 1; none where it is about a file that the configuration names.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// The key with its tables, such as `rollouts[0].traffic.url`; empty for the file as a whole.
    pub key: String,
    pub message: String,
    pub remedy: String,
    pub level: Level,
}

impl Problem {
    pub(super) fn whole_file(file: &Path, message: String, remedy: String) -> Self {
        Self::of_key(file, "", Level::Error, message, remedy)
    }

    /// A warning about a key of a file that was read before: at its place there, if it is still as it was.
    #[must_use]
    pub fn warning(file: &Path, key: &str, message: String, remedy: String) -> Self {
        let problem = Self::of_key(file, key, Level::Warning, message, remedy);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        match toml_edit::Document::parse(text.as_str()) {
            Ok(document) => problem.placed(&document.into_item(), &text),
            Err(_) => problem,
        }
    }

    pub(super) fn of_key(file: &Path, key: &str, level: Level, message: String, remedy: String) -> Self {
        Self { file: file.to_owned(), line: None, column: None, key: key.to_owned(), message, remedy, level }
    }

    /// The problem with the place of its key, or of the innermost table around it that is written.
    pub(super) fn placed(self, document: &Item, text: &str) -> Self {
        let (mut item, mut offset) = (document, None);
        for part in self.key.split('.') {
            let (name, index) = indexed(part);
            let inner = item.get(name).and_then(|inner| index.map_or(Some(inner), |index| inner.get(index)));
            let Some(inner) = inner else { break };
            item = inner;
            offset = item.span().map(|span| span.start).or(offset);
        }
        let (line, column) = offset.map(|offset| place(text, offset)).unzip();
        Self { line, column, ..self }
    }

    pub(super) fn syntax(file: &Path, text: &str, error: &toml_edit::TomlError) -> Self {
        let (line, column) = error.span().map(|span| place(text, span.start)).unzip();
        let message = error.message().to_owned();
        let remedy = "mend the TOML at this place; nothing after it was looked at".to_owned();
        Self { line, column, ..Self::whole_file(file, message, remedy) }
    }
}

/// `rollouts[1]` as its name and its index.
fn indexed(part: &str) -> (&str, Option<usize>) {
    let split = part.strip_suffix(']').and_then(|part| part.split_once('['));
    split.map_or((part, None), |(name, index)| (name, index.parse().ok()))
}

/// Line and column of a byte offset, from 1.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}:")?;
        }
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, " {level}: ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}\n  help: {}", self.message, self.remedy)
    }
}

/// All problems of a configuration that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigReport {
    /// Errors first, then warnings.
    pub problems: Vec<Problem>,
}

impl ConfigReport {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }
}

impl fmt::Display for ConfigReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigReport {}
