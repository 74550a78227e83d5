//! `[pagerduty]`

use reqwest::Url;

use crate::config::access::AccessConfig;
use crate::config::reader::Reader;
use crate::config::secret::SecretFile;
use crate::config::signing::SigningSecret;

/// `[pagerduty]`
#[derive(Debug, Clone)]
pub struct PagerDutyConfig {
    pub routing_key: SecretFile,
    /// `None`: PagerDuty's escalation policy pages the further levels.
    pub levels: Option<LevelKeys>,
    /// `None`: PagerDuty's own, outside the EU.
    pub url: Option<Url>,
    /// Checks what PagerDuty posts here; `None`: nothing is taken from it.
    pub webhook_secret: Option<SigningSecret>,
    pub access: AccessConfig,
}

/// `level_routing_keys`
#[derive(Debug, Clone)]
pub struct LevelKeys {
    /// `None`: that of the table itself.
    pub first: Option<SecretFile>,
    pub second: SecretFile,
    pub third: SecretFile,
}

impl LevelKeys {
    fn read(reader: &Reader<'_>) -> Self {
        let required = |key, example| SecretFile::new(reader.file_path(&reader.required(key, example)));
        let keys = Self {
            first: reader.secret("l1_file"),
            second: required("l2_file", "secrets/pagerduty-l2"),
            third: required("l3_file", "secrets/pagerduty-l3"),
        };
        reader.finish();
        keys
    }
}

impl PagerDutyConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let routing_key =
            SecretFile::new(reader.file_path(&reader.required("routing_key_file", "secrets/pagerduty-key")));
        let url = reader.url("url");
        reader.expect_bases("url", url.as_slice());
        let webhook_secret = reader.secret("webhook_secret_file").map(SigningSecret::new);
        let has_levels = reader.has("level_routing_keys");
        let table = reader.table("level_routing_keys");
        let levels = if has_levels { Some(LevelKeys::read(&table)) } else { ask_for_levels(&table) };
        let access = AccessConfig::read(reader);
        reader.finish();
        Self { routing_key, levels, url, webhook_secret, access }
    }

    pub(super) fn secret_files(&self) -> Vec<(&'static str, &SecretFile)> {
        let mut files = vec![("pagerduty.routing_key_file", &self.routing_key)];
        if let Some(LevelKeys { first, second, third }) = &self.levels {
            files.extend(first.iter().map(|file| ("pagerduty.level_routing_keys.l1_file", file)));
            files.push(("pagerduty.level_routing_keys.l2_file", second));
            files.push(("pagerduty.level_routing_keys.l3_file", third));
        }
        let webhook = self.webhook_secret.iter().map(SigningSecret::file);
        files.extend(webhook.map(|file| ("pagerduty.webhook_secret_file", file)));
        files
    }
}

/// The keys are known all the same, for the reference.
fn ask_for_levels(table: &Reader<'_>) -> Option<LevelKeys> {
    for key in ["l1_file", "l2_file", "l3_file"] {
        let _absent = table.text(key);
    }
    None
}
