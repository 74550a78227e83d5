//! The real Prometheus and Alertmanager as child processes, each on a free port of this machine,
//! ended by pid when dropped.

mod configs;
mod process;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use configs::{AlertmanagerSettings, ClusterMember, PrometheusSettings, ScrapeTarget};
pub use process::{Server, ServerError, free_port};

/// How to install both on Debian and Ubuntu.
pub const INSTALL_HINT: &str = "apt-get install --no-install-recommends prometheus prometheus-alertmanager";

/// Alertmanager's data in its folder: silences and its notification log.
pub const ALERTMANAGER_DATA: &str = "alertmanager-data";

/// The paths of the two programs: one without the other is of no use.
#[derive(Debug, Clone)]
pub struct Programs {
    prometheus: PathBuf,
    alertmanager: PathBuf,
}

impl Programs {
    /// Looks for both on the `PATH`. Debian calls the second one `prometheus-alertmanager`.
    #[must_use]
    pub fn find() -> Option<Self> {
        Some(Self {
            prometheus: on_path("prometheus")?,
            alertmanager: on_path("prometheus-alertmanager").or_else(|| on_path("alertmanager"))?,
        })
    }

    /// Starts Prometheus with its data under `folder` and waits until it is ready.
    ///
    /// # Errors
    /// When it doesn't get ready; with the end of its log.
    pub async fn prometheus(
        &self,
        folder: &Path,
        settings: &PrometheusSettings,
    ) -> Result<Server, ServerError> {
        let config = folder.join("prometheus.yml");
        write(&config, &settings.render())?;
        let arguments = |address: SocketAddr| {
            vec![
                format!("--config.file={}", config.display()),
                format!("--storage.tsdb.path={}", folder.join("prometheus-data").display()),
                format!("--web.listen-address={address}"),
                format!("--rules.alert.resend-delay={}s", settings.resend_delay.as_secs()),
                "--log.level=warn".to_owned(),
            ]
        };
        Server::start("prometheus", self.prometheus.clone(), folder, Box::new(arguments)).await
    }

    /// Starts Alertmanager with its data under `folder` and waits until it is ready.
    ///
    /// # Errors
    /// When it doesn't get ready; with the end of its log.
    pub async fn alertmanager(
        &self,
        folder: &Path,
        settings: &AlertmanagerSettings,
    ) -> Result<Server, ServerError> {
        let config = folder.join("alertmanager.yml");
        write(&config, &settings.render())?;
        let arguments = |address: SocketAddr| {
            let mut arguments = vec![
                format!("--config.file={}", config.display()),
                format!("--storage.path={}", folder.join(ALERTMANAGER_DATA).display()),
                format!("--web.listen-address={address}"),
                "--log.level=warn".to_owned(),
            ];
            arguments.extend(settings.cluster_arguments());
            arguments
        };
        Server::start("alertmanager", self.alertmanager.clone(), folder, Box::new(arguments)).await
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

fn write(path: &Path, text: &str) -> Result<(), ServerError> {
    std::fs::write(path, text).map_err(|source| ServerError::Folder { path: path.to_owned(), source })
}

/// How long a server may take to get ready; Prometheus replays its log on a slow disk.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(30);
