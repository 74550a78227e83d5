//! Who may post alerts.

use axum::http::{HeaderMap, header};

use crate::config::{BasicAuth, ServerConfig, TokenSet};

/// The ways in which Alertmanager may say who it is. Without any, everybody may post.
#[derive(Debug, Clone, Default)]
pub struct WebhookAuth {
    tokens: Option<TokenSet>,
    basic: Option<BasicAuth>,
}

impl WebhookAuth {
    /// Shares the files with the configuration, so that a rotated token is accepted without a restart.
    #[must_use]
    pub fn new(server: &ServerConfig) -> Self {
        Self { tokens: TokenSet::new(&server.webhook_tokens), basic: server.webhook_basic_auth.clone() }
    }

    /// Whether the sender of these headers may post.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let Self { tokens, basic } = self;
        if tokens.is_none() && basic.is_none() {
            return Ok(());
        }
        let by_token =
            || tokens.as_ref().is_some_and(|set| bearer(headers).is_some_and(|text| set.accepts(text)));
        let by_name = || {
            let presented = credentials(headers, "basic");
            basic.as_ref().is_some_and(|basic| presented.is_some_and(|text| basic.accepts(text)))
        };
        if by_token() || by_name() {
            Ok(())
        } else if tokens.as_ref().is_some_and(TokenSet::has_gone) {
            Err(
                "no or wrong bearer token; a token file of the server is missing or empty: see the server's log",
            )
        } else {
            Err(
                "no or wrong bearer token or basic auth: set `authorization` or `basic_auth` in the receiver's `http_config`",
            )
        }
    }
}

/// The bearer token of a request. The scheme's case does not count (RFC 9110, section 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials(headers, "bearer")
}

fn credentials<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| credentials.trim())
}
