//! Grafana: annotations on the dashboard, a region each for a grace and for a rollback.
//!
//! An annotation has no colour of its own: the dashboard gives one to each kind by its tag (the protocol:
//! yellow for a warning, red for a rollback), so each carries exactly one of them. A region is posted as
//! it begins and given its end later. The API has no idempotency, so a posting that may have arrived is
//! looked for by its tags (reference notes on notifications, section 4).

mod annotation;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::Value;

use super::answers::{accepted, still_unknown};
use super::{Channel, Message, Place, SendError, Sent};
use crate::incident::{ChannelName, NoticeKind, References};
use crate::outbound::{Outbound, Reply, under};
use crate::text::shown;
use annotation::{Kind, OURS};

/// The channel's name.
const NAME: &str = "grafana";

/// Grafana's, or a gateway's in front of it.
const LIMITS: &[u16] = &[429];

/// Some annotations of one incident.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The query's own limit is silent (grafana#55296): an incident has two.
const MOST_FOUND: &str = "10";

/// Grafana as a channel.
#[derive(Debug)]
pub struct Grafana {
    outbound: Outbound,
    base: Url,
    /// The dashboard that they belong to. A clean-up of Grafana 12 once deleted those without one.
    dashboard_uid: Option<String>,
    place: Place,
}

#[derive(Debug, Deserialize)]
struct Added {
    id: u64,
}

/// The calls, by the names under which they are stored.
const CALLS: [(&str, Kind, bool); 4] = [
    ("begin_warning", Kind::Warning, true),
    ("end_warning", Kind::Warning, false),
    ("begin_rollback", Kind::Rollback, true),
    ("end_rollback", Kind::Rollback, false),
];

impl Grafana {
    /// Sends nothing yet.
    #[must_use]
    pub fn new(outbound: Outbound, base: Url, dashboard_uid: Option<String>, place: Place) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_ANSWER_BYTES), base, dashboard_uid, place }
    }

    async fn begin(&self, kind: Kind, message: &Message) -> Result<Sent, SendError> {
        let may_be_there = message.may_have_arrived || message.was_given_up_before(&self.name());
        let known = if may_be_there { self.find(kind, message).await? } else { None };
        let id = match known {
            Some(id) => id,
            None => {
                let dashboard = self.dashboard_uid.as_deref();
                let body = annotation::begun(kind, message, &self.place, dashboard);
                self.post(&body).await?
            }
        };
        Ok(remember(kind.id(), id.to_string()))
    }

    async fn post(&self, annotation: &Value) -> Result<u64, SendError> {
        let url = under(&self.base, "api/annotations");
        let reply = accepted(self.outbound.post_json(url, annotation.to_string()).await, LIMITS)?;
        read::<Added>(&reply).map(|added| added.id)
    }

    async fn find(&self, kind: Kind, message: &Message) -> Result<Option<u64>, SendError> {
        let mut url = under(&self.base, "api/annotations");
        let tags = annotation::tags(kind, message);
        url.query_pairs_mut()
            .extend_pairs(tags.iter().map(|tag| ("tags", tag)))
            .append_pair("limit", MOST_FOUND);
        let reply = accepted(self.outbound.get(url).await, LIMITS).map_err(still_unknown)?;
        let found: Vec<Added> = read(&reply)?;
        Ok(found.first().map(|added| added.id))
    }

    async fn end(&self, kind: Kind, message: &Message) -> Result<Sent, SendError> {
        let id = message.references.get(kind.id()).cloned().unwrap_or_default();
        let url = under(&self.base, &format!("api/annotations/{id}"));
        let body = annotation::ended(kind, message, &self.place).to_string();
        let reply = self.outbound.send_json(Method::PATCH, url, body).await;
        // One that somebody deleted has no end to be told.
        let is_gone = reply.as_ref().is_ok_and(|reply| reply.status == 404);
        if !is_gone {
            accepted(reply, LIMITS)?;
        }
        Ok(remember(kind.end(), "yes".to_owned()))
    }
}

fn remember(name: &str, what: String) -> Sent {
    Sent { references: References::from([(name.to_owned(), what)]) }
}

fn read<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<T, SendError> {
    serde_json::from_slice(&reply.body).map_err(|error| SendError::Unknown {
        error: reply.kept(&format!("status {}, and not the answer expected: {error}", reply.status)),
    })
}

/// Whether a region of this kind should have begun, or ended, by this notice.
fn is_due(message: &Message, kind: Kind, begins: bool) -> bool {
    let Some(incident) = message.subject.incident() else { return false };
    let ends = matches!(
        message.notice.kind,
        NoticeKind::GraceCancelled
            | NoticeKind::WouldRollBack
            | NoticeKind::RollbackEnded
            | NoticeKind::RollbackNotVerified
            | NoticeKind::IncidentClosed
            | NoticeKind::IncidentSuperseded
    );
    match (kind, begins) {
        (Kind::Warning, true) => incident.grace_ends_at.is_some(),
        (Kind::Warning, false) => ends || message.notice.kind == NoticeKind::RollbackStarted,
        // Not for the opening of a grace that is told late: its own notice comes next.
        (Kind::Rollback, true) => {
            incident.has_rolled_back() && message.notice.kind != NoticeKind::GraceOpened
        }
        (Kind::Rollback, false) => ends,
    }
}

#[async_trait]
impl Channel for Grafana {
    fn name(&self) -> ChannelName {
        ChannelName::new(NAME)
    }

    fn wants(&self, kind: NoticeKind) -> bool {
        matches!(
            kind,
            NoticeKind::GraceOpened
                | NoticeKind::GraceCancelled
                | NoticeKind::WouldRollBack
                | NoticeKind::RollbackStarted
                | NoticeKind::RollbackEnded
                | NoticeKind::RollbackNotVerified
                | NoticeKind::IncidentClosed
                | NoticeKind::IncidentSuperseded
        )
    }

    fn next_call(&self, message: &Message) -> Option<&'static str> {
        let known = |name: &str| message.references.contains_key(name);
        let is_open = |kind: Kind| known(kind.id()) && !known(kind.end());
        let next = CALLS.into_iter().find(|(_, kind, begins)| {
            let is_missing = if *begins { !known(kind.id()) } else { is_open(*kind) };
            is_missing && is_due(message, *kind, *begins)
        });
        next.map(|(call, ..)| call)
    }

    async fn send(&self, call: &str, message: &Message) -> Result<Sent, SendError> {
        match CALLS.into_iter().find(|(known, ..)| *known == call) {
            Some((_, kind, true)) => self.begin(kind, message).await,
            Some((_, kind, false)) => self.end(kind, message).await,
            None => Err(SendError::Refused { error: format!("there is no call {call}") }),
        }
    }

    /// An annotation with no tag that a dashboard colours.
    async fn test(&self, now: DateTime<Utc>) -> Result<String, SendError> {
        let id = self.post(&annotation::test(now, self.dashboard_uid.as_deref())).await?;
        Ok(format!("annotation {id} was added, with the tags {} and test", OURS[0]))
    }

    async fn check(&self) -> Result<Vec<String>, SendError> {
        let health = accepted(self.outbound.get(under(&self.base, "api/health")).await, LIMITS)?;
        let health: Value = read(&health)?;
        let version = health.get("version").and_then(Value::as_str).unwrap_or("of an unknown version");
        let mut url = under(&self.base, "api/annotations");
        url.query_pairs_mut().append_pair("tags", OURS[0]).append_pair("limit", "1");
        accepted(self.outbound.get(url).await, LIMITS)?;
        Ok(vec![
            format!("Grafana {} answers", shown(&crate::text::kept(version))),
            "the token may read annotations; whether it may add one is seen by a test".to_owned(),
        ])
    }
}

#[cfg(test)]
mod tests;
