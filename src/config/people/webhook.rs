//! `[webhook]`

use reqwest::Url;

use super::grafana::required_url;
use crate::config::access::AccessConfig;
use crate::config::reader::Reader;
use crate::config::secret::SecretFile;
use crate::config::signing::SigningSecret;

/// `[webhook]`
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// `None` only where the configuration is refused.
    pub url: Option<Url>,
    pub secret: SigningSecret,
    pub access: AccessConfig,
}

impl WebhookConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let url = required_url(reader, "https://receiver.example/backstop");
        let secret = reader.required("secret_file", "secrets/webhook-signing");
        let secret = SigningSecret::new(SecretFile::new(reader.file_path(&secret)));
        let access = AccessConfig::read(reader);
        reader.finish();
        Self { url, secret, access }
    }
}
