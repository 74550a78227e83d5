//! A request with JSON that says more than every request to its system says.

use std::fmt;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use secrecy::SecretString;

/// One request; whether its body is JSON is not checked.
pub struct JsonRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: String,
    pub(super) headers: HeaderMap,
    pub(super) secrets: Vec<SecretString>,
}

impl JsonRequest {
    /// Without headers or secrets of its own.
    #[must_use]
    pub fn new(method: Method, url: Url, body: String) -> Self {
        Self { method, url, body, headers: HeaderMap::new(), secrets: Vec::new() }
    }

    /// With a header that is no secret. What the configuration sets of the same name takes its place.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Says that the body or the address carries a secret: an answer that repeats it is kept without.
    #[must_use]
    pub fn with_secret(mut self, secret: SecretString) -> Self {
        self.secrets.push(secret);
        self
    }
}

/// Without the body and the address: either may carry a secret.
impl fmt::Debug for JsonRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonRequest").field("method", &self.method).finish_non_exhaustive()
    }
}
