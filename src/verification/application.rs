//! The application's own word: which version answers, and its metrics.

use reqwest::Url;

use crate::incident::{Check, CheckName, CheckOutcome};
use crate::outbound::{MAX_SMALL_ANSWER_BYTES, Outbound};

/// How often healthz is asked in one reading. Behind a load balancer one answer may come from
/// either version; a canary that still has half the traffic hides from four asks once in sixteen.
const HEALTHZ_ASKS: usize = 4;

/// Where the serving version can be read, and which one is right.
#[derive(Debug, Clone)]
pub struct Healthz {
    /// The address.
    pub url: Url,
    /// The stable version.
    pub stable_version: String,
}

/// The application.
#[derive(Debug, Clone)]
pub struct Application {
    outbound: Outbound,
    healthz: Option<Healthz>,
    metrics_url: Option<Url>,
}

impl Application {
    /// What can be read of the application.
    #[must_use]
    pub fn new(outbound: Outbound, healthz: Option<Healthz>, metrics_url: Option<Url>) -> Self {
        Self { outbound, healthz, metrics_url }
    }

    /// Whether healthz answers with the stable version (protocol, "Rollback Verification").
    pub async fn stable_version(&self) -> Check {
        let name = CheckName::StableVersion;
        let Some(healthz) = &self.healthz else {
            let detail = "verify.healthz_url is not configured".to_owned();
            return Check { name, outcome: CheckOutcome::NotConfigured, detail };
        };
        for _ in 0..HEALTHZ_ASKS {
            match self.version(&healthz.url).await {
                Ok(version) if version == healthz.stable_version => {}
                Ok(version) => {
                    let detail = format!("{version} answers, stable is {}", healthz.stable_version);
                    return Check { name, outcome: CheckOutcome::Fail, detail };
                }
                Err(error) => return Check { name, outcome: CheckOutcome::Unknown, detail: error },
            }
        }
        let detail = format!("{} answers", healthz.stable_version);
        Check { name, outcome: CheckOutcome::Pass, detail }
    }

    async fn version(&self, url: &Url) -> Result<String, String> {
        let json: serde_json::Value = self
            .outbound
            .with_answers_up_to(MAX_SMALL_ANSWER_BYTES)
            .get_json(url.clone())
            .await
            .map_err(|error| error.to_string())?;
        let version = json.get("version").and_then(serde_json::Value::as_str);
        version.map(str::to_owned).ok_or_else(|| "healthz has no text at .version".to_owned())
    }

    /// The metrics as text.
    ///
    /// # Errors
    /// In words: why there are none.
    pub async fn metrics(&self) -> Result<Vec<u8>, String> {
        let Some(url) = &self.metrics_url else {
            return Err("verify.metrics_url is not configured".to_owned());
        };
        let reply = self.outbound.get(url.clone()).await.map_err(|error| error.to_string())?;
        if reply.is_success() { Ok(reply.body) } else { Err(format!("status {}", reply.status)) }
    }
}
