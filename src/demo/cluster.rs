//! A rollout in a real cluster, in a namespace of its own that is made for it and deleted afterwards.
//!
//! Whatever goes wrong, nothing of anybody else's is touched: the namespace must not exist before, only
//! what is in it is written, and it is deleted by the identity that it was made with.

mod calls;
mod manifests;
mod pods;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};
use tokio::time::Instant;

use self::calls::{CallError, Calls};
use crate::randomness::Randomness;
use crate::text::shown;

pub use manifests::{CANARY_REPLICAS, STABLE_REPLICAS, STABLE_REPLICAS_BEFORE, WEIGHT};

/// The label of every namespace that a demo made, for those that its process didn't live to delete.
pub const LABEL: &str = "backstop-demo";

/// What only the process that made a namespace knows, so that it recognises its own.
const MADE_BY: &str = "backstop-demo/made-by";

/// How often the namespace's end is looked for.
const POLL: Duration = Duration::from_millis(250);

/// A namespace that this process made.
#[derive(Debug)]
pub struct OwnNamespace {
    calls: Calls,
    kubeconfig: PathBuf,
    name: String,
    /// Another namespace of the same name has another one.
    uid: String,
}

/// What the cluster says at the end.
#[derive(Debug, PartialEq, Eq)]
pub struct EndState {
    /// The annotation as it stands.
    pub canary_weight: Option<String>,
    pub stable_replicas: u64,
    pub canary_replicas: u64,
}

impl fmt::Display for EndState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { canary_weight, stable_replicas, canary_replicas } = self;
        let weight = canary_weight.as_deref().map_or_else(|| "none".to_owned(), shown);
        write!(f, "canary-weight {weight}, stable {stable_replicas} replicas, canary {canary_replicas}")
    }
}

impl OwnNamespace {
    /// Makes a namespace of this name, or of a random one.
    ///
    /// # Errors
    /// In words: the cluster can't be reached, it doesn't allow it, or there is such a namespace.
    pub async fn create(kubeconfig: &Path, name: Option<&str>) -> anyhow::Result<Self> {
        let randomness = Randomness::unforeseen();
        let name =
            name.map_or_else(|| format!("backstop-demo-{:04x}", randomness.nonce()), ToOwned::to_owned);
        let made_by = randomness.token();
        let calls = Calls::connect(kubeconfig).await?;
        let manifest = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": { LABEL: "true" }, "annotations": { MADE_BY: made_by } },
        });
        let made = match calls.create("/api/v1/namespaces", &manifest).await {
            Ok(made) => made,
            Err(CallError::Refused { status: 409, .. }) => {
                bail!("there is a namespace {name} already, and it is not this demo's: nothing was touched")
            }
            Err(error @ CallError::Refused { .. }) => {
                return Err(error).context("the namespace can't be made");
            }
            // It may have been made all the same.
            Err(error @ CallError::NoAnswer(_)) => match calls.read(&path(&name)).await {
                Ok(found) if found["metadata"]["annotations"][MADE_BY] == made_by.as_str() => found,
                Ok(_) | Err(CallError::Refused { .. }) => {
                    return Err(error).context("the namespace was not made");
                }
                Err(CallError::NoAnswer(_)) => {
                    let look =
                        format!("whether there is a namespace {name} now is not known: delete it if so");
                    return Err(anyhow!(error).context(look));
                }
            },
        };
        let uid = made["metadata"]["uid"].as_str().context("the API server gave the namespace no uid")?;
        Ok(Self { calls, kubeconfig: kubeconfig.to_owned(), uid: uid.to_owned(), name })
    }

    /// Such as `backstop-demo-1a2b`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a person types to see or do something in it.
    #[must_use]
    pub fn kubectl(&self, arguments: &str) -> String {
        format!("kubectl --kubeconfig {} {arguments}", self.kubeconfig.display())
    }

    /// Puts a rollout into it: a stable version that is short of pods, a canary with half of the traffic.
    ///
    /// # Errors
    /// In words: which object was not taken, and why.
    pub async fn fill(&self, image: &str) -> anyhow::Result<()> {
        for (path, manifest) in manifests::all(&self.name, image) {
            let created = self.calls.create(&path, &manifest).await;
            let named = || {
                format!("{} {} can't be made", words(&manifest["kind"]), words(&manifest["metadata"]["name"]))
            };
            created.with_context(named)?;
        }
        Ok(())
    }

    /// The sections of a configuration for what is in it.
    #[must_use]
    pub fn sections(&self) -> String {
        manifests::sections(&self.name, &self.kubeconfig)
    }

    /// Why pods are not ready, as far as the cluster says; one line each.
    pub async fn unready(&self) -> Vec<String> {
        pods::unready(&self.calls, &self.name).await
    }

    /// Reads the weight and the replicas as they are, past everything that Backstop says of them.
    ///
    /// # Errors
    /// In words: what can't be read.
    pub async fn end_state(&self) -> anyhow::Result<EndState> {
        let [ingress, stable, canary] = manifests::changed(&self.name);
        let (ingress, stable, canary) =
            tokio::try_join!(self.calls.read(&ingress), self.calls.read(&stable), self.calls.read(&canary))?;
        let replicas = |deployment: &Value| deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        let weight = ingress["metadata"]["annotations"][manifests::CANARY_WEIGHT].as_str();
        Ok(EndState {
            canary_weight: weight.map(ToOwned::to_owned),
            stable_replicas: replicas(&stable),
            canary_replicas: replicas(&canary),
        })
    }

    /// Deletes it with all that is in it, and waits until it is gone. Safe to repeat.
    ///
    /// # Errors
    /// In words: it is still there after this long, with what to type.
    pub async fn delete(&self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        let by_hand =
            || format!("to delete it by hand: {}", self.kubectl(&format!("delete namespace {}", self.name)));
        // One of the same name that somebody else made is another one.
        let options = json!({ "preconditions": { "uid": self.uid } });
        loop {
            let why = match self.calls.delete(&path(&self.name), &options).await {
                Err(CallError::Refused { status: 404 | 409, .. }) if self.is_gone().await => return Ok(()),
                Ok(()) if self.is_gone().await => return Ok(()),
                Ok(()) => "the cluster has not ended it yet".to_owned(),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                let seconds = within.as_secs();
                bail!("the namespace {} is still there after {seconds} s: {why}; {}", self.name, by_hand());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn is_gone(&self) -> bool {
        match self.calls.read(&path(&self.name)).await {
            Ok(found) => found["metadata"]["uid"] != self.uid.as_str(),
            Err(error) => matches!(error, CallError::Refused { status: 404, .. }),
        }
    }
}

fn path(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}")
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
