//! `[[rollouts]]`

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Url;

use super::access::AccessConfig;
use super::apis::ApiConfig;
use super::durations::{HOUR, MINUTE, SECOND};
use super::flag_request::{BodyTemplate, FlagMethod, ShareScale};
use super::freeze;
use super::kubernetes::KubernetesConfig;
use super::metrics::MetricsConfig;
use super::ramp::RampConfig;
use super::reader::Reader;
use crate::decision::{Mode, OnUnverified, is_legacy_label_name};
use crate::incident::Revision;
use crate::ramp::freeze::FreezeWindows;

/// The longest name: it is part of every incident's id, and of labels in Kubernetes later.
const MAX_NAME: usize = 63;

/// One table of `[[rollouts]]`.
#[derive(Debug, Clone)]
pub struct RolloutConfig {
    pub name: String,
    pub mode: Mode,
    /// An alert belongs to it when it carries all of these labels.
    pub matching: BTreeMap<String, String>,
    pub revision: String,
    /// From a warning's `startsAt` to the decision.
    pub grace: Duration,
    /// How long a hold lasts unless the person says otherwise.
    pub hold: Duration,
    /// At the end of a grace, when nobody can say whether the alert still fires.
    pub on_unverified: OnUnverified,
    pub verify: VerifyConfig,
    /// Which series are its, for the rules.
    pub metrics: MetricsConfig,
    pub traffic: TrafficConfig,
    pub ramp: RampConfig,
    /// APIs that criteria ask with credentials.
    pub apis: Vec<ApiConfig>,
    /// When no ramp may start.
    pub freeze: FreezeWindows,
}

/// `[rollouts.verify]`: what is read after a rollback.
#[derive(Debug, Clone)]
pub struct VerifyConfig {
    /// Answers JSON whose `version` is the serving version.
    pub healthz_url: Option<Url>,
    /// Where the metrics snapshots of the evidence are read.
    pub metrics_url: Option<Url>,
    /// The same for healthz and metrics.
    pub access: AccessConfig,
    /// The version that must answer after a rollback.
    pub stable_version: Option<String>,
    /// How long a verification may take to reach its verdict.
    pub window: Duration,
    /// `None`: what is usual for the kind of target.
    pub guard: Option<Duration>,
    /// The pause between two rounds of it.
    pub interval: Duration,
}

/// `[rollouts.traffic]`, by its `kind`.
#[derive(Debug, Clone)]
pub enum TrafficConfig {
    FeatureFlag(FeatureFlagConfig),
    Kubernetes(KubernetesConfig),
}

/// `[rollouts.traffic]` with `kind = "feature-flag"`.
#[derive(Debug, Clone)]
pub struct FeatureFlagConfig {
    /// Where the share is set; none only in a configuration with errors.
    pub url: Option<Url>,
    pub feature: String,
    pub method: FlagMethod,
    pub body: BodyTemplate,
    /// The unit of the share: as the default body sets it, and as it is read back.
    pub scale: ShareScale,
    pub read_url: Option<Url>,
    /// JSON pointer (RFC 6901) to the share in the answer of `read_url`.
    pub read_pointer: String,
    pub access: AccessConfig,
    pub timeout: Duration,
}

impl RolloutConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let name = reader.required("name", "spark-trading");
        if !name.is_empty() && !is_dns_label(&name) {
            let remedy = format!(
                "use a-z, 0-9 and -, beginning and ending with a letter or digit, at most {MAX_NAME}"
            );
            reader.error("name", format!("{name:?} is no name"), remedy);
        }
        let modes = [("armed", Mode::Armed), ("shadow", Mode::Shadow), ("off", Mode::Off)];
        let mode = reader.choice("mode", &modes, Mode::Armed);
        let default_match = || {
            BTreeMap::from([
                ("rollout".to_owned(), name.clone()),
                ("canary_rollback".to_owned(), "true".to_owned()),
            ])
        };
        let matching = reader.labels("match").unwrap_or_else(default_match);
        if matching.is_empty() {
            let remedy = format!(
                "write match = {{ rollout = {name:?}, canary_rollback = \"true\" }}, or leave it out"
            );
            reader.error(
                "match",
                "is empty: every alert of every application would roll this canary back",
                remedy,
            );
        }
        warn_of_new_names(reader, "match", &matching);
        let grace = reader.duration("grace", 5 * MINUTE, Duration::ZERO, HOUR);
        let hold = reader.duration("hold", 30 * MINUTE, MINUTE, 24 * HOUR);
        let answers = [("roll_back", OnUnverified::RollBack), ("hold", OnUnverified::Hold)];
        let on_unverified = reader.choice("on_unverified", &answers, OnUnverified::RollBack);
        let verify = VerifyConfig::read(&reader.table("verify"));
        let metrics = MetricsConfig::read(&reader.table("metrics"), &name, &matching);
        let traffic_reader = reader.table("traffic");
        if !reader.has("traffic") {
            reader.error(
                "traffic",
                "is missing: there is no way to roll back",
                "add [rollouts.traffic] with kind, url and feature",
            );
        }
        let traffic = TrafficConfig::read(&traffic_reader, reader.has("traffic"));
        traffic.warn_if_unread(reader, &traffic_reader, &verify);
        let ramp = RampConfig::read(&reader.table("ramp"), &traffic);
        let apis = reader.tables("apis").iter().map(ApiConfig::read).collect();
        let freeze = freeze::read(reader);
        let revision = reader.text("revision").unwrap_or_else(|| traffic.default_revision());
        reader.finish();
        Self {
            name,
            mode,
            matching,
            revision,
            grace,
            hold,
            on_unverified,
            verify,
            metrics,
            traffic,
            ramp,
            apis,
            freeze,
        }
    }
}

/// Names that only newer servers accept; older ones refuse every question that has one.
pub(super) fn warn_of_new_names(reader: &Reader<'_>, key: &str, labels: &BTreeMap<String, String>) {
    for name in labels.keys().filter(|name| !is_legacy_label_name(name)) {
        reader.warning(
            key,
            format!(
                "has the label {name:?}, which Prometheus before 3.0 and Alertmanager before 0.27 refuse"
            ),
            "use a name of letters, digits and _ that doesn't begin with a digit, unless both are newer",
        );
    }
}

fn is_dns_label(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= MAX_NAME
        && name.chars().all(|c| plain(c) || c == '-')
        && name.starts_with(plain)
        && name.ends_with(plain)
}

impl VerifyConfig {
    fn read(reader: &Reader<'_>) -> Self {
        let guard = Some(reader.duration("guard", Duration::ZERO, Duration::ZERO, 2 * HOUR));
        let config = Self {
            healthz_url: reader.url("healthz_url"),
            metrics_url: reader.url("metrics_url"),
            access: AccessConfig::read(reader),
            stable_version: reader.text("stable_version"),
            window: reader.duration("window", 10 * MINUTE, SECOND, 2 * HOUR),
            interval: reader.duration("interval", 5 * SECOND, SECOND / 10, 5 * MINUTE),
            guard: guard.filter(|_| reader.has("guard")),
        };
        if reader.has("healthz_url") && !reader.has("stable_version") {
            reader.error(
                "healthz_url",
                "is set, but not which version is right",
                "add verify.stable_version = \"v1.3.9\"",
            );
        }
        reader.finish();
        config
    }
}

impl TrafficConfig {
    fn read(reader: &Reader<'_>, present: bool) -> Self {
        let kind = if present { reader.required("kind", "feature-flag") } else { String::new() };
        match kind.as_str() {
            "ingress-nginx" => return Self::Kubernetes(KubernetesConfig::ingress_nginx(reader)),
            "gateway-api" => return Self::Kubernetes(KubernetesConfig::gateway_api(reader)),
            "" | "feature-flag" => {}
            _ => {
                let remedy = "write kind = \"feature-flag\", \"ingress-nginx\" or \"gateway-api\"";
                reader.error("kind", format!("{kind:?} is not in this version"), remedy);
            }
        }
        Self::FeatureFlag(FeatureFlagConfig::read(reader, present))
    }

    /// How the system is reached, where it is one of HTTP.
    pub(super) fn access(&self) -> Option<&AccessConfig> {
        match self {
            Self::FeatureFlag(flag) => Some(&flag.access),
            Self::Kubernetes(_) => None,
        }
    }

    /// A cluster always says what the share is.
    fn warn_if_unread(&self, rollout: &Reader<'_>, traffic: &Reader<'_>, verify: &VerifyConfig) {
        let Self::FeatureFlag(flag) = self else { return };
        if rollout.has("traffic") && flag.read_url.is_none() && verify.healthz_url.is_none() {
            let remedy = "set traffic.read_url, or verify.healthz_url with verify.stable_version";
            traffic.warning(
                "read_url",
                "is missing, and healthz too: no rollback can be read back, so each stays open",
                remedy,
            );
        }
    }

    fn default_revision(&self) -> String {
        match self {
            Self::FeatureFlag(flag) => flag.feature.clone(),
            Self::Kubernetes(_) => Revision::UNKNOWN.to_owned(),
        }
    }
}

impl FeatureFlagConfig {
    fn read(reader: &Reader<'_>, present: bool) -> Self {
        let required =
            |key: &str, example: &str| if present { reader.required(key, example) } else { String::new() };
        let _url_text = required("url", "http://localhost:4001/api/features/rollout");
        let feature = required("feature", "v1.4.0");
        let scales = [("percent", ShareScale::Percent), ("fraction", ShareScale::Fraction)];
        let scale = reader.choice("scale", &scales, ShareScale::Percent);
        let methods = [FlagMethod::Post, FlagMethod::Put, FlagMethod::Patch].map(|one| (one.as_str(), one));
        let method = reader.choice("method", &methods, FlagMethod::Post);
        let body = reader.text("body").map(|text| BodyTemplate::new(text, &feature));
        let body = body.unwrap_or_else(|| Ok(BodyTemplate::protocol(scale))).unwrap_or_else(|error| {
            reader.error("body", error.to_string(), error.remedy());
            BodyTemplate::protocol(scale)
        });
        let pointer = reader.text("read_pointer");
        if let Some(pointer) = pointer.as_ref().filter(|pointer| !pointer.starts_with('/')) {
            reader.error(
                "read_pointer",
                format!("{pointer:?} is no JSON pointer"),
                format!("write \"/{pointer}\""),
            );
        }
        if pointer.is_some() && !reader.has("read_url") {
            reader.error(
                "read_pointer",
                "points into an answer that nobody asks for",
                "add read_url, or remove it",
            );
        }
        let config = Self {
            url: if reader.has("url") { reader.url("url") } else { None },
            feature,
            method,
            body,
            scale,
            read_url: reader.url("read_url"),
            read_pointer: pointer.unwrap_or_else(|| "/percentage".to_owned()),
            access: AccessConfig::read(reader),
            timeout: reader.duration("timeout", 5 * SECOND, SECOND / 10, MINUTE),
        };
        reader.finish();
        config
    }
}

/// What only shows when all rollouts are seen together.
pub(super) fn check_together(reader: &Reader<'_>, rollouts: &[RolloutConfig]) {
    if rollouts.is_empty() {
        reader.error(
            "rollouts",
            "has none: no alert would ever lead to anything",
            "add [[rollouts]] with name and traffic",
        );
    }
    let mut names = BTreeSet::new();
    let mut matches = BTreeSet::new();
    for rollout in rollouts {
        if !names.insert(&rollout.name) {
            reader.error("rollouts", format!("has two named {:?}", rollout.name), "give each its own name");
        }
        if !matches.insert(&rollout.matching) {
            let message = format!(
                "{:?} matches the same alerts as another: one alert would roll back both",
                rollout.name
            );
            reader.error("rollouts", message, "give each its own `match`");
        }
    }
}
