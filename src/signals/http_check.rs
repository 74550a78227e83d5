//! Criteria that are a GET request to an API.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;

use crate::clock::Clock;
use crate::incident::{Criterion, HttpCheck, Question};
use crate::outbound::{Outbound, Reply};
use crate::ramp::{Answer, Asked, HttpAnswer, Judge, StageSpan};
use crate::text::kept;

/// The longest answer: a report of some hundred contracts. What is more than that is no check's.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Asks the criteria that are HTTP requests. Redirects are not followed: a status of 302 is an answer, and
/// where it leads is not whom the criterion names.
#[derive(Debug, Clone)]
pub struct HttpJudge {
    /// Reaches everybody without credentials.
    anybody: Outbound,
    systems: Vec<HttpSystem>,
    clock: Arc<dyn Clock>,
}

/// How the APIs at one origin are reached.
#[derive(Debug, Clone)]
pub struct HttpSystem {
    /// What counts of it is scheme, host and port: a token is sent nowhere else.
    pub url: Url,
    pub outbound: Outbound,
}

impl HttpJudge {
    /// `anybody` carries no credentials.
    #[must_use]
    pub fn new(anybody: &Outbound, systems: Vec<HttpSystem>, clock: Arc<dyn Clock>) -> Self {
        let bounded = |outbound: &Outbound| outbound.with_answers_up_to(MAX_ANSWER_BYTES);
        let systems = systems.into_iter();
        let systems = systems.map(|system| HttpSystem { outbound: bounded(&system.outbound), ..system });
        Self { anybody: bounded(anybody), systems: systems.collect(), clock }
    }

    fn reaches(&self, url: &Url) -> &Outbound {
        let system = self.systems.iter().find(|system| system.url.origin() == url.origin());
        system.map_or(&self.anybody, |system| &system.outbound)
    }

    async fn answer(&self, check: &HttpCheck) -> HttpAnswer {
        let asked_at = self.clock.now();
        let failed =
            |status, error: String| HttpAnswer { asked_at, status, pointed: None, error: Some(error) };
        let url = match Url::parse(&check.url) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) => url,
            Ok(_) | Err(_) => return failed(None, format!("{} is no address of an API", kept(&check.url))),
        };
        let reply = match self.reaches(&url).get(url).await {
            Ok(reply) => reply,
            Err(error) => return failed(None, error.to_string()),
        };
        let status = Some(reply.status);
        // With another status the criterion fails, whatever is in the answer.
        let pointer = check.pointer.as_deref().filter(|_| reply.status == check.status);
        match pointer.map(|pointer| pointed(&reply, pointer)).transpose() {
            Ok(pointed) => HttpAnswer { asked_at, status, pointed: pointed.flatten(), error: None },
            Err(error) => failed(status, error),
        }
    }
}

/// What the pointer points at, if that is anything.
fn pointed(reply: &Reply, pointer: &str) -> Result<Option<serde_json::Value>, String> {
    let json: serde_json::Value = serde_json::from_slice(&reply.body)
        .map_err(|error| format!("the answer is no JSON: {}", reply.kept(&error.to_string())))?;
    let Some(found) = json.pointer(pointer) else { return Ok(None) };
    let text = found.to_string();
    if reply.kept(&text) != text {
        // It goes into the evidence as it is.
        return Err(format!("what is at {pointer} is too long, or repeats a secret that was sent"));
    }
    Ok(Some(found.clone()))
}

#[async_trait]
impl Judge for HttpJudge {
    async fn ask(&self, criterion: &Criterion, _: &StageSpan) -> Asked {
        Asked::bare(match &criterion.question {
            Question::Http(check) => Answer::Http(self.answer(check).await),
            other => Answer::failed(other, "an HTTP API can't be asked this".to_owned(), self.clock.now()),
        })
    }
}

#[cfg(test)]
mod tests;
