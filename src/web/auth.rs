//! Who may read and who may change something through the API. Every request of it passes here.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use reqwest::Url;

use super::signpost::{is_for_a_person, page};
use crate::config::{ServerConfig, TokenSet};
use crate::webhook::auth::bearer;

/// The tokens of each role. Without any, everybody may read under this machine's own names, and
/// nobody may change anything.
#[derive(Debug, Clone)]
pub struct Access {
    operators: Option<TokenSet>,
    viewers: Option<TokenSet>,
    /// Names under which people reach the server, beside those of this machine.
    hosts: Vec<String>,
}

/// Why a request is not let in; its text is the answer, and says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error(
        "no operator token is configured, so nothing can be changed here: name one in `server.auth.operator_token_files`, or roll back with `backstop rollback --standalone`"
    )]
    NoOperators,
    #[error(
        "no or wrong operator token: send `Authorization: Bearer <token>` from `server.auth.operator_token_files`"
    )]
    NotAnOperator,
    #[error(
        "no or wrong token: send `Authorization: Bearer <token>` from `server.auth.viewer_token_files` or `operator_token_files`"
    )]
    NotAViewer,
    /// The token may have been right, but its file is gone.
    #[error(
        "no or wrong token; a token file of the server is missing or empty, so that its tokens are revoked: see the server's log"
    )]
    Revoked,
    /// Nothing here is served so; who may not read learns not even that.
    #[error("this is read with GET, or changed with POST where the API names it; there is no other method")]
    Method,
    /// A page of another site can post a form, and read under a name of its own.
    #[error("what changes something is sent as `Content-Type: application/json`")]
    NotJson,
    /// Without tokens only this machine may read, and no page that a browser of it shows.
    #[error(
        "without tokens this is served only under this machine's own names, such as localhost: set `server.auth.viewer_token_files`, or `server.external_url` to the name you use"
    )]
    ForeignHost,
}

impl Denied {
    fn status(self) -> StatusCode {
        match self {
            Self::NotAnOperator | Self::NotAViewer | Self::Revoked => StatusCode::UNAUTHORIZED,
            Self::NoOperators | Self::ForeignHost => StatusCode::FORBIDDEN,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        (self.status(), Json(serde_json::json!({ "error": self.to_string() }))).into_response()
    }
}

impl Access {
    /// Shares the token files with the configuration, so that a rotation needs no restart.
    #[must_use]
    pub fn new(server: &ServerConfig) -> Self {
        let external = Url::parse(&server.external_url).ok();
        let external = external.as_ref().and_then(Url::host_str).map(str::to_ascii_lowercase);
        let listen = (!server.listen.ip().is_unspecified()).then(|| server.listen.ip().to_string());
        Self {
            operators: TokenSet::new(&server.operator_tokens),
            viewers: TokenSet::new(&server.viewer_tokens),
            hosts: external.into_iter().chain(listen).collect(),
        }
    }

    /// Whether a request is let in. GET and HEAD read, POST changes something, and nobody may use
    /// another method: a route that is added with one would not be reached.
    ///
    /// # Errors
    /// Why not, with what to do.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        match *method {
            Method::GET | Method::HEAD => self.may_read(uri, headers),
            Method::POST => self.may_change(headers),
            _ => self.may_read(uri, headers).and(Err(Denied::Method)),
        }
    }

    fn may_read(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        if self.operators.is_none() && self.viewers.is_none() {
            let host = uri.host().or_else(|| headers.get(header::HOST)?.to_str().ok());
            // Only browsers are steered by a foreign page, and they always say the host.
            let known = host.is_none_or(|host| self.knows(host));
            return if known { Ok(()) } else { Err(Denied::ForeignHost) };
        }
        let sets = [&self.viewers, &self.operators];
        let accepted = |set: &Option<TokenSet>| {
            set.as_ref().is_some_and(|set| bearer(headers).is_some_and(|token| set.accepts(token)))
        };
        if sets.into_iter().any(accepted) {
            Ok(())
        } else if sets.into_iter().flatten().any(TokenSet::has_gone) {
            Err(Denied::Revoked)
        } else {
            Err(Denied::NotAViewer)
        }
    }

    fn may_change(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let operators = self.operators.as_ref().ok_or(Denied::NoOperators)?;
        if !bearer(headers).is_some_and(|token| operators.accepts(token)) {
            return Err(if operators.has_gone() { Denied::Revoked } else { Denied::NotAnOperator });
        }
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Denied::NotJson) }
    }

    /// Whether a name, with or without a port, is this machine's or the configured one. A page whose
    /// own name was made to point here (DNS rebinding) still sends that name.
    fn knows(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let is_loopback = || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        name == "localhost" || name.ends_with(".localhost") || is_loopback() || self.hosts.contains(&name)
    }
}

/// A refusal is logged with method and path, and never with the token.
pub(super) async fn authorize(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(denied) => {
            let (method, path) = (request.method().as_str(), request.uri().path());
            tracing::warn!(method, path, "a request to the API was not let in: {denied}");
            let status = denied.status();
            if status == StatusCode::UNAUTHORIZED && is_for_a_person(request.method(), request.headers()) {
                return page(status, &denied.to_string(), path);
            }
            denied.into_response()
        }
    }
}

#[cfg(test)]
mod tests;
