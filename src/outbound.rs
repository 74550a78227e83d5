//! Requests to other systems: one client, bounded in time and size, that never follows a redirect
//! (it would carry the token to another origin) and says whether a request can have arrived.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue};

use crate::config::SecretFile;
use crate::text::kept;

/// The longest answer that is read. Metrics of a large application are a few MiB; a rule list or
/// an alert list of thousands is less.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// How long a TCP connection may take. On one site anything above a second is an outage.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// What the sender's clock showed, by its `Date` header, to the second.
    pub date: Option<DateTime<Utc>>,
}

impl Reply {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text, cut to a length that may be kept.
    #[must_use]
    pub fn kept_text(&self) -> String {
        kept(&String::from_utf8_lossy(&self.body))
    }
}

/// Why no answer came; the variants tell what can have happened on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The request was not sent: nothing happened there. Safe to try again.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It was sent and no whole answer came: it may have been carried out. Read before believing.
    #[error("sent, but no answer: {0}")]
    NoAnswer(String),
}

/// How a server is reached and trusted that is not the system's to know.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// A host name and the address at which it is reached, whatever the resolver says.
    pub host: Option<(String, SocketAddr)>,
    /// PEM of authorities that are trusted beside the system's.
    pub authorities: Option<Vec<u8>>,
    /// PEM of the certificate and key to present.
    pub identity: Option<Vec<u8>>,
}

/// A client for one outside system.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    timeout: Duration,
    bearer: Option<SecretFile>,
}

impl Outbound {
    /// A client whose requests end within `timeout`, with an optional bearer token.
    ///
    /// # Errors
    /// When the TLS set-up can't be built.
    pub fn new(timeout: Duration, bearer: Option<SecretFile>) -> Result<Self, reqwest::Error> {
        Self::trusting(timeout, bearer, &Trust::default())
    }

    /// The same for a server with an authority or an address of its own.
    ///
    /// # Errors
    /// When the TLS set-up can't be built, or the PEM not be read.
    pub fn trusting(
        timeout: Duration,
        bearer: Option<SecretFile>,
        trust: &Trust,
    ) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder();
        if let Some((host, address)) = &trust.host {
            builder = builder.resolve(host, *address);
        }
        if let Some(pem) = &trust.authorities {
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?);
        }
        if let Some(pem) = &trust.identity {
            builder = builder.identity(reqwest::Identity::from_pem(pem)?);
        }
        let client = builder
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()?;
        Ok(Self { client, timeout, bearer })
    }

    /// A client for another outside system over the same sockets and certificates: those of
    /// the machine take an eighth of a MiB each time they are read.
    #[must_use]
    pub fn beside(&self, timeout: Duration, bearer: Option<SecretFile>) -> Self {
        Self { client: self.client.clone(), timeout, bearer }
    }

    /// GET.
    ///
    /// # Errors
    /// See [`OutboundError`]; any HTTP status is a [`Reply`].
    pub async fn get(&self, url: Url) -> Result<Reply, OutboundError> {
        self.send(self.client.get(url)).await
    }

    /// POST of a JSON text.
    ///
    /// # Errors
    /// See [`OutboundError`]; any HTTP status is a [`Reply`].
    pub async fn post_json(&self, url: Url, body: String) -> Result<Reply, OutboundError> {
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        self.send(request).await
    }

    /// GET of JSON, for answers that must be 2xx.
    ///
    /// # Errors
    /// In words: no answer, a status other than 2xx, or not the JSON that was expected.
    pub async fn get_json<T: serde::de::DeserializeOwned>(&self, url: Url) -> Result<T, String> {
        self.get_dated(url).await.map(|(json, _)| json)
    }

    /// GET of JSON, with what the sender's clock showed.
    ///
    /// # Errors
    /// As [`Outbound::get_json`].
    pub async fn get_dated<T: serde::de::DeserializeOwned>(
        &self,
        url: Url,
    ) -> Result<(T, Option<DateTime<Utc>>), String> {
        let place = url.path().to_owned();
        let reply = self.get(url).await.map_err(|error| format!("{place}: {error}"))?;
        if !reply.is_success() {
            return Err(format!("{place}: status {}: {}", reply.status, reply.kept_text()));
        }
        let json = serde_json::from_slice(&reply.body)
            .map_err(|error| format!("{place}: not the JSON expected: {}", kept(&error.to_string())))?;
        Ok((json, reply.date))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, OutboundError> {
        let mut request = request.timeout(self.timeout);
        if let Some(bearer) = &self.bearer {
            let secret = bearer.read().map_err(|error| OutboundError::NotSent(error.to_string()))?;
            let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose())).map_err(|_| {
                OutboundError::NotSent("the token has characters that no header may carry".into())
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(classify)?;
        let status = response.status().as_u16();
        let date = date(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| OutboundError::NoAnswer(words(&error)))?
        {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(OutboundError::NoAnswer(format!(
                    "the answer is longer than {MAX_ANSWER_BYTES} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body, date })
    }
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

fn classify(error: reqwest::Error) -> OutboundError {
    if error.is_connect() || error.is_builder() {
        OutboundError::NotSent(words(&error))
    } else {
        OutboundError::NoAnswer(words(&error))
    }
}

/// The error with its causes, without the URL: a URL's query may carry what nobody should read.
fn words(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { String::from("failed") };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
