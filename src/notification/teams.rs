//! Microsoft Teams, by a workflow that posts what its address is sent: an Adaptive Card for each notice
//! that matters. What was posted can't be edited, so each message stands for itself.
//!
//! The address is the credential: it carries a signature, so it is read from a file and appears in no log,
//! error or answer. 202 means that the workflow was started, not that the message is in the channel.

mod card;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};

use super::answers::{accepted, in_words, unanswered};
use super::{Channel, Message, Place, SendError, Sent};
use crate::config::SecretFile;
use crate::incident::{ChannelName, NoticeKind};
use crate::outbound::{JsonRequest, MAX_SMALL_ANSWER_BYTES, Outbound, OutboundError};

/// The channel's name.
const NAME: &str = "teams";

/// The one call.
const POST: &str = "post";

/// A workflow may be started some hundred times in five minutes.
const LIMITS: &[u16] = &[429];

/// A value of the address's query that is shorter is no signature: a version, a flag.
const MIN_SECRET_CHARS: usize = 16;

/// A workflow's address as a channel.
#[derive(Debug)]
pub struct Teams {
    outbound: Outbound,
    url: SecretFile,
    place: Place,
}

impl Teams {
    /// Sends nothing yet.
    #[must_use]
    pub fn new(outbound: Outbound, url: SecretFile, place: Place) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_SMALL_ANSWER_BYTES), url, place }
    }

    /// The address as its file holds it now. No error quotes it.
    fn address(&self) -> Result<Url, SendError> {
        let failed = |error: String| SendError::Failed { error, retry_after: None };
        let text = self.url.read().map_err(|error| failed(error.to_string()))?;
        let url =
            Url::parse(text.expose_secret()).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        url.ok_or_else(|| {
            failed(format!(
                "{} holds no address: write the workflow's URL in its first line",
                self.url.path().display()
            ))
        })
    }

    async fn post(&self, card: &serde_json::Value) -> Result<String, SendError> {
        let url = self.address()?;
        let mut request = JsonRequest::new(Method::POST, url.clone(), card.to_string());
        for secret in secrets_of(&url) {
            request = request.with_secret(secret);
        }
        accepted(self.outbound.request(request).await, LIMITS).map(|reply| in_words(&reply))
    }
}

/// What an answer must not repeat: the address, its path and the values of its query, as they stand
/// there and decoded.
fn secrets_of(url: &Url) -> Vec<SecretString> {
    let raw = url.query().into_iter().flat_map(|query| query.split('&'));
    let raw = raw.filter_map(|pair| pair.split_once('=').map(|(_, value)| value.to_owned()));
    let decoded = url.query_pairs().map(|(_, value)| value.into_owned());
    let with_query = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let whole = [url.as_str().to_owned(), with_query, url.path().to_owned()];
    let secrets = whole.into_iter().chain(raw).chain(decoded);
    secrets.filter(|text| text.chars().count() >= MIN_SECRET_CHARS).map(SecretString::from).collect()
}

#[async_trait]
impl Channel for Teams {
    fn name(&self) -> ChannelName {
        ChannelName::new(NAME)
    }

    /// Not what only adds to what was said: every message is one more, and none is edited.
    fn wants(&self, kind: NoticeKind) -> bool {
        match kind {
            NoticeKind::GraceOpened
            | NoticeKind::WouldRollBack
            | NoticeKind::GraceHeld
            | NoticeKind::GraceCancelled
            | NoticeKind::RollbackStarted
            | NoticeKind::RollbackEnded
            | NoticeKind::RollbackNotVerified
            | NoticeKind::RollbackFailed
            | NoticeKind::RollbackOverdue
            | NoticeKind::RollbackWaits
            | NoticeKind::RepeatedRollback
            | NoticeKind::Escalated
            | NoticeKind::ChannelFailed
            | NoticeKind::PublicUpdateLate
            | NoticeKind::IncidentClosed
            | NoticeKind::IncidentSuperseded
            | NoticeKind::WatchdogLost
            | NoticeKind::WatchdogBack
            | NoticeKind::RampStarted
            | NoticeKind::RampStageBegan
            | NoticeKind::RampHolds
            | NoticeKind::RampHoldsTooLong
            | NoticeKind::RampGoesOn
            | NoticeKind::RampSucceeded
            | NoticeKind::RampEnded
            | NoticeKind::RampRecordProblem => true,
            NoticeKind::GraceResumed
            | NoticeKind::Acknowledged
            | NoticeKind::AlertsEnded
            | NoticeKind::EvidenceProblem => false,
        }
    }

    fn next_call(&self, message: &Message) -> Option<&'static str> {
        (!message.has_done(POST)).then_some(POST)
    }

    /// A message that may have arrived is posted again: there is nowhere to look, and one that is read
    /// twice is better than one that nobody reads.
    async fn send(&self, call: &str, message: &Message) -> Result<Sent, SendError> {
        if call != POST {
            return Err(SendError::Refused { error: format!("there is no call {call}") });
        }
        self.post(&card::of_message(message, &self.place)).await.map(|_| Sent::default())
    }

    async fn test(&self, now: DateTime<Utc>) -> Result<String, SendError> {
        let answer = self.post(&card::test(now, &self.place)).await?;
        Ok(format!("posted ({answer}); look in Teams whether it is there: taken is not yet posted"))
    }

    async fn check(&self) -> Result<Vec<String>, SendError> {
        // A GET of the address itself would be an answer to nothing: the server's root is asked.
        let mut root = self.address()?;
        root.set_path("/");
        root.set_query(None);
        let reached = self.outbound.get(root).await;
        let status = match reached {
            Ok(reply) => format!("the workflow's server answers (status {})", reply.status),
            Err(error @ OutboundError::TooLong { .. }) => format!("the workflow's server answers ({error})"),
            Err(error) => return Err(unanswered(&error)),
        };
        Ok(vec![status, "whether the workflow takes a message is seen by a test".to_owned()])
    }
}

#[cfg(test)]
mod tests;
