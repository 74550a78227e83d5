//! Requests to other systems: clients bounded in time and size, that never follow a redirect (it
//! would carry the token to another origin) and say whether a request can have arrived.

mod connections;
mod error;
mod reply;
mod request;

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Url};

use secrecy::{ExposeSecret, SecretString};

pub use connections::{ConnectError, Connections};
pub use error::{FetchError, OutboundError};
pub use reply::Reply;
pub use request::JsonRequest;

use crate::config::{AccessConfig, Credentials, HeaderText, SecretFile};
use reply::SentSecrets;

/// The longest list of rules or alerts, or page of metrics: those of large sites are a few MiB.
pub const MAX_ANSWER_BYTES: usize = 16 << 20;

/// The longest answer that says one thing: a share, a version. A whole page of an error fits too.
pub const MAX_SMALL_ANSWER_BYTES: usize = 64 << 10;

/// How long a TCP connection may take. On one site anything above a second is an outage.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How a server is reached and trusted that is not the system's to know.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// A host name and the address at which it is reached, whatever the resolver says.
    pub host: Option<(String, SocketAddr)>,
    /// PEM of authorities that are trusted beside the system's.
    pub authorities: Option<Vec<u8>>,
    /// PEM of the certificate and key to present.
    pub identity: Option<Vec<u8>>,
    /// Whether the environment's proxy variables count.
    pub proxy_from_environment: bool,
}

/// A client for one outside system.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    timeout: Duration,
    max_answer_bytes: usize,
    access: AccessConfig,
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
        let access = AccessConfig { credentials: bearer.map(Credentials::Bearer), ..AccessConfig::default() };
        Ok(Self { client: client(trust)?, timeout, max_answer_bytes: MAX_ANSWER_BYTES, access })
    }

    /// The same client, for answers that take no more than this.
    #[must_use]
    pub fn with_answers_up_to(&self, max_answer_bytes: usize) -> Self {
        Self { max_answer_bytes, ..self.clone() }
    }

    /// Sends a GET, with the credentials as their files hold them now.
    ///
    /// # Errors
    /// See [`OutboundError`]; any HTTP status is a [`Reply`].
    pub async fn get(&self, url: Url) -> Result<Reply, OutboundError> {
        self.send(self.client.get(url), Vec::new()).await
    }

    /// Sends a POST with a JSON text.
    ///
    /// # Errors
    /// See [`OutboundError`]; any HTTP status is a [`Reply`].
    pub async fn post_json(&self, url: Url, body: String) -> Result<Reply, OutboundError> {
        self.send_json(Method::POST, url, body).await
    }

    /// Sends a POST with a form, for questions that are too long for an address. It should change nothing.
    ///
    /// # Errors
    /// See [`OutboundError`]; any HTTP status is a [`Reply`].
    pub async fn post_form(&self, url: Url, form: &[(&str, &str)]) -> Result<Reply, OutboundError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.send(self.client.post(url).header(CONTENT_TYPE, kind).body(body), Vec::new()).await
    }

    /// Sends a text as `application/json`; whether it is JSON is not checked.
    ///
    /// # Errors
    /// See [`OutboundError`]; any HTTP status is a [`Reply`].
    pub async fn send_json(&self, method: Method, url: Url, body: String) -> Result<Reply, OutboundError> {
        self.request(JsonRequest::new(method, url, body)).await
    }

    /// Sends JSON that carries secrets or headers of its own.
    ///
    /// # Errors
    /// As [`Outbound::send_json`].
    pub async fn request(&self, request: JsonRequest) -> Result<Reply, OutboundError> {
        let JsonRequest { method, url, body, headers, secrets } = request;
        let json = HeaderValue::from_static("application/json");
        let builder = self.client.request(method, url).header(CONTENT_TYPE, json).headers(headers).body(body);
        let secrets = secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect();
        self.send(builder, secrets).await
    }

    /// GET of JSON, for answers that must be 2xx.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn get_json<T: serde::de::DeserializeOwned>(&self, url: Url) -> Result<T, FetchError> {
        self.get_dated(url).await.map(|(json, _)| json)
    }

    /// GET of JSON, with what the sender's clock showed.
    ///
    /// # Errors
    /// As [`Outbound::get_json`].
    pub async fn get_dated<T: serde::de::DeserializeOwned>(
        &self,
        url: Url,
    ) -> Result<(T, Option<DateTime<Utc>>), FetchError> {
        let place = url.path().to_owned();
        let reply = match self.get(url).await {
            Ok(reply) => reply,
            Err(error) => return Err(FetchError::NoReply { place, error }),
        };
        if !reply.is_success() {
            return Err(FetchError::Refused { place, status: reply.status, text: reply.kept_text() });
        }
        let json = serde_json::from_slice(&reply.body);
        let json = json.map_err(|error| FetchError::not_understood(place, &error, &reply))?;
        Ok((json, reply.date))
    }

    /// `secrets` are those that stand in the body or the address.
    async fn send(&self, request: RequestBuilder, secrets: Vec<String>) -> Result<Reply, OutboundError> {
        let failed = |error: reqwest::Error| OutboundError::of(&error, self.timeout);
        let (request, passwords) = self.convince(request.timeout(self.timeout))?;
        let request = request.build().map_err(failed)?;
        let sent = SentSecrets::of(&request, [passwords, secrets].concat());
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.max_answer_bytes {
                return Err(OutboundError::TooLong { limit_bytes: self.max_answer_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply::received(response.status().as_u16(), response.headers(), body, sent))
    }

    /// Adds what the system wants to see, read anew each time: a secret may have been rotated. With
    /// it, the secrets that stand in no header as they are.
    fn convince(&self, request: RequestBuilder) -> Result<(RequestBuilder, Vec<String>), OutboundError> {
        let mut headers = reqwest::header::HeaderMap::new();
        for header in &self.access.headers {
            let value = match &header.value {
                HeaderText::Literal(value) => value.clone(),
                HeaderText::File(file) => sensitive(read(file)?.expose_secret(), header.name.as_str())?,
            };
            headers.insert(header.name.clone(), value);
        }
        let mut passwords = Vec::new();
        let mut request = request;
        match &self.access.credentials {
            None => {}
            Some(Credentials::Bearer(file)) => {
                headers.insert(AUTHORIZATION, token("Bearer", file)?);
            }
            Some(Credentials::Token { scheme, file }) => {
                headers.insert(AUTHORIZATION, token(scheme, file)?);
            }
            Some(Credentials::Basic { username, password }) => {
                let password = read(password)?;
                request = request.basic_auth(username, Some(password.expose_secret()));
                passwords.push(password.expose_secret().to_owned());
            }
        }
        // Replaces what is there: a content type that is set is meant.
        Ok((request.headers(headers), passwords))
    }
}

/// A path under a base address that may itself have a path (Alertmanager's `--web.external-url`, a proxy).
#[must_use]
pub fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

fn read(file: &SecretFile) -> Result<SecretString, OutboundError> {
    file.read().map_err(|error| OutboundError::NotReady(error.to_string()))
}

fn token(scheme: &str, file: &SecretFile) -> Result<HeaderValue, OutboundError> {
    sensitive(&format!("{scheme} {}", read(file)?.expose_secret()), AUTHORIZATION.as_str())
}

fn sensitive(text: &str, header: &str) -> Result<HeaderValue, OutboundError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        OutboundError::NotReady(format!("the secret for {header} has characters that no header may carry"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn client(trust: &Trust) -> Result<reqwest::Client, reqwest::Error> {
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
    if !trust.proxy_from_environment {
        builder = builder.no_proxy();
    }
    builder
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")))
        .build()
}
