//! Talks to the running server's API.

use std::time::Duration;

use reqwest::Url;
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::outbound::{Outbound, OutboundError, Reply};

/// The server answers within milliseconds, after one reading of the share at most.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the server did not do as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// Nobody listens there.
    #[error("no server answers at {address} ({reason})")]
    Down {
        /// Where it was looked for.
        address: String,
        /// Why not.
        reason: String,
    },
    /// It answered, and not with what was asked for.
    #[error("the server answered {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// Something on this side.
    #[error("{0}")]
    Local(String),
}

/// The API of the server that the configuration describes.
pub(super) struct Client {
    outbound: Outbound,
    base: String,
}

impl Client {
    pub(super) fn new(config: &Config) -> Result<Self, ClientError> {
        let token = config.server.operator_tokens.first().cloned();
        let outbound =
            Outbound::new(TIMEOUT, token).map_err(|error| ClientError::Local(error.to_string()))?;
        // A wildcard address is where it listens, not where it is reached.
        let mut address = config.server.listen;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::IpAddr::from([127, 0, 0, 1]));
        }
        Ok(Self { outbound, base: format!("http://{address}") })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let url = self.url(path)?;
        let reply = self.outbound.get(url).await;
        self.understand(reply)
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, ClientError> {
        let url = self.url(path)?;
        let reply = self.outbound.post_json(url, body.to_string()).await;
        self.understand(reply)
    }

    fn url(&self, path: &str) -> Result<Url, ClientError> {
        Url::parse(&format!("{}{path}", self.base)).map_err(|error| ClientError::Local(error.to_string()))
    }

    fn understand<T: DeserializeOwned>(&self, reply: Result<Reply, OutboundError>) -> Result<T, ClientError> {
        let reply = reply
            .map_err(|error| ClientError::Down { address: self.base.clone(), reason: error.to_string() })?;
        if !reply.is_success() {
            let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let words = json.get("error").and_then(serde_json::Value::as_str).map(str::to_owned);
            return Err(ClientError::Refused {
                status: reply.status,
                message: words.unwrap_or_else(|| reply.kept_text()),
            });
        }
        serde_json::from_slice(&reply.body)
            .map_err(|error| ClientError::Local(format!("the answer can't be read: {error}")))
    }
}
