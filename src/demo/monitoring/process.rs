//! One child process: a free port, readiness, an end by pid.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::READY_TIMEOUT;
use crate::outbound::Outbound;

/// A port that was free a moment ago may be in use: then another one is tried.
const PORT_TRIES: u32 = 5;

/// How often readiness is asked for.
const POLL: Duration = Duration::from_millis(50);

/// The end of a log that an error shows.
const LOG_TAIL_CHARS: usize = 1_500;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{path} can't be written")]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{program} can't be started")]
    NotStarted {
        program: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{name} did not get ready; the end of its log:\n{log}")]
    NotReady { name: &'static str, log: String },
}

/// A running server. Dropping it kills it.
pub struct Server {
    name: &'static str,
    program: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    command_line: Vec<String>,
    child: Option<Child>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.name, self.address)
    }
}

impl Server {
    pub(super) async fn start<A>(
        name: &'static str,
        program: PathBuf,
        folder: &Path,
        arguments: Box<A>,
    ) -> Result<Self, ServerError>
    where
        A: Fn(SocketAddr) -> Vec<String> + Send + Sync,
    {
        let log = folder.join(format!("{name}.log"));
        let mut tries = 0;
        loop {
            tries += 1;
            let address =
                free_port().map_err(|source| ServerError::NotStarted { program: program.clone(), source })?;
            let command_line = arguments(address);
            let (program, log) = (program.clone(), log.clone());
            let mut server = Self { name, program, log, address, command_line, child: None };
            match server.resume().await {
                Err(ServerError::NotReady { .. })
                    if tries < PORT_TRIES && server.log_tail().contains("in use") => {}
                other => return other.map(|()| server),
            }
        }
    }

    /// On 127.0.0.1, and the same after [`Server::resume`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts it again on the same port with the same data, and waits until it is ready.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn resume(&mut self) -> Result<(), ServerError> {
        let folder_error = |source| ServerError::Folder { path: self.log.clone(), source };
        let log = File::options().create(true).append(true).open(&self.log).map_err(folder_error)?;
        let child = Command::new(&self.program)
            .args(&self.command_line)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| ServerError::NotStarted { program: self.program.clone(), source })?;
        self.child = Some(child);
        let not_ready = |server: &Self| ServerError::NotReady { name: server.name, log: server.log_tail() };
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            let exited = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if exited || Instant::now() > deadline {
                return Err(not_ready(self));
            }
            if self.is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let Ok(outbound) = Outbound::new(Duration::from_secs(2), None) else { return false };
        let Ok(url) = format!("{}/-/ready", self.url()).parse() else { return false };
        outbound.get(url).await.is_ok_and(|reply| reply.is_success())
    }

    /// Kills it at once, as a crash would.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Already gone is what was wanted.
            let _gone = child.kill().await;
        }
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let skip = log.chars().count().saturating_sub(LOG_TAIL_CHARS);
        log.chars().skip(skip).collect()
    }
}

/// An address of this machine that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}
