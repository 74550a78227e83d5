//! What is wrong with a configuration: where, what, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

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

    pub(super) fn of_key(file: &Path, key: &str, level: Level, message: String, remedy: String) -> Self {
        Self { file: file.to_owned(), line: None, column: None, key: key.to_owned(), message, remedy, level }
    }

    /// The problem with the place where the last part of its key is first written. That may be in
    /// another table or in a comment: the document is not parsed again.
    pub(super) fn placed(self, text: &str) -> Self {
        let key = self.key.rsplit('.').next().unwrap_or(&self.key);
        let found = text.find(key).map(|offset| place(text, offset));
        let (line, column) = found.unzip();
        Self { line, column, ..self }
    }

    pub(super) fn syntax(file: &Path, text: &str, error: &toml_edit::TomlError) -> Self {
        let (line, column) = error.span().map(|span| place(text, span.start)).unzip();
        let message = error.message().to_owned();
        let remedy = "mend the TOML at this place; nothing after it was looked at".to_owned();
        Self { line, column, ..Self::whole_file(file, message, remedy) }
    }
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
