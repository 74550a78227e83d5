//! The protocol's feature-flag API: `POST {"feature": F, "percentage": N}` (protocol, "Traffic
//! Stages"), and optionally a place where the percentage can be read.

mod reading;

use async_trait::async_trait;
use reqwest::{Method, Url};

pub use reading::ReadRequest;

use super::{ActError, ReadError, Target};
use crate::config::{BodyTemplate, FlagMethod};
use crate::incident::{Answer, Observation, Share, Step};
use crate::outbound::{MAX_SMALL_ANSWER_BYTES, Outbound};

/// The request that sets the share, as it is configured.
#[derive(Debug)]
pub struct SetRequest {
    pub method: FlagMethod,
    pub url: Url,
    /// What is sent, with places for the next two and the share.
    pub body: BodyTemplate,
    pub feature: String,
    pub revision: String,
}

/// A feature flag that moves the traffic.
#[derive(Debug)]
pub struct FeatureFlag {
    outbound: Outbound,
    set: SetRequest,
    read: Option<ReadRequest>,
}

impl FeatureFlag {
    /// Without `read` the share can't be read, and no rollback is confirmed by it.
    #[must_use]
    pub fn new(outbound: Outbound, set: SetRequest, read: Option<ReadRequest>) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_SMALL_ANSWER_BYTES), set, read }
    }

    fn body(&self, share: Share) -> String {
        self.set.body.fill(&self.set.feature, &self.set.revision, share.0)
    }
}

/// Reads the canary's share, without a target that could set it.
///
/// # Errors
/// See [`ReadError`].
pub async fn read_share(outbound: &Outbound, read: &ReadRequest) -> Result<Share, ReadError> {
    let outbound = outbound.with_answers_up_to(MAX_SMALL_ANSWER_BYTES);
    let reply = outbound.get(read.url.clone()).await.map_err(ReadError::NoAnswer)?;
    read.share(&reply)
}

/// An address for evidence: a query's values may be secrets, its names are not.
fn without_query_values(url: &Url) -> String {
    let Some(query) = url.query() else { return url.to_string() };
    let names = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        // A value without a name.
        None => "…".to_owned(),
    });
    let mut address = url.clone();
    address.set_query(None);
    address.set_fragment(None);
    format!("{address}?{}", names.collect::<Vec<_>>().join("&"))
}

#[async_trait]
impl Target for FeatureFlag {
    fn describe(&self, step: Step) -> String {
        let method = self.set.method.as_str();
        let body = step.sets_share().map_or_else(String::new, |share| self.body(share));
        format!("{method} {} {body}", without_query_values(&self.set.url))
    }

    async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        let Some(share) = step.sets_share() else {
            let text = format!("a feature flag can't {}", step.words());
            return Err(ActError::Refused(Answer { status: None, text }));
        };
        let method = match self.set.method {
            FlagMethod::Post => Method::POST,
            FlagMethod::Put => Method::PUT,
            FlagMethod::Patch => Method::PATCH,
        };
        let sent = self.outbound.send_json(method, self.set.url.clone(), self.body(share)).await;
        let reply = sent.map_err(|error| {
            let answer = Answer { status: None, text: error.to_string() };
            if error.may_have_arrived() {
                ActError::Unknown(answer)
            } else {
                ActError::Retry { answer, after: None }
            }
        })?;
        let answer = Answer { status: Some(reply.status), text: reply.kept_text() };
        match reply.status {
            200..=299 => Ok(answer),
            // A gateway's time-out says nothing about what happened behind it.
            408 | 502 | 504 => Err(ActError::Unknown(answer)),
            425 | 429 | 500..=599 => Err(ActError::Retry { answer, after: reply.retry_after }),
            _ => Err(ActError::Refused(answer)),
        }
    }

    fn can_observe(&self) -> bool {
        self.read.is_some()
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        let Some(read) = &self.read else { return Err(ReadError::NotConfigured) };
        let reply = self.outbound.get(read.url.clone()).await.map_err(ReadError::NoAnswer)?;
        read.share(&reply).map(Observation::of_share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_shows_which_request_was_made_without_the_values_of_its_query() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        for (given, shown) in [
            ("http://flags/api/set", "http://flags/api/set"),
            ("http://flags/api/set?apikey=s3cret&f=v1", "http://flags/api/set?apikey=…&f=…"),
            ("http://flags/set?s3cret#s3cret", "http://flags/set?…"),
        ] {
            assert_eq!(without_query_values(&url(given)), shown);
        }
    }
}
