//! Configuration: read once, checked whole, every problem reported at once with its place and remedy.
//!
//! What is typed (TOML) becomes what is valid ([`Config`]) here and nowhere else. Paths are relative
//! to the configuration file's folder, so that a service finds them whatever its working directory.

mod access;
mod client_tls;
mod flag_request;
mod reader;
mod reference;
mod report;
mod rollout;
mod secret;
mod sections;
mod tls;

use std::path::{Path, PathBuf};

pub use access::{AccessConfig, Credentials, ExtraHeader, HeaderText};
use chrono::{DateTime, Utc};
pub use client_tls::{ClientTlsConfig, ClientTlsError, LoadedClientTls};
pub use flag_request::{BodyError, BodyTemplate, FlagMethod, ShareScale};
use reader::Reader;
pub use reference::{KeyReference, REFERENCE};
pub use report::{ConfigReport, Level, Problem};
pub use rollout::{FeatureFlagConfig, RolloutConfig, VerifyConfig};
pub use secret::{Secret, SecretError, SecretFile, TokenSet};
pub use sections::{
    AlertmanagerConfig, EvidenceConfig, PagerDutyConfig, PrometheusConfig, ServerConfig, SlackConfig,
    StoreConfig,
};
pub use tls::{LoadedTls, TlsConfig, TlsError, TlsVersion};

use crate::clock::{Clock, SystemClock};

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was read from.
    pub file: PathBuf,
    /// `[server]`
    pub server: ServerConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[evidence]`
    pub evidence: EvidenceConfig,
    /// `[alertmanager]`
    pub alertmanager: AlertmanagerConfig,
    /// `[prometheus]`
    pub prometheus: PrometheusConfig,
    /// `[slack]`
    pub slack: Option<SlackConfig>,
    /// `[pagerduty]`
    pub pagerduty: Option<PagerDutyConfig>,
    /// `[[rollouts]]`
    pub rollouts: Vec<RolloutConfig>,
    /// What is valid, and still worth a thought.
    pub warnings: Vec<Problem>,
}

/// Larger than any configuration; a wrong path should not fill the memory.
const MAX_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads and checks a file, and the secret files that it names.
    ///
    /// # Errors
    /// Every problem at once, each with file, line, key and remedy.
    pub fn load(path: &Path) -> Result<Self, ConfigReport> {
        let unread = |message: String| {
            let remedy = "name the file with --config; `backstop demo` needs none".to_owned();
            ConfigReport::new(vec![Problem::whole_file(path, message, remedy)])
        };
        let length =
            std::fs::metadata(path).map_err(|error| unread(format!("can't be read: {error}")))?.len();
        if length > MAX_BYTES {
            return Err(unread(format!("is {length} bytes long; at most {MAX_BYTES} are read")));
        }
        let text =
            std::fs::read_to_string(path).map_err(|error| unread(format!("can't be read: {error}")))?;
        let config = Self::parse(&text, path)?;
        let (errors, warnings): (Vec<_>, Vec<_>) = config
            .check_secrets()
            .into_iter()
            .chain(config.check_tls(SystemClock.now()))
            .chain(config.check_access(SystemClock.now()))
            .map(|problem| problem.placed(&text))
            .partition(|problem| problem.level == Level::Error);
        if !errors.is_empty() {
            return Err(ConfigReport::new(errors));
        }
        let warnings = config.warnings.iter().cloned().chain(warnings).collect();
        Ok(Self { warnings, ..config })
    }

    /// Checks a text, without looking at the files that it names.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigReport> {
        let document = toml_edit::Document::parse(text)
            .map_err(|error| ConfigReport::new(vec![Problem::syntax(file, text, &error)]))?;
        let reader = Reader::new(file, text, document.as_table());
        let server = ServerConfig::read(&reader.table("server"));
        let store = StoreConfig::read(&reader.table("store"));
        let evidence = EvidenceConfig::read(&reader.table("evidence"));
        let alertmanager = AlertmanagerConfig::read(&reader.table("alertmanager"));
        let prometheus = PrometheusConfig::read(&reader.table("prometheus"));
        let slack = reader.optional_table("slack").map(|table| SlackConfig::read(&table));
        let pagerduty = reader.optional_table("pagerduty").map(|table| PagerDutyConfig::read(&table));
        let rollouts: Vec<_> = reader.tables("rollouts").iter().map(RolloutConfig::read).collect();
        rollout::check_together(&reader, &rollouts);
        reader.finish();
        let (errors, warnings): (Vec<_>, Vec<_>) =
            reader.problems().into_iter().partition(|problem| problem.level == Level::Error);
        if errors.is_empty() {
            let file = file.to_owned();
            Ok(Self {
                file,
                server,
                store,
                evidence,
                alertmanager,
                prometheus,
                slack,
                pagerduty,
                rollouts,
                warnings,
            })
        } else {
            Err(ConfigReport::new(errors.into_iter().chain(warnings).collect()))
        }
    }

    /// Every secret file that is named.
    fn secret_files(&self) -> Vec<(String, &SecretFile)> {
        let mut files = Vec::new();
        let server = &self.server;
        files.extend(server.webhook_tokens.iter().map(|file| ("server.auth.webhook_token_files", file)));
        files.extend(server.operator_tokens.iter().map(|file| ("server.auth.operator_token_files", file)));
        if let Some(slack) = &self.slack {
            files.push(("slack.token_file", &slack.token));
            files.extend(slack.signing_secret.iter().map(|file| ("slack.signing_secret_file", file)));
        }
        files.extend(
            self.pagerduty.iter().map(|pagerduty| ("pagerduty.routing_key_file", &pagerduty.routing_key)),
        );
        let mut files: Vec<_> =
            files.into_iter().map(|(key, file): (&str, _)| (key.to_owned(), file)).collect();
        for (system, access) in self.systems() {
            files.extend(
                access.secret_files().into_iter().map(|(key, file)| (format!("{system}.{key}"), file)),
            );
        }
        files
    }

    /// Every outside system that is asked, by the key of its table.
    fn systems(&self) -> Vec<(String, &AccessConfig)> {
        let mut systems = vec![
            ("alertmanager".to_owned(), &self.alertmanager.access),
            ("prometheus".to_owned(), &self.prometheus.access),
        ];
        for (index, rollout) in self.rollouts.iter().enumerate() {
            systems.push((format!("rollouts[{index}].traffic"), &rollout.traffic.access));
            systems.push((format!("rollouts[{index}].verify"), &rollout.verify.access));
        }
        systems
    }

    /// Reads every certificate and key for outside systems and reports what is wrong with it.
    #[must_use]
    pub fn check_access(&self, now: DateTime<Utc>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (system, access) in self.systems() {
            let mut report = |key: &str, level, message: String, remedy: String| {
                problems.push(Problem::of_key(
                    &self.file,
                    &format!("{system}.{key}"),
                    level,
                    message,
                    remedy,
                ));
            };
            match access.tls.load() {
                Err(error) => report(error.key, Level::Error, error.to_string(), error.remedy.to_owned()),
                Ok(loaded) => {
                    let expiry = loaded.expires_at.and_then(|at| tls::expiry_warning(at, now));
                    if let Some((message, file)) = expiry.zip(access.tls.client_cert_file.as_ref()) {
                        let message = format!("{} {message}", file.display());
                        report(
                            "client_cert_file",
                            Level::Warning,
                            message,
                            "renew it and restart".to_owned(),
                        );
                    }
                }
            }
        }
        problems
    }

    /// Reads every secret file and reports what is wrong with it.
    #[must_use]
    pub fn check_secrets(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, file) in self.secret_files() {
            if let Err(error) = file.read() {
                problems.push(Problem::of_key(
                    &self.file,
                    &key,
                    Level::Error,
                    error.to_string(),
                    error.remedy(),
                ));
            } else if file.is_world_readable() {
                let message = format!("{} can be read by everybody on this machine", file.path().display());
                let remedy = format!("chmod 600 {}", file.path().display());
                problems.push(Problem::of_key(&self.file, &key, Level::Warning, message, remedy));
            }
        }
        problems
    }

    /// Reads every file of `[server.tls]` and reports what is wrong with it.
    #[must_use]
    pub fn check_tls(&self, now: DateTime<Utc>) -> Vec<Problem> {
        let Some(tls) = &self.server.tls else { return Vec::new() };
        let problem = |key: &str, level, message: String, remedy: String| {
            Problem::of_key(&self.file, key, level, message, remedy)
        };
        let mut problems = Vec::new();
        let mut report = |error: TlsError| {
            problems.push(problem(error.key(), Level::Error, error.to_string(), error.remedy()));
        };
        tls.check_client_files().unwrap_or_else(&mut report);
        let loaded = tls.load().map_err(report).ok();
        let expiry = loaded.and_then(|loaded| tls::expiry_warning(loaded.expires_at, now));
        problems.extend(expiry.map(|message| {
            let message = format!("{} {message}", tls.cert_file.display());
            let remedy = "renew it; the new files are taken over without a restart".to_owned();
            problem("server.tls.cert_file", Level::Warning, message, remedy)
        }));
        if tls.is_key_world_readable() {
            let file = tls.key_file.display();
            let message = format!("{file} can be read by everybody on this machine");
            problems.push(problem(
                "server.tls.key_file",
                Level::Warning,
                message,
                format!("chmod 600 {file}"),
            ));
        }
        problems
    }
}

#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod tests;
