//! `[slack]`

use reqwest::Url;

use crate::config::reader::Reader;
use crate::config::secret::SecretFile;

/// `[slack]`
#[derive(Debug, Clone)]
pub struct SlackConfig {
    pub token: SecretFile,
    pub channel: String,
    pub api_url: Option<Url>,
    pub signing_secret: Option<SecretFile>,
}

impl SlackConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let token = SecretFile::new(reader.file_path(&reader.required("token_file", "secrets/slack-token")));
        let channel = reader.text("channel").unwrap_or_else(|| "#spark-incidents".to_owned());
        let (api_url, signing_secret) = (reader.url("api_url"), reader.secret("signing_secret_file"));
        reader.finish();
        Self { token, channel, api_url, signing_secret }
    }

    pub(super) fn secret_files(&self) -> Vec<(&'static str, &SecretFile)> {
        let signing = self.signing_secret.iter().map(|file| ("slack.signing_secret_file", file));
        std::iter::once(("slack.token_file", &self.token)).chain(signing).collect()
    }
}
