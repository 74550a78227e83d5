//! PagerDuty, by its Events API v2: pages, and change events beside them.
//!
//! One page a revision, however often it is told of: the dedup key has no time in it, so that repeats,
//! restarts and a second incident of the same revision fold into one. That also makes repeating a page,
//! an acknowledgement or a resolve harmless after an answer that did not come; a change event that is
//! repeated is a second line in a list. 202 means accepted, not yet paged (reference notes on
//! notifications, section 2).

mod event;
mod key;
mod plan;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::answers::{accepted, in_words, unanswered};
use super::{Channel, Message, Place, SendError, Sent};
use crate::config::SecretFile;
use crate::incident::{ChannelName, Incident, Level, NoticeKind, References};
use crate::outbound::{JsonRequest, MAX_SMALL_ANSWER_BYTES, Outbound, under};
use plan::{Action, Call, page};

/// The channel's name.
const NAME: &str = "pagerduty";

/// PagerDuty's word for "asked too often": some 120 calls a minute and key.
const LIMITS: &[u16] = &[429];

/// An integration's key, in characters.
const KEY_CHARS: usize = 32;

/// The keys of the integrations that page.
#[derive(Debug, Clone)]
pub struct PagerDutyKeys {
    pub first: SecretFile,
    /// Those of level 2 and 3, for whoever has no escalation policy in PagerDuty. Where there is one it
    /// pages those levels, and to do so too would page twice.
    pub others: Option<[SecretFile; 2]>,
}

impl PagerDutyKeys {
    fn of(&self, level: Level) -> Option<&SecretFile> {
        match (level, &self.others) {
            (Level::FIRST, _) => Some(&self.first),
            (Level(2), Some([second, _])) => Some(second),
            (Level(3), Some([_, third])) => Some(third),
            _ => None,
        }
    }
}

/// PagerDuty as a channel.
#[derive(Debug)]
pub struct PagerDuty {
    outbound: Outbound,
    /// `https://events.pagerduty.com`, or the EU's.
    base: Url,
    keys: PagerDutyKeys,
    place: Place,
}

/// How a person of PagerDuty is named here, so that their acknowledgement is known when it comes back.
#[must_use]
pub fn of_pagerduty(name: &str) -> String {
    format!("{name} (PagerDuty)")
}

/// Whether a page of the incident has this dedup key.
#[must_use]
pub fn is_paged_as(incident: &Incident, dedup_key: &str) -> bool {
    let queue = incident.deliveries.queues.get(&ChannelName::new(NAME));
    let known = queue.map(|queue| &queue.references);
    known.is_some_and(|known| plan::LEVELS.iter().any(|level| page(known, *level) == Some(dedup_key)))
}

impl PagerDuty {
    /// Sends nothing yet.
    #[must_use]
    pub fn new(outbound: Outbound, base: Url, keys: PagerDutyKeys, place: Place) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_SMALL_ANSWER_BYTES), base, keys, place }
    }

    fn key(&self, level: Level) -> Result<SecretString, SendError> {
        let file = self.keys.of(level).ok_or_else(|| SendError::Refused {
            error: format!("no routing key for level {} is configured any more", level.0),
        })?;
        file.read().map_err(|error| SendError::Failed { error: error.to_string(), retry_after: None })
    }

    /// Posts one event, to which the key is added.
    async fn post(&self, path: &str, key: SecretString, mut event: Value) -> Result<String, SendError> {
        if let Some(members) = event.as_object_mut() {
            members.insert("routing_key".to_owned(), key.expose_secret().into());
        }
        let request = JsonRequest::new(Method::POST, under(&self.base, path), event.to_string());
        let reply = self.outbound.request(request.with_secret(key)).await;
        accepted(reply, LIMITS).map(|reply| in_words(&reply))
    }

    async fn send_event(&self, action: Action, level: Level, message: &Message) -> Result<Sent, SendError> {
        // The key that it was triggered with: revision and environment may be configured otherwise by now.
        let dedup_key = match page(&message.references, level) {
            Some(known) => known.to_owned(),
            None => key::dedup_key(&message.subject, &self.place),
        };
        let mut event = match action {
            Action::Trigger => event::trigger(message, &self.place),
            Action::Acknowledge | Action::Resolve => json!({}),
        };
        event["event_action"] = action.as_str().into();
        event["dedup_key"] = dedup_key.as_str().into();
        self.post("v2/enqueue", self.key(level)?, event).await?;
        let page = match action {
            Action::Trigger => Some(dedup_key),
            Action::Resolve => Some(String::new()),
            Action::Acknowledge => None,
        };
        let references = page.map(|page| References::from([(plan::reference(level).to_owned(), page)]));
        Ok(Sent { references: references.unwrap_or_default() })
    }

    async fn send_change(&self, message: &Message) -> Result<Sent, SendError> {
        let key = self.key(Level::FIRST)?;
        // An integration of a ruleset takes no change events, and there is no other way to tell it.
        if !key.expose_secret().starts_with('R') {
            self.post("v2/change/enqueue", key, event::change(message, &self.place)).await?;
        }
        Ok(Sent::default())
    }
}

#[async_trait]
impl Channel for PagerDuty {
    fn name(&self) -> ChannelName {
        ChannelName::new(NAME)
    }

    fn wakes(&self) -> bool {
        true
    }

    fn wants(&self, kind: NoticeKind) -> bool {
        !matches!(kind, NoticeKind::EvidenceProblem | NoticeKind::RampRecordProblem)
    }

    fn next_call(&self, message: &Message) -> Option<&'static str> {
        let calls = plan::plan(message, self.keys.others.is_some());
        calls.into_iter().map(Call::name).find(|call| !message.has_done(call))
    }

    async fn send(&self, call: &str, message: &Message) -> Result<Sent, SendError> {
        match Call::named(call) {
            Some(Call::Event(action, level)) => self.send_event(action, level, message).await,
            Some(Call::Change) => self.send_change(message).await,
            None => Err(SendError::Refused { error: format!("there is no call {call}") }),
        }
    }

    /// A page that is triggered and resolved at once: what has to work at night is a page.
    async fn test(&self, now: DateTime<Utc>) -> Result<String, SendError> {
        let mut event = event::test(now, &self.place);
        let dedup_key = event["dedup_key"].clone();
        self.post("v2/enqueue", self.key(Level::FIRST)?, event.take()).await?;
        let resolve = json!({ "event_action": "resolve", "dedup_key": dedup_key });
        let answer = self.post("v2/enqueue", self.key(Level::FIRST)?, resolve).await?;
        Ok(format!(
            "a page was triggered and resolved again ({answer}); look in PagerDuty whether it is there: accepted is not yet paged"
        ))
    }

    async fn check(&self) -> Result<Vec<String>, SendError> {
        for level in plan::LEVELS.into_iter().filter(|level| self.keys.of(*level).is_some()) {
            let length = self.key(level)?.expose_secret().chars().count();
            if length != KEY_CHARS {
                let error = format!(
                    "the routing key of level {} has {length} characters and not {KEY_CHARS}: copy the Integration Key of an Events API v2 integration",
                    level.0
                );
                return Err(SendError::Refused { error });
            }
        }
        let reply = self.outbound.get(self.base.clone()).await.map_err(|error| unanswered(&error))?;
        let host = self.base.host_str().unwrap_or_default();
        Ok(vec![
            format!("{host} answers (status {})", reply.status),
            "whether the routing key is right can't be asked: PagerDuty has no call that only looks; send a test"
                .to_owned(),
        ])
    }
}

#[cfg(test)]
mod tests;
