//! A status page that is told by requests of the configuration: Instatus, Better Stack, or one's own.

use async_trait::async_trait;
use reqwest::{Method, Url};
use serde_json::Value;

use super::{Found, Public, PublicStatus, StatusPage, usable_id};
use crate::config::{PageCall, PageFind, PageTemplates};
use crate::notification::SendError;
use crate::notification::answers::{accepted, in_words};
use crate::outbound::Outbound;

/// By which some say that they are asked too often; 420 is Statuspage's, which others copied.
const LIMITS: &[u16] = &[420, 429];

/// As for Statuspage: lists carry every update.
const MAX_ANSWER_BYTES: usize = 2 << 20;

/// A page behind templates.
#[derive(Debug)]
pub struct Templated {
    outbound: Outbound,
    templates: PageTemplates,
}

impl Templated {
    /// Sends nothing yet.
    #[must_use]
    pub fn new(outbound: Outbound, templates: PageTemplates) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_ANSWER_BYTES), templates }
    }

    async fn call(
        &self,
        call: &PageCall,
        id: &str,
        post: &Public,
    ) -> Result<crate::outbound::Reply, SendError> {
        let status = &self.templates.statuses[index(post.status)];
        let filled = |name: &str| match name {
            "title" => Some(post.title.as_str()),
            "text" => Some(post.text.as_str()),
            "status" => Some(status.as_str()),
            "incident" => Some(post.incident.as_str()),
            "id" => Some(id),
            _ => None,
        };
        let url = call.url.filled(filled).ok_or_else(|| no_address(id))?;
        let method = Method::from_bytes(call.method.as_str().as_bytes()).unwrap_or(Method::POST);
        accepted(self.outbound.send_json(method, url, call.body.filled(filled)).await, LIMITS)
    }

    async fn listed(&self, find: &PageFind, incident: &str) -> Result<Value, SendError> {
        let filled = |name: &str| (name == "incident").then_some(incident);
        let url: Url = find.url.filled(filled).ok_or_else(|| no_address(incident))?;
        let reply = accepted(self.outbound.get(url).await, LIMITS)?;
        let unread = |error: serde_json::Error| SendError::Unknown { error: reply.kept(&error.to_string()) };
        serde_json::from_slice(&reply.body).map_err(unread)
    }
}

fn index(status: PublicStatus) -> usize {
    PublicStatus::ALL.iter().position(|known| *known == status).unwrap_or_default()
}

fn no_address(id: &str) -> SendError {
    let error = format!("with {} in it the address is none", crate::text::shown(id));
    SendError::Refused { error }
}

/// A text or a number; JSON has both for ids.
fn text_at(json: &Value, pointer: &str) -> Option<String> {
    match json.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[async_trait]
impl StatusPage for Templated {
    async fn open(&self, post: &Public) -> Result<String, SendError> {
        let reply = self.call(&self.templates.open, "", post).await?;
        let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let id = text_at(&json, &self.templates.id_pointer).and_then(|id| usable_id(&id));
        id.ok_or_else(|| SendError::Unknown {
            error: format!(
                "it was posted, and its id can't be read at open.id_pointer: {}",
                in_words(&reply)
            ),
        })
    }

    async fn update(&self, id: &str, post: &Public) -> Result<(), SendError> {
        self.call(&self.templates.update, id, post).await.map(drop)
    }

    fn can_find(&self) -> bool {
        self.templates.find.is_some()
    }

    async fn find(&self, incident: &str) -> Result<Option<Found>, SendError> {
        let Some(find) = &self.templates.find else { return Ok(None) };
        let json = self.listed(find, incident).await?;
        let items = json.pointer(&find.items_pointer).and_then(Value::as_array).ok_or_else(|| {
            SendError::Unknown { error: "there is no list at find.items_pointer".to_owned() }
        })?;
        let ours = |item: &&Value| text_at(item, &find.key_pointer).is_some_and(|key| key.contains(incident));
        let id = items.iter().find(ours).and_then(|item| text_at(item, &find.id_pointer));
        Ok(id.and_then(|id| usable_id(&id)).map(|id| Found { id, texts: Vec::new() }))
    }

    async fn check(&self) -> Result<String, SendError> {
        let Some(find) = &self.templates.find else {
            return Ok("whether the page could be used can't be asked: no find.url is configured".to_owned());
        };
        self.listed(find, "check").await.map(|_| "the page can be searched".to_owned())
    }
}
