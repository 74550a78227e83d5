//! Talks to the running server's API.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::de::DeserializeOwned;

use crate::config::{Config, SecretFile, ServerConfig, TlsConfig};
use crate::outbound::{Outbound, OutboundError, Reply, Trust};

/// The server answers within milliseconds, after one reading of the share at most.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What to do when one side doesn't accept the other's certificate. A server that misses the
/// client's only hangs up, so a broken connection may mean it too.
const UNTRUSTED: &str = "; if it is the certificate: server.tls.ca_file is the authority of the server's, server.external_url has a host in it, server.tls.cli_identity_file is what to present where clients need one";

/// Why the server did not do as asked. Where it is down, is none of ours or refuses the token,
/// `--standalone` is advised for a rollback.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("no server answers at {address} ({reason})")]
    Down { address: String, reason: String },
    /// `message` is the `error` of the answer's JSON, which every refusal of ours has; `refusal` its name,
    /// where the state does not allow what was asked.
    #[error("the server answered {status}: {message}")]
    Refused { status: u16, message: String, refusal: Option<String> },
    /// Another server, another port of ours, or another version.
    #[error(
        "what answers at {address} is not the API of this version of Backstop ({answer}); check `server.listen`"
    )]
    NotBackstop { address: String, answer: String },
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
        Self::patient(config, TIMEOUT)
    }

    /// For what takes the server some time before it answers.
    pub(super) fn patient(config: &Config, timeout: Duration) -> Result<Self, ClientError> {
        let token = own_token(&config.server)?;
        // A wildcard address is where it listens, not where it is reached.
        let mut address = config.server.listen;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::IpAddr::from([127, 0, 0, 1]));
        }
        let (base, trust) = match &config.server.tls {
            None => (format!("http://{address}"), Trust::default()),
            Some(tls) => over_tls(tls, &config.server.external_url, address)?,
        };
        let outbound = Outbound::trusting(timeout, token, &trust);
        let outbound = outbound.map_err(|error| ClientError::Local(error.to_string()))?;
        Ok(Self { outbound, base })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let url = self.url(path)?;
        let reply = self.outbound.get(url).await;
        self.understand(reply)
    }

    /// A text, as it came.
    pub(super) async fn get_text(&self, path: &str) -> Result<String, ClientError> {
        let reply = self.outbound.get(self.url(path)?).await;
        let body = self.answered(reply)?;
        String::from_utf8(body).map_err(|_| self.not_backstop("it answered with something else".to_owned()))
    }

    /// A JSON document, with its members in their order.
    pub(super) async fn get_json_text(&self, path: &str) -> Result<String, ClientError> {
        let text = self.get_text(path).await?;
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(_) => Ok(text),
            Err(_) => Err(self.not_backstop("it answered with something else".to_owned())),
        }
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

    fn unanswered(&self, error: &OutboundError) -> ClientError {
        let mut reason = error.to_string();
        let hung_up = error.may_have_arrived();
        if self.base.starts_with("https") && (hung_up || reason.contains("certificate")) {
            reason.push_str(UNTRUSTED);
        }
        ClientError::Down { address: self.base.clone(), reason }
    }

    fn understand<T: DeserializeOwned>(&self, reply: Result<Reply, OutboundError>) -> Result<T, ClientError> {
        let body = self.answered(reply)?;
        serde_json::from_slice(&body)
            .map_err(|_| self.not_backstop("it answered with something else".to_owned()))
    }

    /// The body of an answer that is no refusal.
    fn answered(&self, reply: Result<Reply, OutboundError>) -> Result<Vec<u8>, ClientError> {
        let reply = reply.map_err(|error| self.unanswered(&error))?;
        if reply.is_success() {
            return Ok(reply.body);
        }
        let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let member = |name: &str| json.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        Err(match member("error") {
            Some(message) => {
                ClientError::Refused { status: reply.status, message, refusal: member("refusal") }
            }
            None => self.not_backstop(format!("it answered {}", reply.status)),
        })
    }

    fn not_backstop(&self, answer: String) -> ClientError {
        ClientError::NotBackstop { address: self.base.clone(), answer }
    }
}

/// The token to send: an operator's, or a viewer's where this user has no other. A file that can't be
/// read is another user's, unless there is none that can.
fn own_token(server: &ServerConfig) -> Result<Option<SecretFile>, ClientError> {
    let mut files = server.operator_tokens.iter().chain(&server.viewer_tokens).peekable();
    let Some(first) = files.peek().copied() else { return Ok(None) };
    match files.find(|file| file.read().is_ok()) {
        Some(file) => Ok(Some(file.clone())),
        None => first
            .read()
            .map(|_| None)
            .map_err(|error| ClientError::Local(format!("no token to send: {error}; {}", error.remedy()))),
    }
}

/// Goes to the address where the server listens, and wants the certificate of the host under which
/// people reach it. A certificate for an address is checked against the address that is gone to.
fn over_tls(
    tls: &TlsConfig,
    external_url: &str,
    address: SocketAddr,
) -> Result<(String, Trust), ClientError> {
    let local = |error: String| ClientError::Local(error);
    let read = |file: &PathBuf| {
        std::fs::read(file).map_err(|error| local(format!("{} can't be read: {error}", file.display())))
    };
    let url = Url::parse(external_url).map_err(|error| local(format!("server.external_url: {error}")))?;
    let host = url.domain().map(str::to_owned);
    let base = match &host {
        Some(host) => format!("https://{host}:{}", address.port()),
        None => format!("https://{address}"),
    };
    let trust = Trust {
        host: host.map(|host| (host, address)),
        authorities: tls.ca_file.as_ref().map(read).transpose()?,
        identity: tls.cli_identity_file.as_ref().map(read).transpose()?,
        proxy_from_environment: false,
    };
    Ok((base, trust))
}
