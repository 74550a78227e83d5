//! Tells people: a notice, which is a fact, becomes a message in each channel's own form.
//!
//! A channel is one file behind one trait. It decides nothing: whether and when a message is sent,
//! tried again or left out is decided elsewhere (`decision`) and stored before it is sent. What a
//! notice needs here is asked call by call ([`Channel::next_call`]), so that a process that ends between
//! two calls goes on with the second.

mod answers;
mod clip;
#[cfg(test)]
pub(crate) mod fixtures;
mod grafana;
#[cfg(test)]
pub(crate) mod http_fixtures;
mod links;
mod pagerduty;
pub mod slack;
mod status_page;
mod teams;
mod webhook;
mod words;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use grafana::Grafana;
pub use links::{Link, links};
pub use pagerduty::{PagerDuty, PagerDutyKeys, is_paged_as, of_pagerduty};
pub use status_page::{
    Atlassian, Components, Found, Public, PublicStatus, StatusPage, StatusPages, Templated,
};
pub use teams::Teams;
pub use webhook::Webhook;
pub use words::{Line, Mark, Piece, Words};

use crate::incident::{
    ChannelName, DeliveryEnd, Incident, IncidentId, Notice, NoticeKind, Ramp, References, Revision,
    RolloutName,
};

/// The longest that one call to a channel may take, its answer included (reference notes on
/// notifications, section 1.3: the other side may hang for ever).
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a notice is about.
#[derive(Debug, Clone)]
pub enum Subject {
    /// As it stood when the call began.
    Incident(Arc<Incident>),
    /// The rollout itself, such as its Watchdog.
    Rollout {
        name: RolloutName,
        revision: Revision,
        /// The ramp that runs, or the last that ran, as it stood when the call began.
        ramp: Option<Arc<Ramp>>,
    },
}

impl Subject {
    /// The rollout that it belongs to.
    #[must_use]
    pub fn rollout(&self) -> &RolloutName {
        match self {
            Self::Incident(incident) => &incident.rollout,
            Self::Rollout { name, .. } => name,
        }
    }

    /// The revision that it is about.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        match self {
            Self::Incident(incident) => incident.revision(),
            Self::Rollout { revision, .. } => revision,
        }
    }

    /// The incident, if it is about one.
    #[must_use]
    pub fn incident(&self) -> Option<&Incident> {
        match self {
            Self::Incident(incident) => Some(incident),
            Self::Rollout { .. } => None,
        }
    }

    /// The ramp that runs, if it is about a rollout itself.
    #[must_use]
    pub fn running_ramp(&self) -> Option<&Ramp> {
        match self {
            Self::Incident(_) => None,
            Self::Rollout { ramp, .. } => ramp.as_deref().filter(|ramp| !ramp.phase.has_ended()),
        }
    }

    /// What separates it from every other one of all times: the incident's id, or the rollout's name.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Incident(incident) => incident.id.as_str(),
            Self::Rollout { name, .. } => name.as_str(),
        }
    }
}

/// One notice on its way through one channel.
#[derive(Debug, Clone)]
pub struct Message {
    pub subject: Subject,
    pub notice: Arc<Notice>,
    /// The calls that are done for this notice.
    pub done: Vec<String>,
    /// What the channel asked to be remembered, of all notices of the subject.
    pub references: References,
    /// Whether the next call may have been made before: it is to be looked for first.
    pub may_have_arrived: bool,
    /// How many notices before it were left out, because this one says how it stands.
    pub left_out: usize,
}

impl Message {
    /// Whether the call is done.
    #[must_use]
    pub fn has_done(&self, call: &str) -> bool {
        self.done.iter().any(|done| done == call)
    }

    /// Whether an earlier notice of the incident was given up there: its last call may have arrived all
    /// the same.
    #[must_use]
    pub fn was_given_up_before(&self, channel: &ChannelName) -> bool {
        let queue = self.subject.incident().and_then(|incident| incident.deliveries.queues.get(channel));
        let delivered = queue.into_iter().flat_map(|queue| queue.delivered.iter());
        delivered.into_iter().any(|delivered| matches!(delivered.end, DeliveryEnd::GivenUp(_)))
    }

    /// What separates this message from every other one of all times: for channels that look for it.
    #[must_use]
    pub fn id(&self) -> String {
        let number = self.notice.id.map_or(0, |id| id.0);
        format!("{}/{number}", self.subject.id())
    }
}

/// Where this Backstop is, for texts and links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Such as `prod-eu`: people have several.
    pub environment: Option<String>,
    /// Without a slash at its end.
    pub external_url: String,
    /// A dashboard to look at.
    pub dashboard_url: Option<String>,
}

impl Place {
    /// Where the incident can be read.
    #[must_use]
    pub fn incident_url(&self, id: &IncidentId) -> String {
        format!("{}/api/v1/incidents/{id}", self.external_url)
    }

    /// Where the incident's report can be read; worth a link once the incident has closed.
    #[must_use]
    pub fn report_url(&self, id: &IncidentId) -> String {
        format!("{}/api/v1/incidents/{id}/report", self.external_url)
    }
}

/// What came of a call that arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// To be remembered for later calls of the same subject.
    pub references: References,
}

/// Why a call did not succeed; each variant says what the caller may do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It did not arrive: try again, not before `retry_after`.
    #[error("{error}")]
    Failed { error: String, retry_after: Option<Duration> },
    /// It may have arrived: look for it before sending it again.
    #[error("{error}")]
    Unknown { error: String },
    /// Trying again is of no use before a person has mended something.
    #[error("{error}")]
    Refused { error: String },
}

/// A channel to people.
#[async_trait]
pub trait Channel: Debug + Send + Sync {
    /// Its name in configuration, log, metrics and API.
    fn name(&self) -> ChannelName;

    /// Whether notices of this kind go there.
    fn wants(&self, kind: NoticeKind) -> bool;

    /// Within which time of an incident's first notice something has to be there; for what the public
    /// reads.
    fn first_within(&self) -> Option<Duration> {
        None
    }

    /// Whether it wakes somebody: a page must not get lost because its rollback was quick.
    fn wakes(&self) -> bool {
        false
    }

    /// The next call that the message needs here; `None`: nothing, or nothing more. Pure: the same
    /// message gives the same call.
    fn next_call(&self, message: &Message) -> Option<&'static str>;

    /// Makes one call. If the message may have arrived before, it is looked for first where it can be.
    ///
    /// # Errors
    /// See [`SendError`].
    async fn send(&self, call: &str, message: &Message) -> Result<Sent, SendError>;

    /// Sends one message that is marked as a test, and says what came back.
    ///
    /// # Errors
    /// See [`SendError`].
    async fn test(&self, now: DateTime<Utc>) -> Result<String, SendError>;

    /// Looks, without sending anything, whether the channel could be used; a sentence for each thing
    /// that was looked at.
    ///
    /// # Errors
    /// What is wrong, with the remedy.
    async fn check(&self) -> Result<Vec<String>, SendError>;
}
