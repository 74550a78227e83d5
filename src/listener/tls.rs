//! TLS for a listener: the certificate is read again when its files change.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::{TlsConfig, TlsError, TlsVersion};
use crate::metrics::Metrics;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ends TLS with the certificate as it stands on disk. Clones share it.
#[derive(Debug, Clone)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: TlsConfig,
    metrics: Metrics,
    current: Mutex<Arc<ServerConfig>>,
    /// The files as they were last read, well or not.
    version: Mutex<TlsVersion>,
}

impl Tls {
    /// Reads the files once; [`Tls::watch`] reads them again.
    ///
    /// # Errors
    /// See [`TlsError`]; each names its key, its file and what to do.
    pub fn open(config: TlsConfig, metrics: Metrics) -> Result<Self, TlsError> {
        // Before reading: a change in between is noticed at the next look.
        let version = Mutex::new(config.version());
        let loaded = config.load()?;
        metrics.certificate_expires(loaded.expires_at);
        Ok(Self(Arc::new(Inner { config, metrics, current: Mutex::new(loaded.server), version })))
    }

    /// What accepts the next connection. It waits for no file.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }

    /// Looks at the files every second, and at once when `now` is notified, until `stop`. New ones
    /// are used from then on. Bad ones are reported once and the old ones stay in use, because an
    /// expired certificate still lets in more than none. A file system that hangs holds one thread up
    /// and no connection.
    pub async fn watch(self, now: Arc<Notify>, stop: CancellationToken) {
        loop {
            let inner = Arc::clone(&self.0);
            let look = tokio::task::spawn_blocking(move || inner.look());
            tokio::select! {
                () = stop.cancelled() => return,
                _looked = look => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = now.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

impl Inner {
    fn look(&self) {
        let version = self.config.version();
        let mut known = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if version != *known {
            *known = version;
            self.reload();
        }
    }

    fn reload(&self) {
        match self.config.load() {
            Ok(loaded) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = loaded.server;
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
