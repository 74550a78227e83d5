//! `[grafana]`

use reqwest::Url;

use crate::config::access::AccessConfig;
use crate::config::reader::Reader;

/// `[grafana]`
#[derive(Debug, Clone)]
pub struct GrafanaConfig {
    /// `None` only where the configuration is refused.
    pub url: Option<Url>,
    pub dashboard_uid: Option<String>,
    pub access: AccessConfig,
}

impl GrafanaConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let url = required_url(reader, "https://grafana.example");
        reader.expect_bases("url", url.as_slice());
        let (dashboard_uid, access) = (reader.text("dashboard_uid"), AccessConfig::read(reader));
        reader.finish();
        Self { url, dashboard_uid, access }
    }
}

/// The table's `url`, which has to be there.
pub(super) fn required_url(reader: &Reader<'_>, example: &str) -> Option<Url> {
    if reader.has("url") {
        return reader.url("url");
    }
    reader.required("url", example);
    None
}
