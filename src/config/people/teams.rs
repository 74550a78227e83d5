//! `[teams]`

use crate::config::access::AccessConfig;
use crate::config::reader::Reader;
use crate::config::secret::SecretFile;

/// `[teams]`
#[derive(Debug, Clone)]
pub struct TeamsConfig {
    /// The workflow's address, which is its credential.
    pub url: SecretFile,
    pub access: AccessConfig,
}

impl TeamsConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let url = SecretFile::new(reader.file_path(&reader.required("url_file", "secrets/teams-url")));
        let access = AccessConfig::read(reader);
        reader.finish();
        Self { url, access }
    }
}
