//! What is on its way to people, and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Metrics;
use super::labels::{ChannelOutcome, OfChannel};
use crate::incident::{ChannelName, MessageOutcome, RolloutState};

/// The values of the label `outcome`. A message that is sent in several calls is `sent` with the last;
/// `failed` and `unknown` are tries, of which more follow.
const OUTCOMES: [&str; 5] = ["sent", "failed", "unknown", "given_up", "superseded"];

#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) total: Family<ChannelOutcome, Counter>,
    pub(super) undelivered: Family<OfChannel, Gauge>,
    pub(super) oldest_age_seconds: Family<OfChannel, Gauge>,
    /// 1 while the last message that ended there was refused for good; of configured channels only, as
    /// one that is gone will never take another.
    pub(super) refusing: Family<OfChannel, Gauge>,
    configured: Mutex<BTreeSet<ChannelName>>,
    /// Every channel that has a series: one that is no longer configured may still have messages.
    known: Mutex<BTreeSet<ChannelName>>,
}

/// What waits for one channel.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Backlog {
    messages: i64,
    oldest: Option<DateTime<Utc>>,
}

pub(super) type Backlogs = BTreeMap<ChannelName, Backlog>;

/// Adds what waits in one rollout's queues.
pub(super) fn add_backlogs(backlogs: &mut Backlogs, state: &RolloutState) {
    for waiting in state.backlogs() {
        let backlog = backlogs.entry(waiting.channel.clone()).or_default();
        backlog.messages += i64::try_from(waiting.messages).unwrap_or(i64::MAX);
        let at = waiting.oldest.notice.at;
        backlog.oldest = Some(backlog.oldest.map_or(at, |oldest| oldest.min(at)));
    }
}

impl Metrics {
    /// Makes the series of the configured channels, at zero.
    pub fn channels<'a>(&self, names: impl IntoIterator<Item = &'a ChannelName>) {
        for name in names {
            self.known_channel(name);
            super::touch(&self.families.messages.refusing, &OfChannel { channel: name.to_string() });
            let configured = &self.families.messages.configured;
            configured.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
            for outcome in OUTCOMES {
                super::touch(&self.families.messages.total, &of(name, outcome));
            }
        }
    }

    fn known_channel(&self, name: &ChannelName) {
        let labels = OfChannel { channel: name.to_string() };
        super::touch(&self.families.messages.undelivered, &labels);
        super::touch(&self.families.messages.oldest_age_seconds, &labels);
        // A set of names: nothing in it can be half done.
        let known = &self.families.messages.known;
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    }

    pub(super) fn message_ended(&self, channel: &ChannelName, outcome: &MessageOutcome) {
        let outcome = match outcome {
            MessageOutcome::Sent { complete: true, .. } => "sent",
            MessageOutcome::Sent { complete: false, .. } => return,
            MessageOutcome::Failed { .. } => "failed",
            MessageOutcome::Unknown { .. } => "unknown",
            MessageOutcome::GivenUp { .. } => "given_up",
        };
        self.families.messages.total.get_or_create_owned(&of(channel, outcome)).inc();
    }

    pub(super) fn superseded(&self, channel: &ChannelName, messages: usize) {
        let counter = self.families.messages.total.get_or_create_owned(&of(channel, "superseded"));
        counter.inc_by(messages as u64);
    }

    /// Which of the configured channels refuse now.
    pub(super) fn refusals(&self, refusing: &BTreeSet<&ChannelName>) {
        let messages = &self.families.messages;
        for name in &*messages.configured.lock().unwrap_or_else(PoisonError::into_inner) {
            let labels = OfChannel { channel: name.to_string() };
            messages.refusing.get_or_create_owned(&labels).set(refusing.contains(name).into());
        }
    }

    /// What waits now, of all rollouts; a channel for which nothing waits is at zero.
    pub(super) fn backlogs(&self, backlogs: &Backlogs, now: DateTime<Utc>) {
        backlogs.keys().for_each(|name| self.known_channel(name));
        let known = self.families.messages.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for name in known {
            let Backlog { messages, oldest } = backlogs.get(&name).copied().unwrap_or_default();
            let age = oldest.map_or(0, |oldest| (now - oldest).num_seconds().max(0));
            let labels = OfChannel { channel: name.to_string() };
            self.families.messages.undelivered.get_or_create_owned(&labels).set(messages);
            self.families.messages.oldest_age_seconds.get_or_create_owned(&labels).set(age);
        }
    }
}

/// The channels that refuse, of any of the rollouts.
pub(super) fn refusing<'a>(states: &[&'a RolloutState]) -> BTreeSet<&'a ChannelName> {
    let refusals = states.iter().flat_map(|state| state.refusals(states.iter().copied()));
    refusals.map(|(channel, _)| channel).collect()
}

fn of(channel: &ChannelName, outcome: &str) -> ChannelOutcome {
    ChannelOutcome { channel: channel.to_string(), outcome: outcome.to_owned() }
}

#[cfg(test)]
mod tests;
