//! What was asked of the server, and that something was not.

use std::fmt::Write;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::script::Pattern;
use crate::clock::Moment;

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: DateTime<Utc>,
    /// The same for measuring what lay between two calls.
    pub moment: Moment,
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What it was answered; `None` while it is not, or where the connection was cut instead.
    pub status: Option<u16>,
}

impl Call {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The first value of a parameter of the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = super::form::decode(&self.query);
        super::form::first(&pairs, name).map(str::to_owned)
    }

    /// Whether it was sent there; see [`super::People::script`].
    #[must_use]
    pub fn matches(&self, pattern: &str) -> bool {
        Pattern::parse(pattern).matches(&self.method, &self.path)
    }
}

/// What was waited for has not come.
#[derive(Debug, Clone, thiserror::Error)]
#[error("waited {within:?} for {what}; the calls so far:{calls}")]
pub struct NotSeen {
    what: String,
    within: Duration,
    calls: String,
}

impl NotSeen {
    pub(super) fn new(what: &str, within: Duration, calls: &[Call]) -> Self {
        let mut list = String::new();
        for call in calls {
            let status = call.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let _infallible = write!(list, "\n  {} {}: {status}", call.method, call.path);
        }
        if calls.is_empty() {
            list.push_str(" none");
        }
        Self { what: what.to_owned(), within, calls: list }
    }
}
