//! `[pagerduty]`

use reqwest::Url;

use crate::config::reader::Reader;
use crate::config::secret::SecretFile;

/// `[pagerduty]`
#[derive(Debug, Clone)]
pub struct PagerDutyConfig {
    pub routing_key: SecretFile,
    pub url: Option<Url>,
}

impl PagerDutyConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let routing_key =
            SecretFile::new(reader.file_path(&reader.required("routing_key_file", "secrets/pagerduty-key")));
        let url = reader.url("url");
        reader.finish();
        Self { routing_key, url }
    }

    pub(super) fn secret_files(&self) -> Vec<(&'static str, &SecretFile)> {
        vec![("pagerduty.routing_key_file", &self.routing_key)]
    }
}
