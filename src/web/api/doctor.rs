//! What `doctor` asks of the running server.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Api;

/// Which Backstop this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutView {
    /// Such as `0.1.0`.
    pub version: String,
    /// Of the configuration's text as it was when the server started: a hash, which says nothing of it.
    pub configuration: String,
}

impl AboutView {
    /// This program with this configuration's fingerprint.
    #[must_use]
    pub fn of(fingerprint: &str) -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), configuration: fingerprint.to_owned() }
    }
}

/// Whether a test alert has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestAlertView {
    /// None while it has not.
    pub received_at: Option<DateTime<Utc>>,
}

pub(super) async fn about(State(api): State<Arc<Api>>) -> Json<AboutView> {
    Json(api.about.clone())
}

pub(super) async fn test_alert(State(api): State<Arc<Api>>, Path(test): Path<String>) -> Json<TestAlertView> {
    Json(TestAlertView { received_at: api.worker.observed.doctor_test(&test) })
}
