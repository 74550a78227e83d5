//! TLS for a listener: the certificate is read again when its files change.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::config::{TlsConfig, TlsError, TlsVersion};
use crate::metrics::Metrics;

/// How often the files are looked at, at most: a storm must not cost a storm of file reads.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ends TLS with the certificate as it stands on disk.
#[derive(Debug)]
pub struct Tls {
    config: TlsConfig,
    metrics: Metrics,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    server: Arc<ServerConfig>,
    /// The files as they were last read, well or not.
    version: TlsVersion,
    looked_at: Instant,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`]; each names its key, its file and what to do.
    pub fn open(config: TlsConfig, metrics: Metrics) -> Result<Self, TlsError> {
        // Before reading: a change in between is noticed at the next look.
        let version = config.version();
        let loaded = config.load()?;
        metrics.certificate_expires(loaded.expires_at);
        let current = Current { server: loaded.server, version, looked_at: Instant::now() };
        Ok(Self { config, metrics, current: Mutex::new(current) })
    }

    /// What accepts the next connection. New files are taken over here; bad ones are reported once
    /// and the old ones kept, because an expired certificate still lets in more than none.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked_at.elapsed() >= LOOK_EVERY {
            current.looked_at = Instant::now();
            let version = self.config.version();
            if version != current.version {
                current.version = version;
                self.reload(&mut current);
            }
        }
        TlsAcceptor::from(Arc::clone(&current.server))
    }

    fn reload(&self, current: &mut Current) {
        match self.config.load() {
            Ok(loaded) => {
                current.server = loaded.server;
                self.metrics.certificate_expires(loaded.expires_at);
                tracing::info!(expires_at = %loaded.expires_at, "the TLS certificate was read again");
            }
            Err(error) => {
                self.metrics.tls_reload_failed();
                let (key, remedy) = (error.key(), error.remedy());
                tracing::error!(%error, key, remedy, "the new TLS files can't be used; the old ones are kept");
            }
        }
    }
}
