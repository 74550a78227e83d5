//! A webhook of one's own: every notice, with the facts, the words and the incident, as signed JSON.
//! Its shape is `deploy/schemas/webhook.schema.json`.
//!
//! The receiver computes the HMAC-SHA256 of `<timestamp>.<body>` with the shared secret, compares it with
//! `X-Backstop-Signature` (`v1=` and hex), and turns away what is older than it likes: the timestamp is in
//! the signature. A delivery that may have arrived is sent again under the same `X-Backstop-Delivery`.

mod body;
#[cfg(test)]
mod schema_fixtures;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};

use super::answers::{accepted, in_words};
use super::{Channel, Message, Place, SendError, Sent};
use crate::clock::Clock;
use crate::config::SigningSecret;
use crate::incident::{ChannelName, NoticeKind};
use crate::outbound::{JsonRequest, MAX_SMALL_ANSWER_BYTES, Outbound};

/// The channel's name.
const NAME: &str = "webhook";

/// The one call.
const POST: &str = "post";

/// Receivers say so when they are asked too often.
const LIMITS: &[u16] = &[429];

/// A webhook as a channel.
#[derive(Debug)]
pub struct Webhook {
    outbound: Outbound,
    url: Url,
    secret: SigningSecret,
    place: Place,
    /// For the timestamp that is signed.
    clock: Arc<dyn Clock>,
}

impl Webhook {
    /// Sends nothing yet.
    #[must_use]
    pub fn new(
        outbound: Outbound,
        url: Url,
        secret: SigningSecret,
        place: Place,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_SMALL_ANSWER_BYTES), url, secret, place, clock }
    }

    async fn post(&self, delivery: &str, body: String) -> Result<String, SendError> {
        let timestamp = self.clock.now().timestamp().to_string();
        let signed = format!("{timestamp}.{body}");
        let signature = self
            .secret
            .sign(signed.as_bytes())
            .map_err(|error| SendError::Failed { error: error.to_string(), retry_after: None })?;
        let header = |text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| SendError::Refused { error: "no header may carry it".to_owned() })
        };
        let request = JsonRequest::new(Method::POST, self.url.clone(), body)
            .with_header(HeaderName::from_static("x-backstop-delivery"), header(delivery)?)
            .with_header(HeaderName::from_static("x-backstop-timestamp"), header(&timestamp)?)
            .with_header(
                HeaderName::from_static("x-backstop-signature"),
                header(&format!("v1={signature}"))?,
            );
        let reply = accepted(self.outbound.request(request).await, LIMITS)?;
        Ok(in_words(&reply))
    }
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> ChannelName {
        ChannelName::new(NAME)
    }

    /// All: who receives it chooses.
    fn wakes(&self) -> bool {
        true
    }

    fn wants(&self, _kind: NoticeKind) -> bool {
        true
    }

    fn next_call(&self, message: &Message) -> Option<&'static str> {
        (!message.has_done(POST)).then_some(POST)
    }

    async fn send(&self, call: &str, message: &Message) -> Result<Sent, SendError> {
        if call != POST {
            return Err(SendError::Refused { error: format!("there is no call {call}") });
        }
        let body = body::of_message(message, &self.place).to_string();
        self.post(&message.id(), body).await.map(|_| Sent::default())
    }

    async fn test(&self, now: DateTime<Utc>) -> Result<String, SendError> {
        let delivery = format!("test/{}", now.timestamp());
        let body = body::test(&delivery, &self.place).to_string();
        self.post(&delivery, body).await.map(|answer| format!("posted and taken: {answer}"))
    }

    /// Sends nothing: a receiver of one's own need not answer to anything but a delivery.
    async fn check(&self) -> Result<Vec<String>, SendError> {
        let failed = |error: crate::config::SecretError| SendError::Refused { error: error.to_string() };
        self.secret.sign(b"").map_err(failed)?;
        Ok(vec!["it can be signed; whether it is taken is seen by a test".to_owned()])
    }
}

#[cfg(test)]
mod tests;
