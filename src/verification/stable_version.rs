//! Which version answers, by the application's own word.

use async_trait::async_trait;
use reqwest::Url;

use super::application::{ApplicationError, get};
use super::probe::{Probe, Round, Seen};
use crate::incident::CheckName;
use crate::outbound::{MAX_SMALL_ANSWER_BYTES, Outbound};
use crate::text::kept;

/// How often healthz is asked in one reading. Behind a load balancer one answer may come from
/// either version; a canary that still has half the traffic hides from four asks once in sixteen.
const HEALTHZ_ASKS: usize = 4;

/// Where the serving version can be read, and which one is right.
#[derive(Debug, Clone)]
pub struct Healthz {
    pub url: Url,
    pub stable_version: String,
}

/// healthz answers with the stable version (protocol, "Rollback Verification").
#[derive(Debug, Clone)]
pub struct StableVersion {
    /// How the application is reached.
    pub outbound: Outbound,
    /// `None`: there is no place where a version can be read.
    pub healthz: Option<Healthz>,
}

#[async_trait]
impl Probe for StableVersion {
    fn name(&self) -> CheckName {
        CheckName::StableVersion
    }

    async fn read(&self, _: &Round<'_>) -> Seen {
        self.answering().await
    }
}

impl StableVersion {
    /// Which version answers now, several times.
    pub async fn answering(&self) -> Seen {
        let Some(healthz) = &self.healthz else {
            return Seen::left_out(ApplicationError::NotConfigured("verify.healthz_url").to_string());
        };
        let stable = &healthz.stable_version;
        let mut answered = String::new();
        for _ in 0..HEALTHZ_ASKS {
            match self.version(&healthz.url).await {
                Ok(version) if is_same_version(&version, stable) => answered = kept(&version),
                Ok(version) => {
                    return Seen::fail(format!("{} answers, stable is {stable}", kept(&version)));
                }
                Err(error) => return Seen::unknown(error.to_string()),
            }
        }
        let also = if answered == *stable { String::new() } else { format!(", which is {stable}") };
        Seen::pass(format!("{answered} answers{also}"))
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
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_same_with_or_without_its_v_and_its_build_metadata() {
        for (one, other, same) in [
            ("1.3.9", "v1.3.9", true),
            ("V1.3.9", "1.3.9 ", true),
            ("v1.3.9+build.7", "1.3.9", true),
            ("1.3.9+a", "v1.3.9+b", true),
            ("1.3.9-rc.1", "v1.3.9", false),
            ("1.3.9", "1.3.90", false),
            ("vega", "ega", false),
            ("vega", "vega", true),
            ("", "v", false),
        ] {
            assert_eq!(is_same_version(one, other), same, "{one:?} {other:?}");
        }
    }
}
