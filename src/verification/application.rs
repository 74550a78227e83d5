//! The application's own word: which version answers, and its metrics.

use reqwest::Url;

use crate::incident::{Check, CheckName, CheckOutcome};
use crate::outbound::{MAX_SMALL_ANSWER_BYTES, Outbound, Reply};
use crate::text::kept;

/// How often healthz is asked in one reading. Behind a load balancer one answer may come from
/// either version; a canary that still has half the traffic hides from four asks once in sixteen.
const HEALTHZ_ASKS: usize = 4;

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

/// Where the serving version can be read, and which one is right.
#[derive(Debug, Clone)]
pub struct Healthz {
    pub url: Url,
    pub stable_version: String,
}

/// The application that is rolled back, as far as it can be asked.
#[derive(Debug, Clone)]
pub struct Application {
    outbound: Outbound,
    healthz: Option<Healthz>,
    metrics_url: Option<Url>,
}

impl Application {
    /// `None`: that source is not configured, and what it would show is left out by name.
    #[must_use]
    pub fn new(outbound: Outbound, healthz: Option<Healthz>, metrics_url: Option<Url>) -> Self {
        Self { outbound, healthz, metrics_url }
    }

    /// Whether healthz answers with the stable version (protocol, "Rollback Verification").
    pub async fn stable_version(&self) -> Check {
        let name = CheckName::StableVersion;
        let Some(healthz) = &self.healthz else {
            let detail = ApplicationError::NotConfigured("verify.healthz_url").to_string();
            return Check { name, outcome: CheckOutcome::NotConfigured, detail };
        };
        let stable = &healthz.stable_version;
        let mut answered = String::new();
        for _ in 0..HEALTHZ_ASKS {
            match self.version(&healthz.url).await {
                Ok(version) if is_same_version(&version, stable) => answered = kept(&version),
                Ok(version) => {
                    let detail = format!("{} answers, stable is {stable}", kept(&version));
                    return Check { name, outcome: CheckOutcome::Fail, detail };
                }
                Err(error) => {
                    return Check { name, outcome: CheckOutcome::Unknown, detail: error.to_string() };
                }
            }
        }
        let also = if answered == *stable { String::new() } else { format!(", which is {stable}") };
        Check { name, outcome: CheckOutcome::Pass, detail: format!("{answered} answers{also}") }
    }

    async fn version(&self, url: &Url) -> Result<String, ApplicationError> {
        let reply = get(&self.outbound.with_answers_up_to(MAX_SMALL_ANSWER_BYTES), url).await?;
        let json: serde_json::Value = serde_json::from_slice(&reply.body).map_err(|error| {
            ApplicationError::NotAsExpected(format!("healthz answers no JSON ({})", kept(&error.to_string())))
        })?;
        let version = json.get("version").and_then(serde_json::Value::as_str);
        version
            .map(str::to_owned)
            .ok_or_else(|| ApplicationError::NotAsExpected("healthz has no text at .version".to_owned()))
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

async fn get(outbound: &Outbound, url: &Url) -> Result<Reply, ApplicationError> {
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

/// Whether two texts name one version: with or without a leading `v`, and whatever the build metadata,
/// which says nothing of precedence (Semantic Versioning 2.0.0, item 10).
fn is_same_version(one: &str, other: &str) -> bool {
    fn bare(version: &str) -> &str {
        let version = version.trim();
        let numbered = |rest: &&str| rest.starts_with(|first: char| first.is_ascii_digit());
        let version = version.strip_prefix(['v', 'V']).filter(numbered).unwrap_or(version);
        version.split_once('+').map_or(version, |(version, _)| version)
    }
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests;
