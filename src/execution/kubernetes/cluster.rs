//! The way to one cluster's API server: a client from a kubeconfig or from the pod's own account, made
//! when it is first needed.
//!
//! Made late, because a file that isn't there yet must not keep the server from starting; and once for all
//! rollouts of a cluster, because connections and tokens are the same.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

/// The default, 30 s, is longer than a step may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// By default an API server that takes a connection and never answers hangs a call for ever. Calls have
/// their own, shorter, limit; this one frees the connection.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Reading a kubeconfig may run a program for credentials, and a network folder may hang.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Where the account and the address come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source {
    Kubeconfig(PathBuf),
    /// The ServiceAccount of the pod that we run in. Never guessed: a kubeconfig that happens to lie in a
    /// home folder leads to another cluster.
    InCluster,
}

/// The clusters of all rollouts, each once.
#[derive(Debug, Default)]
pub struct Clusters(HashMap<Source, Arc<Cluster>>);

impl Clusters {
    /// The cluster of this kubeconfig, or the one that we run in.
    pub fn of(&mut self, kubeconfig: Option<&Path>) -> Arc<Cluster> {
        let source = kubeconfig.map_or(Source::InCluster, |file| Source::Kubeconfig(file.to_owned()));
        let cluster = self.0.entry(source.clone()).or_insert_with(|| Arc::new(Cluster::new(source)));
        Arc::clone(cluster)
    }
}

/// One cluster's API server.
pub struct Cluster {
    source: Source,
    client: Mutex<Option<Client>>,
}

impl std::fmt::Debug for Cluster {
    /// A client may hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Cluster {
    fn new(source: Source) -> Self {
        Self { source, client: Mutex::new(None) }
    }

    #[cfg(test)]
    pub(super) fn of_client(client: Client) -> Self {
        Self { source: Source::InCluster, client: Mutex::new(Some(client)) }
    }

    /// The client, made now if there is none. The error says what to mend, and holds no secret.
    pub(crate) async fn client(&self) -> Result<Client, String> {
        let mut client = self.client.lock().await;
        if let Some(client) = client.as_ref() {
            return Ok(client.clone());
        }
        let source = self.source.clone();
        let made = tokio::task::spawn_blocking(move || connect(&source));
        let hangs = || format!("no credentials within {} s", READY_WITHIN.as_secs());
        let made = tokio::time::timeout(READY_WITHIN, made).await.map_err(|_| hangs())?;
        let made = made.map_err(|error| format!("no credentials: {error}"))??;
        *client = Some(made.clone());
        Ok(made)
    }

    /// Reads the source again for the next call: what is in it is accepted no longer.
    pub(super) async fn forget_client(&self) {
        *self.client.lock().await = None;
    }
}

/// Blocks: files, and with some kubeconfigs a program.
fn connect(source: &Source) -> Result<Client, String> {
    let mut config = match source {
        Source::InCluster => Config::incluster().map_err(|error| {
            format!("not in a pod with a ServiceAccount ({error}): set kubeconfig in [rollouts.traffic]")
        })?,
        Source::Kubeconfig(file) => {
            let config = Kubeconfig::read_from(file).and_then(|kubeconfig| {
                Handle::current()
                    .block_on(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()))
            });
            config.map_err(|error| format!("the kubeconfig {}: {}", file.display(), words(&error)))?
        }
    };
    // Fifteen tries with pauses of up to a thousand seconds: who runs a step decides about the next try.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_WITHIN);
    config.read_timeout = Some(READ_WITHIN);
    // Else the time that a connection was idle counts as waiting for the answer.
    config.reset_reader_on_write = true;
    Client::try_from(config).map_err(|error| match source {
        Source::InCluster => client_words(&error),
        Source::Kubeconfig(file) => format!("the kubeconfig {}: {}", file.display(), client_words(&error)),
    })
}

/// The parser quotes the file, in which tokens stand: its words are left out.
fn words(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(_) => "is no YAML that a kubeconfig could be".to_owned(),
        KubeconfigError::CurrentContextNotSet => "has no current-context".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "has a server that is no address".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "has a proxy-url that is no address".to_owned(),
        KubeconfigError::ReadConfig(error, _) => format!("can't be read: {error}"),
        other => other.to_string(),
    }
}

/// What is wrong with the client. Credentials' own errors may repeat what a program printed, tokens
/// included.
pub(crate) fn client_words(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(_) => {
            "the credentials that the kubeconfig or the ServiceAccount names can't be had".to_owned()
        }
        // Its address may carry a password.
        kube::Error::ProxyProtocolDisabled { .. } | kube::Error::ProxyProtocolUnsupported { .. } => {
            "the kubeconfig's proxy-url: proxies are not in this version; leave it out".to_owned()
        }
        kube::Error::InferKubeconfig(error) => words(error),
        other => chain(other),
    }
}

/// An error with its causes, without what a URL's query may carry.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    crate::text::kept(&text)
}

#[cfg(test)]
mod tests;
