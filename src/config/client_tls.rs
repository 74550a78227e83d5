//! TLS towards an outside system: whom to trust, what to present.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::reader::Reader;
use super::tls::expiry;

/// TLS towards one outside system. What is the same can share one pool of connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ClientTlsConfig {
    /// PEM: authorities that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM: the certificate to present, with its intermediates.
    pub client_cert_file: Option<PathBuf>,
    /// PEM: its key.
    pub client_key_file: Option<PathBuf>,
}

/// The files, read and found to fit.
#[derive(Clone, Default)]
pub struct LoadedClientTls {
    /// PEM: at least one certificate.
    pub authorities: Option<Vec<u8>>,
    /// PEM of certificate and key.
    pub identity: Option<Vec<u8>>,
    /// `notAfter` of the presented certificate; none without one, or where it can't be read.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} {problem}", path = .path.display())]
pub struct ClientTlsError {
    /// The key without its table, such as `client_key_file`.
    pub key: &'static str,
    pub path: PathBuf,
    /// What is wrong, free of what the file holds: it may be a key.
    pub problem: String,
    pub remedy: &'static str,
}

const CA: &str = "ca_file";
const CERT: &str = "client_cert_file";
const KEY: &str = "client_key_file";

const WRITE_CERTIFICATES: &str = "write certificates as PEM into it, or name the right file";
const WRITE_KEY: &str = "write the certificate's key as PEM into it, or name the right file";
const RIGHT_KEY: &str = "name the key with which the certificate was requested";

impl ClientTlsConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let file = |key| reader.text(key).map(|text| reader.file_path(&text));
        let tls = Self { ca_file: file(CA), client_cert_file: file(CERT), client_key_file: file(KEY) };
        for (one, other) in [(CERT, KEY), (KEY, CERT)] {
            if reader.has(one) && !reader.has(other) {
                let remedy = format!("add {other} = \"tls/…\", or remove {one}");
                reader.error(one, format!("is set without {other}"), remedy);
            }
        }
        tls
    }

    /// Reads the files and checks that they fit.
    ///
    /// # Errors
    /// The first file that can't be used.
    pub fn load(&self) -> Result<LoadedClientTls, ClientTlsError> {
        let mut loaded = LoadedClientTls::default();
        if let Some(path) = &self.ca_file {
            let pem = bytes(CA, path, WRITE_CERTIFICATES)?;
            let mut roots = RootCertStore::empty();
            for certificate in certificates(CA, path, &pem)? {
                let problem = |error| unusable(CA, path, format!("holds no authority: {error}"));
                roots.add(certificate).map_err(problem)?;
            }
            loaded.authorities = Some(pem);
        }
        if let Some((cert, key)) = self.client_cert_file.as_ref().zip(self.client_key_file.as_ref()) {
            let mut pem = bytes(CERT, cert, WRITE_CERTIFICATES)?;
            let chain = certificates(CERT, cert, &pem)?;
            loaded.expires_at = chain.first().and_then(expiry);
            let key_pem = bytes(KEY, key, WRITE_KEY)?;
            check_pair(chain, key, &key_pem)?;
            pem.push(b'\n');
            pem.extend_from_slice(&key_pem);
            loaded.identity = Some(pem);
        }
        Ok(loaded)
    }
}

fn check_pair(
    chain: Vec<CertificateDer<'static>>,
    path: &Path,
    key_pem: &[u8],
) -> Result<(), ClientTlsError> {
    let key =
        PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| not_pem(KEY, path, &error, WRITE_KEY))?;
    let provider = rustls::crypto::ring::default_provider();
    match CertifiedKey::from_der(chain, key, &provider) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(ClientTlsError {
            key: KEY,
            path: path.to_owned(),
            problem: "is not the certificate's key".to_owned(),
            remedy: RIGHT_KEY,
        }),
        Err(error) => Err(unusable(KEY, path, format!("can't be used: {error}"))),
    }
}

fn bytes(key: &'static str, path: &Path, remedy: &'static str) -> Result<Vec<u8>, ClientTlsError> {
    std::fs::read(path).map_err(|error| {
        let problem = format!("can't be read: {error}");
        ClientTlsError { key, path: path.to_owned(), problem, remedy }
    })
}

fn certificates(
    key: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ClientTlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(not_pem(key, path, &PemError::NoItemsFound, WRITE_CERTIFICATES))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(not_pem(key, path, &error, WRITE_CERTIFICATES)),
    }
}

fn not_pem(key: &'static str, path: &Path, error: &PemError, remedy: &'static str) -> ClientTlsError {
    // The other errors' texts could quote the file.
    let problem = match error {
        PemError::NoItemsFound => "holds nothing of the kind",
        _ => "is not PEM",
    };
    ClientTlsError { key, path: path.to_owned(), problem: problem.to_owned(), remedy }
}

fn unusable(key: &'static str, path: &Path, problem: String) -> ClientTlsError {
    let remedy = "use X.509 v3 certificates and an RSA, ECDSA or Ed25519 key";
    ClientTlsError { key, path: path.to_owned(), problem, remedy }
}
