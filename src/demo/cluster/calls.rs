//! The demo's calls to an API server, in JSON as it stands in a manifest.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use http::{Method, Request};
use kube::Client;
use serde_json::Value;

use crate::execution::{Clusters, client_words};
use crate::text::kept;

/// A person watches; a cluster that takes longer for one call is in trouble.
const WITHIN: Duration = Duration::from_secs(10);

/// Whether a call that failed may have had an effect.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The same call again would be refused again.
    #[error("the API server refused it ({status}): {message}")]
    Refused { status: u16, message: String },
    /// It may have been carried out or not: look, or try again.
    #[error("the API server gave no answer: {0}")]
    NoAnswer(String),
}

#[derive(Clone)]
pub(super) struct Calls(Client);

impl std::fmt::Debug for Calls {
    /// A client may hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Calls {
    /// Finds out whether anybody answers there before anything is asked for.
    pub(super) async fn connect(kubeconfig: &Path) -> anyhow::Result<Self> {
        let client =
            Clusters::default().of(Some(kubeconfig)).client().await.map_err(|words| anyhow!(words))?;
        let calls = Self(client);
        let from = || format!("the cluster of {} can't be used: nothing was made", kubeconfig.display());
        calls.read("/version").await.with_context(from)?;
        Ok(calls)
    }

    pub(super) async fn read(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::GET, path, Vec::new()).await
    }

    pub(super) async fn create(&self, path: &str, manifest: &Value) -> Result<Value, CallError> {
        self.call(Method::POST, path, manifest.to_string().into_bytes()).await
    }

    pub(super) async fn delete(&self, path: &str, options: &Value) -> Result<(), CallError> {
        self.call(Method::DELETE, path, options.to_string().into_bytes()).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Value, CallError> {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(body).map_err(|error| CallError::NoAnswer(error.to_string()))?;
        match tokio::time::timeout(WITHIN, self.0.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.code < 500 && status.code != 429 => {
                Err(CallError::Refused { status: status.code, message: kept(&status.message) })
            }
            Ok(Err(error)) => Err(CallError::NoAnswer(client_words(&error))),
            Err(_) => Err(CallError::NoAnswer(format!("none within {} s", WITHIN.as_secs()))),
        }
    }
}
