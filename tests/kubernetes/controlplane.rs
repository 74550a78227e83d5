//! A control plane on this machine's loopback, in a folder of its own.
//!
//! Most tests share one: [`shared`], each in its own [`ControlPlane::namespace`]. Who freezes, kills or
//! restarts a part starts one apart, [`ControlPlane::start`]: those functions want it `&mut`.
//!
//! Whatever happens to the tests, [`guard`] ends the processes and removes the folder.

mod access;
mod audit;
mod certificates;
mod guard;
mod parts;
mod programs;
mod running;
mod setup;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use kube::Client;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::ports::own_port;

pub(crate) use access::{connect, token_file};
pub(crate) use audit::AuditEvent;
pub(crate) use parts::Part;

/// The longest that anything is waited for; generous, because machines are slow at times.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running control plane.
pub(crate) struct ControlPlane {
    folder: PathBuf,
    etcd: SocketAddr,
    /// Where etcd would hear its peers. It has none, and wants an address all the same.
    peers: SocketAddr,
    apiserver: SocketAddr,
    guardian: guard::Guardian,
    running: BTreeMap<Part, Child>,
}

/// The control plane that tests share; started by whichever asks first. It ends with the process.
pub(crate) async fn shared() -> &'static ControlPlane {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED.get_or_init(ControlPlane::start).await
}

impl ControlPlane {
    /// Starts one apart. It ends when it is dropped.
    pub(crate) async fn start() -> Self {
        static TLS: std::sync::Once = std::sync::Once::new();
        TLS.call_once(|| {
            let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
        });
        programs::find().await;
        let folder =
            tempfile::Builder::new().prefix("backstop-controlplane-").tempdir().expect("a folder").keep();
        let guardian = guard::Guardian::watch(&folder);
        let mut this = Self {
            folder,
            etcd: own_port(),
            peers: own_port(),
            apiserver: own_port(),
            guardian,
            running: BTreeMap::new(),
        };
        setup::write_files(&this);
        this.run(Part::Etcd).await;
        this.run(Part::Apiserver).await;
        // They end if there is no API server to ask.
        for part in [Part::ControllerManager, Part::Scheduler, Part::Kubelet] {
            this.run(part).await;
        }
        setup::fill(&this).await;
        this
    }

    /// Where its files are: logs are `<program>.log`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The API server's address, as in a kubeconfig.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.apiserver)
    }

    /// The file of the authority that signed the API server's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("authority.crt")
    }

    /// A kubeconfig of somebody who may do anything.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// A client of the same. Each test needs its own: its connections belong to the test's runtime.
    pub(crate) async fn client(&self) -> Client {
        connect(&self.kubeconfig()).await
    }

    /// kubectl as the same, for what people are told to type.
    pub(crate) async fn kubectl(&self) -> Command {
        let mut command = Command::new(programs::find().await.path("kubectl"));
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", &self.folder);
        command
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.guardian.end();
        for child in self.running.values_mut() {
            let _it_may_have_ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Waits until `condition` returns something; what doesn't within [`PATIENCE`] fails the test.
pub(crate) async fn wait_for<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
