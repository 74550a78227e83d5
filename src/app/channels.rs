//! The channels to people that the configuration names.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;
use reqwest::Url;

use crate::clock::Clock;
use crate::config::{
    AccessConfig, Config, GrafanaConfig, PageKind, PagerDutyConfig, StatusPageConfig, TeamsConfig,
    WebhookConfig,
};
use crate::decision::Recipient;
use crate::incident::{ChannelName, NoticeKind};
use crate::notification::slack::Slack;
use crate::notification::{
    Atlassian, CALL_TIMEOUT, Channel, Components, Grafana, PagerDuty, PagerDutyKeys, Place, StatusPage,
    StatusPages, Teams, Templated, Webhook,
};
use crate::outbound::{Connections, Outbound};
use crate::pipeline::Channels;

/// PagerDuty's Events API outside the EU; the EU's is `https://events.eu.pagerduty.com`.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com";

/// Atlassian Statuspage's API.
const STATUSPAGE_URL: &str = "https://api.statuspage.io";

/// The word before Statuspage's key in `Authorization`.
const STATUSPAGE_SCHEME: &str = "OAuth";

/// Builds the configured channels; sends nothing yet.
///
/// # Errors
/// When a client can't be built.
pub fn build_channels(
    config: &Config,
    connections: &mut Connections,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Channels> {
    let people = &config.people;
    let place = place(config);
    let mut to = |access: &AccessConfig| connections.to(access, CALL_TIMEOUT);
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    if let Some(slack) = &people.slack {
        channels.push(Arc::new(Slack::new(slack, place.clone()).context("slack")?));
    }
    if let Some(config) = &people.pagerduty {
        let outbound = to(&config.access).context("pagerduty")?;
        channels.push(Arc::new(pagerduty(config, outbound, place.clone())?));
    }
    if let Some(config) = &people.status_page {
        channels.push(Arc::new(status_page(config, &mut to).context("status_page")?));
    }
    if let Some(GrafanaConfig { url, dashboard_uid, access, .. }) = &people.grafana {
        let url = url.clone().context("grafana.url is missing")?;
        let outbound = to(access).context("grafana")?;
        channels.push(Arc::new(Grafana::new(outbound, url, dashboard_uid.clone(), place.clone())));
    }
    if let Some(WebhookConfig { url, secret, access }) = &people.webhook {
        let url = url.clone().context("webhook.url is missing")?;
        let outbound = to(access).context("webhook")?;
        let (secret, clock) = (secret.clone(), Arc::clone(clock));
        channels.push(Arc::new(Webhook::new(outbound, url, secret, place.clone(), clock)));
    }
    if let Some(TeamsConfig { url, access }) = &people.teams {
        let outbound = to(access).context("teams")?;
        channels.push(Arc::new(Teams::new(outbound, url.clone(), place.clone())));
    }
    let by_name: BTreeMap<ChannelName, _> =
        channels.into_iter().map(|channel| (channel.name(), channel)).collect();
    Ok(Arc::new(by_name))
}

/// What messages say of this Backstop.
fn place(config: &Config) -> Place {
    Place {
        environment: config.people.environment.clone(),
        external_url: config.server.external_url.trim_end_matches('/').to_owned(),
        dashboard_url: config.people.dashboard_url.as_ref().map(ToString::to_string),
    }
}

fn pagerduty(config: &PagerDutyConfig, outbound: Outbound, place: Place) -> anyhow::Result<PagerDuty> {
    let base = config.url.clone().map_or_else(|| Url::parse(PAGERDUTY_URL), Ok)?;
    let first = config.levels.as_ref().and_then(|levels| levels.first.as_ref());
    let keys = PagerDutyKeys {
        first: first.unwrap_or(&config.routing_key).clone(),
        others: config.levels.as_ref().map(|levels| [levels.second.clone(), levels.third.clone()]),
    };
    Ok(PagerDuty::new(outbound, base, keys, place))
}

fn status_page<E: std::error::Error + Send + Sync + 'static>(
    config: &StatusPageConfig,
    to: &mut impl FnMut(&AccessConfig) -> Result<Outbound, E>,
) -> anyhow::Result<StatusPages> {
    let StatusPageConfig { service, kind, access } = config;
    let page: Arc<dyn StatusPage> = match kind.as_ref().context("its requests are missing")? {
        PageKind::Statuspage { url, page_id, components, component_status, deliver_notifications } => {
            let base = url.clone().map_or_else(|| Url::parse(STATUSPAGE_URL), Ok)?;
            let outbound = to(&access.clone().with_scheme(STATUSPAGE_SCHEME))?;
            let components = Components { ids: components.clone(), affected: component_status };
            Arc::new(Atlassian::new(outbound, &base, page_id, components, *deliver_notifications))
        }
        PageKind::Http(templates) => Arc::new(Templated::new(to(access)?, templates.as_ref().clone())),
    };
    Ok(StatusPages::new(page, service.clone()))
}

/// What decisions have to know of a channel.
pub(super) fn recipient(channel: &dyn Channel) -> Recipient {
    Recipient {
        channel: channel.name(),
        kinds: NoticeKind::ALL.iter().copied().filter(|kind| channel.wants(*kind)).collect(),
        wakes: channel.wakes(),
        first_within: channel.first_within().and_then(|within| TimeDelta::from_std(within).ok()),
    }
}
