//! Configuration: read once, checked whole, every problem reported at once with its place and remedy.
//!
//! What is typed (TOML) becomes what is valid ([`Config`]) here and nowhere else. Paths are relative
//! to the configuration file's folder, so that a service finds them whatever its working directory.

mod access;
mod apis;
mod client_tls;
mod criteria;
mod durations;
mod fingerprint;
mod flag_request;
mod freeze;
mod incident_report;
mod kubernetes;
mod metrics;
mod people;
mod ramp;
mod reader;
mod reference;
mod report;
mod rollout;
mod secret;
mod secret_watch;
mod sections;
mod signing;
mod systems;
mod tls;
mod token;

use std::path::{Path, PathBuf};

pub use access::{AccessConfig, Credentials, ExtraHeader, HeaderText};
pub use apis::{ApiConfig, LokiConfig};
use chrono::{DateTime, Utc};
pub use client_tls::{ClientTlsConfig, ClientTlsError, LoadedClientTls};
pub use criteria::CriteriaConfig;
pub use flag_request::{BodyError, BodyTemplate, FlagMethod, ShareScale};
pub use incident_report::{ReportConfig, TemplateFileError};
pub use kubernetes::{KubernetesConfig, OwnerPolicy, RevisionSource, RouterConfig, WorkloadConfig};
pub use metrics::{DEFAULT_CANARY, MetricsConfig, example_labels, foreign_labels, quoted};
pub use people::{
    GrafanaConfig, LevelKeys, PageCall, PageFind, PageKind, PageTemplates, PagerDutyConfig, PeopleConfig,
    SlackButtons, SlackConfig, StatusPageConfig, TeamsConfig, TextTemplate, UrlTemplate, WebhookConfig,
};
pub use ramp::{GitTagConfig, RampConfig, StagesError, stages_of};
use reader::Reader;
pub use reference::{KeyReference, REFERENCE};
pub use report::{ConfigReport, Level, Problem};
pub use rollout::{FeatureFlagConfig, RolloutConfig, TrafficConfig, VerifyConfig};
pub use secret::{SecretError, SecretFile, SecretState};
pub use secret_watch::{SecretCounts, watch_secrets};
pub use sections::{AlertmanagerConfig, EvidenceConfig, PrometheusConfig, ServerConfig, StoreConfig};
pub use signing::SigningSecret;
pub use tls::{LoadedTls, TlsConfig, TlsError, TlsVersion};
pub use token::{BasicAuth, TokenSet};

use crate::clock::{Clock, SystemClock};

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub file: PathBuf,
    /// Of its text: two that read the same have the same.
    pub fingerprint: String,
    pub server: ServerConfig,
    pub store: StoreConfig,
    pub evidence: EvidenceConfig,
    pub alertmanager: AlertmanagerConfig,
    pub prometheus: PrometheusConfig,
    /// `None`: no criterion can ask for lines of a log.
    pub loki: Option<LokiConfig>,
    pub people: PeopleConfig,
    pub report: ReportConfig,
    pub rollouts: Vec<RolloutConfig>,
    /// All of level warning: valid, and still worth a thought.
    pub warnings: Vec<Problem>,
}

/// Larger than any configuration; a wrong path should not fill the memory.
const MAX_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads and checks a file, and the secret files that it names: what a server starts with.
    ///
    /// # Errors
    /// Every problem at once, each with file, line, key and remedy.
    pub fn load(path: &Path) -> Result<Self, ConfigReport> {
        let config = Self::read(path)?;
        let of_files = config.check_files(SystemClock.now());
        let (errors, warnings): (Vec<_>, Vec<_>) =
            of_files.into_iter().partition(|problem| problem.level == Level::Error);
        if !errors.is_empty() {
            return Err(ConfigReport::new(errors));
        }
        let warnings = config.warnings.iter().cloned().chain(warnings).collect();
        Ok(Self { warnings, ..config })
    }

    /// The same for a command, which needs few of the files: one that is missing, or hangs, must not
    /// stop a rollback by hand that doesn't need it. Whoever needs it says so.
    ///
    /// # Errors
    /// Every problem of the configuration's own text.
    pub fn open(path: &Path) -> Result<Self, ConfigReport> {
        let config = Self::read(path)?;
        config.look_at_secrets();
        Ok(config)
    }

    /// Everything that is wrong with the files that it names, at the places of their keys.
    #[must_use]
    pub fn check_files(&self, now: DateTime<Utc>) -> Vec<Problem> {
        let of_files = self.check_secrets().into_iter().chain(self.check_tls(now));
        let of_files = of_files.chain(self.check_access(now)).chain(self.report.check(&self.file));
        let of_files = of_files.chain(self.check_kubeconfigs()).chain(self.check_repositories());
        // It was read a moment ago, so it can be read again; if not, problems have no line.
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let document = toml_edit::Document::parse(text.as_str()).map(toml_edit::Document::into_item);
        let document = document.unwrap_or_default();
        let placed = of_files.map(|problem| problem.placed(&document, &text));
        placed.chain(self.check_criteria(&document, &text)).collect()
    }

    /// The configuration, without a look at the files that it names.
    fn read(path: &Path) -> Result<Self, ConfigReport> {
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
        Self::parse(&text, path)
    }

    /// Checks a text, without looking at the files that it names: no secret can be had before
    /// [`Config::look_at_secrets`].
    ///
    /// # Errors
    /// Every problem at once.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigReport> {
        let document = toml_edit::Document::parse(text)
            .map_err(|error| ConfigReport::new(vec![Problem::syntax(file, text, &error)]))?;
        let reader = Reader::new(file, text, document.as_table());
        let server = ServerConfig::read(&reader.table("server"));
        let store = StoreConfig::read(&reader.table("store"));
        let evidence = EvidenceConfig::read(&reader.table("evidence"), &store);
        let alertmanager = AlertmanagerConfig::read(&reader.table("alertmanager"));
        let prometheus = PrometheusConfig::read(&reader.table("prometheus"));
        let loki = reader.optional_table("loki").map(|table| LokiConfig::read(&table));
        let people = PeopleConfig::read(&reader);
        let report = ReportConfig::read(&reader.table("report"));
        let rollouts: Vec<_> = reader.tables("rollouts").iter().map(RolloutConfig::read).collect();
        rollout::check_together(&reader, &rollouts);
        reader.finish();
        let (errors, warnings): (Vec<_>, Vec<_>) =
            reader.problems().into_iter().partition(|problem| problem.level == Level::Error);
        if errors.is_empty() {
            let (file, fingerprint) = (file.to_owned(), fingerprint::of(text));
            Ok(Self {
                file,
                fingerprint,
                server,
                store,
                evidence,
                alertmanager,
                prometheus,
                loki,
                people,
                report,
                rollouts,
                warnings,
            })
        } else {
            Err(ConfigReport::new(errors.into_iter().chain(warnings).collect()))
        }
    }

    /// Every secret file that is named, with its key.
    #[must_use]
    pub fn secret_files(&self) -> Vec<(String, &SecretFile)> {
        let mut files = Vec::new();
        let server = &self.server;
        files.extend(server.webhook_tokens.iter().map(|file| ("server.auth.webhook_token_files", file)));
        let basic = server.webhook_basic_auth.iter().map(|auth| &auth.password);
        files.extend(basic.map(|file| ("server.auth.webhook_basic_auth.password_file", file)));
        files.extend(server.operator_tokens.iter().map(|file| ("server.auth.operator_token_files", file)));
        files.extend(server.viewer_tokens.iter().map(|file| ("server.auth.viewer_token_files", file)));
        files.extend(self.people.secret_files());
        let mut files: Vec<_> =
            files.into_iter().map(|(key, file): (&str, _)| (key.to_owned(), file)).collect();
        for (system, access) in self.systems() {
            files.extend(
                access.secret_files().into_iter().map(|(key, file)| (format!("{system}.{key}"), file)),
            );
        }
        files
    }

    /// Looks at every secret file once, and waits a few seconds for those that don't answer.
    pub fn look_at_secrets(&self) {
        secret_watch::look_now(&self.secret_files().into_iter().map(|(_, file)| file).collect::<Vec<_>>());
    }

    /// Reads every secret file and reports what is wrong with it.
    #[must_use]
    pub fn check_secrets(&self) -> Vec<Problem> {
        self.look_at_secrets();
        let files = self.secret_files();
        let mut problems = Vec::new();
        let mut report = |key: &str, level, message: String, remedy: String| {
            problems.push(Problem::of_key(&self.file, key, level, message, remedy));
        };
        for (key, file) in &files {
            let path = file.path().display();
            match (file.read(), file.state()) {
                (Err(error), _) | (Ok(_), SecretState::PartlyUsable(error) | SecretState::Gone(error)) => {
                    report(key, Level::Error, error.to_string(), error.remedy());
                }
                (Ok(_), SecretState::Usable | SecretState::Unclear(_)) => {}
            }
            if file.is_world_readable() {
                let message = format!("{path} can be read by everybody on this machine");
                report(key, Level::Warning, message, format!("chmod 600 {path}"));
            }
            if key.ends_with("token_files") && token::is_wordlike(file) {
                let message = format!("{path} holds a token of under 16 characters, which may be guessed");
                let remedy =
                    format!("write a random one: (umask 077; head -c 24 /dev/urandom | base64 > {path})");
                report(key, Level::Warning, message, remedy);
            }
        }
        for (key, one, other) in self.tokens_of_two_roles() {
            let message =
                format!("{} and {} hold the same token", one.path().display(), other.path().display());
            let remedy =
                "give each role a token of its own: who may post alerts must not be able to hold them";
            report(key, Level::Error, message, remedy.to_owned());
        }
        problems
    }

    /// Pairs of files of different roles with a token in common, and the second one's key.
    fn tokens_of_two_roles(&self) -> Vec<(&'static str, &SecretFile, &SecretFile)> {
        let server = &self.server;
        let roles = [
            ("server.auth.webhook_token_files", &server.webhook_tokens),
            ("server.auth.operator_token_files", &server.operator_tokens),
            ("server.auth.viewer_token_files", &server.viewer_tokens),
        ];
        let mut found = Vec::new();
        for (index, (_, role)) in roles.iter().enumerate() {
            for (key, others) in roles.iter().skip(index + 1) {
                let pairs = role.iter().flat_map(|one| others.iter().map(move |other| (*key, one, other)));
                found.extend(pairs.filter(|(_, one, other)| secret::share_a_line(one, other)));
            }
        }
        found
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
