//! The channels to people: a table each, all optional.

mod grafana;
mod page_templates;
mod pagerduty;
mod slack;
mod status_page;
mod teams;
mod template;
mod webhook;

pub use grafana::GrafanaConfig;
pub use page_templates::{PageCall, PageFind, PageTemplates};
pub use pagerduty::{LevelKeys, PagerDutyConfig};
pub use slack::{SlackButtons, SlackConfig};
pub use status_page::{PageKind, StatusPageConfig};
pub use teams::TeamsConfig;
pub use template::{TextTemplate, UrlTemplate};
pub use webhook::WebhookConfig;

use reqwest::Url;

use super::access::AccessConfig;
use super::reader::Reader;
use super::secret::SecretFile;

/// Every configured channel, and what all messages say of this Backstop.
#[derive(Debug, Clone)]
pub struct PeopleConfig {
    pub environment: Option<String>,
    pub dashboard_url: Option<Url>,
    pub slack: Option<SlackConfig>,
    pub pagerduty: Option<PagerDutyConfig>,
    pub status_page: Option<StatusPageConfig>,
    pub grafana: Option<GrafanaConfig>,
    pub webhook: Option<WebhookConfig>,
    pub teams: Option<TeamsConfig>,
}

impl PeopleConfig {
    /// Reads every table whether it is there or not: for the test that the reference is complete.
    #[cfg(test)]
    pub(super) fn read_all(reader: &Reader<'_>) {
        Self::read(reader);
        SlackConfig::read(&reader.table("slack"));
        PagerDutyConfig::read(&reader.table("pagerduty"));
        StatusPageConfig::read(&reader.table("status_page"));
        GrafanaConfig::read(&reader.table("grafana"));
        WebhookConfig::read(&reader.table("webhook"));
        TeamsConfig::read(&reader.table("teams"));
    }

    /// Reads `[notifications]` and the channels' tables, which stand at the top of the file.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let notifications = reader.table("notifications");
        let environment = notifications.text("environment");
        let dashboard_url = notifications.url("dashboard_url");
        notifications.finish();
        let table = |key| reader.optional_table(key);
        Self {
            environment,
            dashboard_url,
            slack: table("slack").map(|table| SlackConfig::read(&table)),
            pagerduty: table("pagerduty").map(|table| PagerDutyConfig::read(&table)),
            status_page: table("status_page").map(|table| StatusPageConfig::read(&table)),
            grafana: table("grafana").map(|table| GrafanaConfig::read(&table)),
            webhook: table("webhook").map(|table| WebhookConfig::read(&table)),
            teams: table("teams").map(|table| TeamsConfig::read(&table)),
        }
    }

    /// Every secret file that a channel needs, with its key; those of [`PeopleConfig::systems`] are not
    /// among them.
    pub(super) fn secret_files(&self) -> Vec<(&'static str, &SecretFile)> {
        let slack = self.slack.iter().flat_map(SlackConfig::secret_files);
        let pagerduty = self.pagerduty.iter().flat_map(PagerDutyConfig::secret_files);
        let webhook = self.webhook.iter().map(|webhook| ("webhook.secret_file", webhook.secret.file()));
        let teams = self.teams.iter().map(|teams| ("teams.url_file", &teams.url));
        slack.chain(pagerduty).chain(webhook).chain(teams).collect()
    }

    /// The channels that are reached like any other system, by the key of their table.
    pub(super) fn systems(&self) -> Vec<(&'static str, &AccessConfig)> {
        let pagerduty = self.pagerduty.iter().map(|pagerduty| ("pagerduty", &pagerduty.access));
        let status_page = self.status_page.iter().map(|page| ("status_page", &page.access));
        let grafana = self.grafana.iter().map(|grafana| ("grafana", &grafana.access));
        let webhook = self.webhook.iter().map(|webhook| ("webhook", &webhook.access));
        let teams = self.teams.iter().map(|teams| ("teams", &teams.access));
        pagerduty.chain(status_page).chain(grafana).chain(webhook).chain(teams).collect()
    }
}

#[cfg(test)]
mod tests;
