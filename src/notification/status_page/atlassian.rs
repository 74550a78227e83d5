//! Atlassian Statuspage, by its API v1. The state of the components is part of the same call: the API
//! takes one request a second and key (reference notes on notifications, section 3).

use async_trait::async_trait;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Found, Public, PublicStatus, StatusPage, usable_id};
use crate::notification::SendError;
use crate::notification::answers::accepted;
use crate::outbound::{Outbound, Reply, under};
use crate::text::shown;

/// By which it says that it is asked too often.
const LIMITS: &[u16] = &[420, 429];

/// A list of unresolved incidents; each carries all its updates.
const MAX_ANSWER_BYTES: usize = 2 << 20;

/// What of the page an incident is about.
#[derive(Debug, Clone, Default)]
pub struct Components {
    pub ids: Vec<String>,
    /// Their status while it goes on, such as `partial_outage`.
    pub affected: &'static str,
}

/// One page of Statuspage.
#[derive(Debug)]
pub struct Atlassian {
    outbound: Outbound,
    /// With `/v1/pages/<id>` at its end.
    page: Url,
    components: Components,
    /// Whether subscribers get mail.
    deliver_notifications: bool,
}

/// What is used of an incident (Statuspage API, `GET /pages/{page_id}/incidents/unresolved`).
#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    incident_updates: Vec<Update>,
}

#[derive(Debug, Deserialize)]
struct Update {
    #[serde(default)]
    body: Option<String>,
}

impl Atlassian {
    /// `outbound` authenticates with the scheme `OAuth`.
    #[must_use]
    pub fn new(
        outbound: Outbound,
        base: &Url,
        page_id: &str,
        components: Components,
        deliver_notifications: bool,
    ) -> Self {
        let page = under(base, &format!("v1/pages/{page_id}"));
        let outbound = outbound.with_answers_up_to(MAX_ANSWER_BYTES);
        Self { outbound, page, components, deliver_notifications }
    }

    fn body(&self, post: &Public, opens: bool) -> String {
        let mut incident = Map::new();
        let mut put = |name: &str, value: Value| incident.insert(name.to_owned(), value);
        put("status", post.status.as_str().into());
        put("body", post.text.as_str().into());
        put("deliver_notifications", self.deliver_notifications.into());
        if opens {
            put("name", post.title.as_str().into());
            put("metadata", json!({ "backstop": { "incident": post.incident } }));
            put("component_ids", self.components.ids.clone().into());
        }
        let status = match post.status {
            PublicStatus::Investigating | PublicStatus::Identified => Some(self.components.affected),
            PublicStatus::Monitoring => Some("degraded_performance"),
            PublicStatus::Resolved => post.works.then_some("operational"),
        };
        // Left out, they stay as they are: a person says that they work.
        if let Some(status) = status {
            let components = self.components.ids.iter().map(|id| (id.clone(), status.into()));
            put("components", components.collect::<Map<_, _>>().into());
        }
        json!({ "incident": incident }).to_string()
    }
}

/// The answer as what it should be; what can't be read may well have been done.
fn read<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<T, SendError> {
    serde_json::from_slice(&reply.body).map_err(|error| SendError::Unknown {
        error: reply.kept(&format!("status {}, and not the answer expected: {error}", reply.status)),
    })
}

#[async_trait]
impl StatusPage for Atlassian {
    async fn open(&self, post: &Public) -> Result<String, SendError> {
        let url = under(&self.page, "incidents");
        let reply = accepted(self.outbound.post_json(url, self.body(post, true)).await, LIMITS)?;
        let opened: Listed = read(&reply)?;
        usable_id(&opened.id).ok_or_else(|| SendError::Unknown {
            error: "it was posted, and has no id in the answer".to_owned(),
        })
    }

    async fn update(&self, id: &str, post: &Public) -> Result<(), SendError> {
        let url = under(&self.page, &format!("incidents/{id}"));
        let sent = self.outbound.send_json(Method::PATCH, url, self.body(post, false)).await;
        accepted(sent, LIMITS).map(drop)
    }

    fn can_find(&self) -> bool {
        true
    }

    async fn find(&self, incident: &str) -> Result<Option<Found>, SendError> {
        let reply = self.outbound.get(under(&self.page, "incidents/unresolved")).await;
        let listed: Vec<Listed> = read(&accepted(reply, LIMITS)?)?;
        let ours = |listed: &Listed| {
            listed.metadata.pointer("/backstop/incident").and_then(Value::as_str) == Some(incident)
        };
        let found = listed.into_iter().find(ours).map(|listed| Found {
            texts: listed.incident_updates.into_iter().filter_map(|update| update.body).collect(),
            id: listed.id,
        });
        Ok(found)
    }

    async fn check(&self) -> Result<String, SendError> {
        let reply = accepted(self.outbound.get(self.page.clone()).await, LIMITS)?;
        let page: Value = read(&reply)?;
        let name = page.get("name").and_then(Value::as_str).unwrap_or("without a name");
        Ok(format!("the page is there, and the key may read it: {}", shown(&reply.kept(name))))
    }
}
