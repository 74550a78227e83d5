//! `[server.tls]`: files with certificates and keys, read, checked and compared by version.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_cert::der::Decode;

use super::reader::Reader;

/// A certificate that expires within this time is warned of: renewals run 30 days ahead as a rule,
/// so by then one has failed.
const EXPIRES_SOON: TimeDelta = TimeDelta::days(14);

/// `[server.tls]`
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// The server's certificate, with its intermediates.
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Authorities whose clients alone are let in.
    pub client_ca_file: Option<PathBuf>,
    /// An authority that the command line trusts beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key that the command line presents.
    pub cli_identity_file: Option<PathBuf>,
}

/// Modification time, length and inode of each file: another one once a file is replaced or
/// rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsVersion(Vec<Option<(i64, i64, u64, u64)>>);

/// The files, read and found to fit.
#[derive(Debug, Clone)]
pub struct LoadedTls {
    pub server: Arc<ServerConfig>,
    /// `notAfter` of the server's own certificate, the first of the file.
    pub expires_at: DateTime<Utc>,
}

/// Why the files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or holds nothing of what it should.
    #[error("{path} {problem}")]
    File { key: &'static str, path: PathBuf, problem: String, wanted: &'static str },
    #[error("{key} is not the key of {cert}")]
    Mismatch { cert: PathBuf, key: PathBuf },
    /// rustls refuses them, or the certificate's validity can't be read.
    #[error("{path} can't be used: {problem}")]
    Unusable { key: &'static str, path: PathBuf, problem: String },
}

const CERT: &str = "server.tls.cert_file";
const KEY: &str = "server.tls.key_file";
const CLIENT_CA: &str = "server.tls.client_ca_file";

impl TlsError {
    /// The configuration's key, with its table, that the report names.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::File { key, .. } | Self::Unusable { key, .. } => key,
            Self::Mismatch { .. } => KEY,
        }
    }

    /// What the operator should do, in the imperative.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File { path, wanted, .. } => format!("write {wanted} as PEM into {}", path.display()),
            Self::Mismatch { .. } => {
                "name the key with which the certificate was requested, or request a new certificate".into()
            }
            Self::Unusable { .. } => {
                "use an X.509 v3 certificate with subject alternative names and an RSA, ECDSA or Ed25519 key"
                    .into()
            }
        }
    }
}

impl TlsConfig {
    pub(super) fn read(reader: &Reader<'_>, is_there: bool) -> Option<Self> {
        let file = |key| reader.text(key).map(|text| reader.file_path(&text));
        let (cert, key) = (file("cert_file"), file("key_file"));
        let (client_ca_file, ca_file) = (file("client_ca_file"), file("ca_file"));
        let cli_identity_file = file("cli_identity_file");
        for (name, missing) in [("cert_file", cert.is_none()), ("key_file", key.is_none())] {
            if is_there && missing {
                reader.error(name, "is missing", format!("add {name} = \"tls/…\", or remove [server.tls]"));
            }
        }
        reader.finish();
        let (cert_file, key_file) = cert.zip(key)?;
        Some(Self { cert_file, key_file, client_ca_file, ca_file, cli_identity_file })
    }

    /// What the server's files are at this moment, without reading them.
    #[must_use]
    pub fn version(&self) -> TlsVersion {
        let files = [Some(&self.cert_file), Some(&self.key_file), self.client_ca_file.as_ref()];
        let version = |path: &PathBuf| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
        };
        TlsVersion(files.into_iter().flatten().map(version).collect())
    }

    /// Reads the server's files and checks that they fit.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(&self) -> Result<LoadedTls, TlsError> {
        let chain = certificates(CERT, &self.cert_file)?;
        let expires_at = chain.first().and_then(expiry).ok_or_else(|| TlsError::Unusable {
            key: CERT,
            path: self.cert_file.clone(),
            problem: "its validity can't be read".to_owned(),
        })?;
        let key = PrivateKeyDer::from_pem_file(&self.key_file)
            .map_err(|error| not_read(KEY, &self.key_file, &error, "the certificate's key"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: rustls::Error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Mismatch { cert: self.cert_file.clone(), key: self.key_file.clone() }
            }
            other => {
                TlsError::Unusable { key: CERT, path: self.cert_file.clone(), problem: other.to_string() }
            }
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(unusable)?;
        let builder = match &self.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let unusable =
                    |problem: String| TlsError::Unusable { key: CLIENT_CA, path: path.clone(), problem };
                let mut roots = RootCertStore::empty();
                for certificate in certificates(CLIENT_CA, path)? {
                    roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| unusable(error.to_string()))?)
            }
        };
        let mut server = builder.with_single_cert(chain, key).map_err(unusable)?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(LoadedTls { server: Arc::new(server), expires_at })
    }

    /// Checks the files that only the command line uses; the first problem ends it.
    pub(super) fn check_client_files(&self) -> Result<(), TlsError> {
        if let Some(path) = &self.ca_file {
            certificates("server.tls.ca_file", path)?;
        }
        if let Some(path) = &self.cli_identity_file {
            let key = "server.tls.cli_identity_file";
            certificates(key, path)?;
            PrivateKeyDer::from_pem_file(path)
                .map_err(|error| not_read(key, path, &error, "a certificate and its key"))?;
        }
        Ok(())
    }

    /// Whether every user of the machine can read the key.
    pub(super) fn is_key_world_readable(&self) -> bool {
        std::fs::metadata(&self.key_file).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
    }
}

/// A warning about a certificate that has expired or soon will.
pub(super) fn expiry_warning(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<String> {
    if expires_at <= now {
        Some(format!("has expired at {expires_at}: every client that checks it is turned away"))
    } else if expires_at <= now + EXPIRES_SOON {
        Some(format!("expires at {expires_at}"))
    } else {
        None
    }
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wanted = "certificates";
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| not_read(key, path, &error, wanted))?;
    if certificates.is_empty() {
        return Err(not_read(key, path, &rustls::pki_types::pem::Error::NoItemsFound, wanted));
    }
    Ok(certificates)
}

fn not_read(
    key: &'static str,
    path: &Path,
    error: &rustls::pki_types::pem::Error,
    wanted: &'static str,
) -> TlsError {
    use rustls::pki_types::pem::Error;
    let problem = match error {
        Error::Io(error) => format!("can't be read: {error}"),
        Error::NoItemsFound => "holds nothing of the kind".to_owned(),
        // Its text could quote the file, and the file may be a key.
        _ => "is not PEM".to_owned(),
    };
    TlsError::File { key, path: path.to_owned(), problem, wanted }
}

/// When a certificate ends; none where that can't be read.
pub(super) fn expiry(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    let parsed = x509_cert::Certificate::from_der(certificate).ok()?;
    let not_after = parsed.tbs_certificate.validity.not_after.to_unix_duration();
    DateTime::from_timestamp(i64::try_from(not_after.as_secs()).ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_two_weeks_before_it_expires() {
        let expires_at = DateTime::from_timestamp(2_000_000_000, 0).expect("a time");
        let warning = |days| expiry_warning(expires_at, expires_at - TimeDelta::days(days));
        assert_eq!(warning(15), None);
        assert!(warning(14).is_some_and(|warning| warning.starts_with("expires at 2033-05-18")));
        assert!(warning(0).is_some_and(|warning| warning.contains("has expired")));
    }
}
