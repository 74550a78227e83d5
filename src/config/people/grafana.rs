//! `[grafana]`

use reqwest::Url;

use crate::config::access::AccessConfig;
use crate::config::reader::Reader;

/// The longest uid that Grafana gives or takes (its documentation, "Dashboard HTTP API").
const MAX_UID_CHARS: usize = 40;

/// `[grafana]`
#[derive(Debug, Clone)]
pub struct GrafanaConfig {
    /// `None` only where the configuration is refused.
    pub url: Option<Url>,
    pub dashboard_uid: Option<String>,
    /// The dashboard that is rendered for evidence, by its uid.
    pub render_dashboard: Option<String>,
    pub access: AccessConfig,
}

impl GrafanaConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let url = required_url(reader, "https://grafana.example");
        reader.expect_bases("url", url.as_slice());
        let (dashboard_uid, access) = (reader.text("dashboard_uid"), AccessConfig::read(reader));
        let render_dashboard = read_uid(reader, "render_dashboard");
        reader.finish();
        Self { url, dashboard_uid, render_dashboard, access }
    }
}

/// Becomes a part of an address, where anything else would lead elsewhere.
fn read_uid(reader: &Reader<'_>, key: &str) -> Option<String> {
    let uid = reader.text(key)?;
    let is_fine =
        uid.len() <= MAX_UID_CHARS && uid.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_fine {
        reader.error(key, "is no uid of a dashboard", "copy it from the dashboard's address, after /d/");
    }
    Some(uid)
}

/// The table's `url`, which has to be there.
pub(super) fn required_url(reader: &Reader<'_>, example: &str) -> Option<Url> {
    if reader.has("url") {
        return reader.url("url");
    }
    reader.required("url", example);
    None
}
