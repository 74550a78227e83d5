//! The channels to people that the configuration names.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;

use crate::config::Config;
use crate::decision::Recipient;
use crate::incident::{ChannelName, NoticeKind};
use crate::notification::slack::Slack;
use crate::notification::{Channel, Place};
use crate::outbound::Connections;
use crate::pipeline::Channels;

/// Builds the configured channels; sends nothing yet.
///
/// # Errors
/// When a client can't be built.
pub fn build_channels(config: &Config, _connections: &mut Connections) -> anyhow::Result<Channels> {
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    if let Some(slack) = &config.people.slack {
        channels.push(Arc::new(Slack::new(slack, place(config)).context("slack")?));
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

/// What decisions have to know of a channel.
pub(super) fn recipient(channel: &dyn Channel) -> Recipient {
    Recipient {
        channel: channel.name(),
        kinds: NoticeKind::ALL.iter().copied().filter(|kind| channel.wants(*kind)).collect(),
        first_within: channel.first_within().and_then(|within| TimeDelta::from_std(within).ok()),
    }
}
