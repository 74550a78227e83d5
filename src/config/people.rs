//! The channels to people: a table each, all optional.

mod pagerduty;
mod slack;

pub use pagerduty::PagerDutyConfig;
pub use slack::{SlackButtons, SlackConfig};

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
}

impl PeopleConfig {
    /// Reads every table whether it is there or not: for the test that the reference is complete.
    #[cfg(test)]
    pub(super) fn read_all(reader: &Reader<'_>) {
        Self::read(reader);
        SlackConfig::read(&reader.table("slack"));
        PagerDutyConfig::read(&reader.table("pagerduty"));
    }

    /// Reads `[notifications]` and the channels' tables, which stand at the top of the file.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let notifications = reader.table("notifications");
        let environment = notifications.text("environment");
        let dashboard_url = notifications.url("dashboard_url");
        notifications.finish();
        Self {
            environment,
            dashboard_url,
            slack: reader.optional_table("slack").map(|table| SlackConfig::read(&table)),
            pagerduty: reader.optional_table("pagerduty").map(|table| PagerDutyConfig::read(&table)),
        }
    }

    /// Every secret file that a channel needs, with its key; those of [`PeopleConfig::systems`] are not
    /// among them.
    pub(super) fn secret_files(&self) -> Vec<(&'static str, &SecretFile)> {
        let slack = self.slack.iter().flat_map(SlackConfig::secret_files);
        let pagerduty = self.pagerduty.iter().flat_map(PagerDutyConfig::secret_files);
        slack.chain(pagerduty).collect()
    }

    /// The channels that are reached like any other system, by the key of their table.
    pub(super) fn systems(&self) -> Vec<(&'static str, &AccessConfig)> {
        Vec::new()
    }
}
