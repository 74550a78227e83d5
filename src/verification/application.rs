//! The application's own word, as it is asked for over HTTP.

use reqwest::Url;

use crate::outbound::{Outbound, Reply};

/// Why the application's word isn't known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationError {
    /// Nobody is to be asked: a person sets this key if they want it.
    #[error("{0} is not configured")]
    NotConfigured(&'static str),
    /// No answer, or one that says "not now": worth asking again.
    #[error("{0}")]
    NoAnswer(String),
    /// It answers, but not what the address should answer: a person looks at the configuration.
    #[error("{0}: is the address right?")]
    NotAsExpected(String),
}

/// The metrics of the application that is rolled back, for the snapshots of the evidence.
#[derive(Debug, Clone)]
pub struct Application {
    outbound: Outbound,
    metrics_url: Option<Url>,
}

impl Application {
    /// `None`: that source is not configured, and what it would show is left out by name.
    #[must_use]
    pub fn new(outbound: Outbound, metrics_url: Option<Url>) -> Self {
        Self { outbound, metrics_url }
    }

    /// The metrics as they are served: they become evidence, and nothing is decided on them.
    ///
    /// # Errors
    /// See [`ApplicationError`].
    pub async fn metrics(&self) -> Result<Vec<u8>, ApplicationError> {
        let url = self.metrics_url.as_ref().ok_or(ApplicationError::NotConfigured("verify.metrics_url"))?;
        Ok(get(&self.outbound, url).await?.body)
    }
}

pub(super) async fn get(outbound: &Outbound, url: &Url) -> Result<Reply, ApplicationError> {
    let place = url.path();
    let reply = outbound.get(url.clone()).await;
    let reply = reply.map_err(|error| ApplicationError::NoAnswer(format!("{place}: {error}")))?;
    let words = || format!("{place}: status {}: {}", reply.status, reply.kept_text());
    match reply.status {
        200..=299 => Ok(reply),
        300..=399 | 404 | 405 | 410 => Err(ApplicationError::NotAsExpected(words())),
        _ => Err(ApplicationError::NoAnswer(words())),
    }
}
