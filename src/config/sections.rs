//! The sections beside the rollouts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

use super::access::AccessConfig;
use super::durations::{DAY, MINUTE, SECOND};
use super::reader::Reader;
use super::rollout::warn_of_new_names;
use super::secret::SecretFile;
use super::tls::TlsConfig;
use super::token::BasicAuth;
use crate::decision::Watchdog;
use crate::incident::{Severity, SeverityMap};

/// `[server]`
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where webhooks and people's requests come in.
    pub listen: SocketAddr,
    /// Serves probes and metrics to everybody who reaches it.
    pub admin_listen: SocketAddr,
    /// Under which people reach it; with TLS the command line expects its host in the certificate.
    pub external_url: String,
    /// Says that a proxy in front ends TLS. A loopback address then counts as public.
    pub behind_proxy: bool,
    pub tls: Option<TlsConfig>,
    pub webhook_tokens: Vec<SecretFile>,
    pub webhook_basic_auth: Option<BasicAuth>,
    /// Tokens that may change something: roll back, hold, resume, acknowledge and close.
    pub operator_tokens: Vec<SecretFile>,
    pub viewer_tokens: Vec<SecretFile>,
    /// How long work under way may take to end after the first SIGTERM or SIGINT.
    pub drain: Duration,
}

impl ServerConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let listen = address(reader, "listen", SocketAddr::from(([127, 0, 0, 1], 8080)));
        let admin_listen = address(reader, "admin_listen", SocketAddr::from(([127, 0, 0, 1], 9091)));
        let tls = TlsConfig::read(&reader.table("tls"), reader.has("tls"));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let external_url =
            reader.url("external_url").map_or_else(|| format!("{scheme}://{listen}"), String::from);
        let behind_proxy = reader.flag("behind_proxy");
        let drain = reader.duration("drain", 20 * SECOND, Duration::ZERO, 10 * MINUTE);
        let auth = reader.table("auth");
        let webhook_tokens = auth.secrets("webhook_token_files");
        let webhook_basic_auth = basic_auth(&auth);
        let operator_tokens = auth.secrets("operator_token_files");
        let viewer_tokens = auth.secrets("viewer_token_files");
        let public = !listen.ip().is_loopback();
        if overlap(listen, admin_listen) {
            let message = format!("{admin_listen} is where server.listen = \"{listen}\" listens too");
            reader.error("admin_listen", message, "choose another port for one of them");
        }
        if public && !behind_proxy && tls.is_none() {
            let remedy = "set server.tls.cert_file and key_file, or put a proxy that ends TLS in front and set behind_proxy = true, or listen on 127.0.0.1";
            reader.error(
                "listen",
                "is a public address, and tokens would cross the network in the clear",
                remedy,
            );
        }
        // A proxy makes a loopback address public.
        let reachable = public || behind_proxy;
        if webhook_tokens.is_empty() && webhook_basic_auth.is_none() {
            let key = "webhook_token_files";
            let remedy = format!("write a token into a file and name it in {key}, or set webhook_basic_auth");
            if reachable {
                auth.error(key, "is empty: everybody who reaches the address could post alerts", remedy);
            } else {
                auth.warning(key, "is empty: everybody on this machine can post alerts", remedy);
            }
        }
        if operator_tokens.is_empty() {
            let key = "operator_token_files";
            let remedy = format!("write a token into a file and name it in {key}");
            if reachable && viewer_tokens.is_empty() {
                auth.error(key, "is empty: everybody who reaches the address could read", remedy);
            } else {
                auth.warning(
                    key,
                    "is empty: nobody can roll back, hold or resume through the server",
                    remedy,
                );
            }
        }
        if !admin_listen.ip().is_loopback() {
            reader.warning(
                "admin_listen",
                "serves metrics to everybody who reaches it",
                "limit it by a firewall or network policy",
            );
        }
        auth.finish();
        reader.finish();
        Self {
            listen,
            admin_listen,
            external_url,
            behind_proxy,
            tls,
            webhook_tokens,
            webhook_basic_auth,
            operator_tokens,
            viewer_tokens,
            drain,
        }
    }
}

/// Whether both can't be listened on. A wildcard address takes the port of every address.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && same_ip
}

fn basic_auth(auth: &Reader<'_>) -> Option<BasicAuth> {
    let is_there = auth.has("webhook_basic_auth");
    let table = auth.table("webhook_basic_auth");
    let [username, password] = ["username", "password_file"].map(|key| {
        let text = table.text(key);
        if is_there && !table.has(key) {
            table.error(
                key,
                "is missing",
                "write webhook_basic_auth = { username = \"…\", password_file = \"…\" }",
            );
        }
        text
    });
    if username.as_ref().is_some_and(|name| name.contains(':')) {
        table.error(
            "username",
            "has a colon in it, where the password begins for every reader",
            "leave it out",
        );
    }
    table.finish();
    let password = SecretFile::new(auth.file_path(&password?));
    Some(BasicAuth { username: username?, password })
}

fn address(reader: &Reader<'_>, key: &str, default: SocketAddr) -> SocketAddr {
    let Some(text) = reader.text(key) else { return default };
    text.parse().unwrap_or_else(|_| {
        reader.error(
            key,
            format!("{text:?} is no address with a port"),
            format!("write such as \"{default}\""),
        );
        default
    })
}

/// `[store]`
#[derive(Debug, Clone)]
pub struct StoreConfig {
    pub path: PathBuf,
    /// How long closed incidents stay stored.
    pub retention: Duration,
}

impl StoreConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        if let Some(kind) = reader.text("kind").filter(|kind| kind != "sqlite") {
            reader.error("kind", format!("{kind:?} is not in this version"), "write kind = \"sqlite\"");
        }
        let path = reader.file_path(&reader.text("path").unwrap_or_else(|| "data/backstop.db".to_owned()));
        let retention = reader.duration("retention", 90 * DAY, DAY, 3_650 * DAY);
        reader.finish();
        Self { path, retention }
    }
}

/// `[evidence]`
#[derive(Debug, Clone)]
pub struct EvidenceConfig {
    pub directory: PathBuf,
    /// Written to while `directory` can't be used or hangs, so it should be on another disk.
    pub fallback_directory: PathBuf,
}

impl EvidenceConfig {
    pub(super) fn read(reader: &Reader<'_>, store: &StoreConfig) -> Self {
        let directory = reader.file_path(&reader.text("directory").unwrap_or_else(|| "evidence".to_owned()));
        // The database's disk is another one than a network folder, and has to work anyway.
        let beside_store = || store.path.parent().unwrap_or(Path::new("")).join("evidence-fallback");
        let fallback = reader.text("fallback_directory");
        let fallback_directory = fallback.map_or_else(beside_store, |text| reader.file_path(&text));
        if fallback_directory == directory {
            let remedy = "name a folder on another disk, or leave it out for one beside the database";
            reader.error("fallback_directory", "is the same as evidence.directory".to_owned(), remedy);
        }
        reader.finish();
        Self { directory, fallback_directory }
    }
}

/// `[alertmanager]`
#[derive(Debug, Clone)]
pub struct AlertmanagerConfig {
    pub urls: Vec<Url>,
    /// How often shares and alerts are read.
    pub poll_interval: Duration,
    /// The same for every member of the cluster.
    pub access: AccessConfig,
    pub watchdog: Watchdog,
    /// After this long without a Watchdog, missing data is not trusted.
    pub watchdog_timeout: Duration,
    /// The organisation's own words in the label `severity`.
    pub severity_map: SeverityMap,
}

impl AlertmanagerConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let urls = reader.urls("urls");
        if urls.is_empty() {
            let remedy = "set urls to every member of the cluster";
            reader.warning(
                "urls",
                "is empty: the end of a grace can't be confirmed, lost webhooks not found",
                remedy,
            );
        }
        reader.expect_bases("urls", &urls);
        let poll_interval = reader.duration("poll_interval", 20 * SECOND, SECOND, 5 * MINUTE);
        let access = AccessConfig::read(reader);
        let watchdog = Watchdog {
            alertname: reader.text("watchdog_alertname").unwrap_or_else(|| "Watchdog".to_owned()),
            matching: reader.labels("watchdog_match").unwrap_or_default(),
        };
        warn_of_new_names(reader, "watchdog_match", &watchdog.matching);
        let watchdog_timeout = reader.duration("watchdog_timeout", 3 * MINUTE, 10 * SECOND, 60 * MINUTE);
        let severity_map = severity_map(reader);
        reader.finish();
        Self { urls, poll_interval, access, watchdog, watchdog_timeout, severity_map }
    }
}

fn severity_map(reader: &Reader<'_>) -> SeverityMap {
    const KEY: &str = "severity_map";
    let meanings =
        [("critical", Severity::Critical), ("warning", Severity::Warning), ("ignore", Severity::Unknown)];
    let words = reader.labels(KEY).unwrap_or_default().into_iter();
    SeverityMap::new(words.filter_map(|(word, meaning)| {
        let known = meanings.iter().find(|(name, _)| *name == meaning);
        if known.is_none() {
            let message = format!("{word:?} means {meaning:?}, which is no severity");
            reader.error(KEY, message, "choose \"critical\", \"warning\" or \"ignore\"");
        }
        known.map(|(_, severity)| (word, *severity))
    }))
}

/// `[prometheus]`
#[derive(Debug, Clone)]
pub struct PrometheusConfig {
    pub url: Option<Url>,
    pub access: AccessConfig,
}

impl PrometheusConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let config = Self { url: reader.url("url"), access: AccessConfig::read(reader) };
        reader.expect_bases("url", config.url.as_slice());
        if config.url.is_none() && !reader.has("url") {
            reader.warning(
                "url",
                "is missing: verification can't ask for the alert's own expression",
                "set url = \"http://127.0.0.1:9090\"",
            );
        }
        reader.finish();
        config
    }
}
