//! `[report]`

use std::path::{Path, PathBuf};

use super::reader::Reader;
use super::report::{Level, Problem};
use crate::report::{Template, TemplateError};

/// Larger than any template; a wrong path should not fill the memory.
const MAX_BYTES: u64 = 1 << 20;

/// `[report]`
#[derive(Debug, Clone)]
pub struct ReportConfig {
    /// None: the template that is built in.
    pub template_file: Option<PathBuf>,
}

/// Why a template's file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateFileError {
    /// Not there, not to be read, or far too long.
    #[error("{file} can't be read: {source}")]
    Unread {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// It was read, and is not one.
    #[error("{file}: {source}")]
    NotATemplate {
        file: PathBuf,
        #[source]
        source: TemplateError,
    },
}

impl ReportConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let template_file = reader.text("template_file").map(|text| reader.file_path(&text));
        reader.finish();
        Self { template_file }
    }

    /// The template of incident reports: the file's, or ours.
    ///
    /// # Errors
    /// See [`TemplateFileError`].
    pub fn template(&self) -> Result<Template, TemplateFileError> {
        let Some(file) = &self.template_file else { return Ok(Template::default()) };
        let text =
            text_of(file).map_err(|source| TemplateFileError::Unread { file: file.clone(), source })?;
        Template::parse(&text)
            .map_err(|source| TemplateFileError::NotATemplate { file: file.clone(), source })
    }

    /// What is wrong with the file.
    pub(super) fn check(&self, config: &Path) -> Option<Problem> {
        let error = self.template().err()?;
        let remedy = match error {
            TemplateFileError::Unread { .. } => "name a file that Backstop's user can read",
            TemplateFileError::NotATemplate { .. } => "begin with deploy/INCIDENT_TEMPLATE.md",
        };
        let (key, level) = ("report.template_file", Level::Error);
        Some(Problem::of_key(config, key, level, error.to_string(), remedy.to_owned()))
    }
}

fn text_of(file: &Path) -> std::io::Result<String> {
    let length = std::fs::metadata(file)?.len();
    if length > MAX_BYTES {
        return Err(std::io::Error::other(format!("{length} bytes; at most {MAX_BYTES} are read")));
    }
    std::fs::read_to_string(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_template_is_named_with_what_is_wrong_and_ours_needs_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.md");
        let config = ReportConfig { template_file: Some(file.clone()) };
        let problem = || config.check(Path::new("backstop.toml"));
        let unread = problem().expect("a problem");
        assert!(unread.message.contains("own.md can't be read") && unread.key == "report.template_file");
        std::fs::write(&file, "{{title}}\n{{tmie}}").expect("written");
        let unknown = problem().expect("a problem").message;
        assert!(
            unknown.contains("own.md: line 2: \"tmie\" is no placeholder; there are: title,"),
            "{unknown}"
        );
        std::fs::write(&file, "{{title}}").expect("written");
        assert_eq!(problem(), None);
        assert_eq!(ReportConfig { template_file: None }.template().expect("ours"), Template::default());
    }
}
