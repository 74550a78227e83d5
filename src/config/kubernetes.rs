//! `[rollouts.traffic]` with `kind = "ingress-nginx"` or `kind = "gateway-api"`: names of objects in a
//! cluster, and how a rollback treats its workloads.

use std::path::PathBuf;
use std::time::Duration;

use super::durations::{HOUR, MINUTE, SECOND};
use super::reader::Reader;
use super::rollout::TrafficConfig;
use super::{Config, Level, Problem};

/// The protocol's `--replicas=3`.
const DEFAULT_REPLICAS: u16 = 3;

/// More than any Deployment of one application has.
const MAX_REPLICAS: u16 = 5_000;

/// The longest name of an object.
const MAX_NAME: usize = 253;

/// Which object divides the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterConfig {
    IngressNginx {
        /// The Ingress with the canary's annotations, not the one beside it.
        canary_ingress: String,
    },
    GatewayApi {
        http_route: String,
    },
}

/// One version's Deployment and the Service before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadConfig {
    pub deployment: String,
    pub service: String,
}

/// Where the canary's Deployment says which version it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionSource {
    /// The tag of the first container's image.
    ImageTag,
    /// That of the container of this name.
    ImageTagOf(String),
    /// A label of its pods, or else its own.
    Label(String),
}

/// What is done where Flagger or Argo Rollouts owns the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerPolicy {
    /// Nothing is changed, and a person is told.
    Refuse,
    /// It is told to stop, by its own means.
    Abort,
}

/// What a rollback acts upon in a cluster.
#[derive(Debug, Clone)]
pub struct KubernetesConfig {
    pub namespace: String,
    pub router: RouterConfig,
    pub stable: WorkloadConfig,
    /// Of the stable version: so many carry all of the traffic.
    pub replicas: u16,
    pub canary: WorkloadConfig,
    pub revision: RevisionSource,
    pub owner: OwnerPolicy,
    /// `None`: the ServiceAccount of the pod that Backstop runs in.
    pub kubeconfig: Option<PathBuf>,
    /// After so long any ready pod of stable has to carry everything, for a critical.
    pub critical_after: Duration,
    /// The same for a warning.
    pub warning_after: Duration,
    /// How long the canary's pods have to end what they began.
    pub drain: Duration,
    /// The longest one call to the API server may take.
    pub timeout: Duration,
}

impl KubernetesConfig {
    pub(super) fn ingress_nginx(reader: &Reader<'_>) -> Self {
        let canary_ingress = object_name(reader, "canary_ingress", "spark-trading");
        Self::read(reader, RouterConfig::IngressNginx { canary_ingress })
    }

    pub(super) fn gateway_api(reader: &Reader<'_>) -> Self {
        let http_route = object_name(reader, "http_route", "spark-trading");
        Self::read(reader, RouterConfig::GatewayApi { http_route })
    }

    fn read(reader: &Reader<'_>, router: RouterConfig) -> Self {
        let namespace = object_name(reader, "namespace", "spark");
        let stable_reader = reader.table("stable");
        let stable = WorkloadConfig::read(&stable_reader, "spark-trading-api-stable");
        let replicas = replicas(&stable_reader);
        stable_reader.finish();
        let canary_reader = reader.table("canary");
        let canary = WorkloadConfig::read(&canary_reader, "spark-trading-api-canary");
        canary_reader.finish();
        for (key, one, other) in [
            ("deployment", &stable.deployment, &canary.deployment),
            ("service", &stable.service, &canary.service),
        ] {
            if one == other && !one.is_empty() {
                let message = format!("{one:?} is stable's {key}, too: a rollback would take it down");
                canary_reader.error(key, message, format!("name the canary's own {key}"));
            }
        }
        let config = Self {
            namespace,
            router,
            stable,
            replicas,
            canary,
            revision: revision(reader),
            owner: owner(reader),
            kubeconfig: reader.text("kubeconfig").map(|text| reader.file_path(&text)),
            critical_after: reader.duration("critical_after", 30 * SECOND, Duration::ZERO, HOUR),
            warning_after: reader.duration("warning_after", 5 * MINUTE, Duration::ZERO, HOUR),
            drain: reader.duration("drain", 5 * SECOND, Duration::ZERO, 10 * MINUTE),
            timeout: reader.duration("timeout", 5 * SECOND, SECOND / 10, MINUTE),
        };
        reader.finish();
        config
    }
}

impl Config {
    /// Whether each kubeconfig that is named can be read. What it says shows when it is used.
    #[must_use]
    pub fn check_kubeconfigs(&self) -> Vec<Problem> {
        let named = self.rollouts.iter().enumerate().filter_map(|(index, rollout)| match &rollout.traffic {
            TrafficConfig::Kubernetes(cluster) => Some((index, cluster.kubeconfig.as_ref()?)),
            TrafficConfig::FeatureFlag(_) => None,
        });
        let unread = named.filter_map(|(index, file)| Some((index, file, std::fs::File::open(file).err()?)));
        unread
            .map(|(index, file, error)| {
                let message = format!("{} can't be read: {error}", file.display());
                let remedy = "name a kubeconfig, or leave the key out in a pod with a ServiceAccount";
                let key = format!("rollouts[{index}].traffic.kubeconfig");
                Problem::of_key(&self.file, &key, Level::Error, message, remedy.to_owned())
            })
            .collect()
    }
}

impl WorkloadConfig {
    fn read(reader: &Reader<'_>, example: &str) -> Self {
        Self {
            deployment: object_name(reader, "deployment", example),
            service: object_name(reader, "service", example),
        }
    }
}

/// A name as Kubernetes allows it; it becomes part of a path.
fn object_name(reader: &Reader<'_>, key: &str, example: &str) -> String {
    let name = reader.required(key, example);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = name.len() <= MAX_NAME
        && name.chars().all(|c| plain(c) || c == '-' || c == '.')
        && name.starts_with(plain)
        && name.ends_with(plain)
        && !name.contains("..");
    if !name.is_empty() && !is_name {
        let remedy = "use the name that kubectl get shows: a-z, 0-9, - and .";
        reader.error(key, format!("{name:?} is no name of an object"), remedy);
    }
    name
}

fn replicas(reader: &Reader<'_>) -> u16 {
    reader.whole_number("replicas", DEFAULT_REPLICAS, 1, MAX_REPLICAS)
}

fn revision(reader: &Reader<'_>) -> RevisionSource {
    let Some(text) = reader.text("revision") else { return RevisionSource::ImageTag };
    match text.split_once(':') {
        None if text == "image-tag" => return RevisionSource::ImageTag,
        Some(("image-tag", name)) if !name.is_empty() => return RevisionSource::ImageTagOf(name.to_owned()),
        Some(("label", name)) if !name.is_empty() => return RevisionSource::Label(name.to_owned()),
        _ => {}
    }
    let remedy = "write \"image-tag\", \"image-tag:CONTAINER\" or \"label:app.kubernetes.io/version\"";
    reader.error("revision", format!("{text:?} says no place"), remedy);
    RevisionSource::ImageTag
}

fn owner(reader: &Reader<'_>) -> OwnerPolicy {
    match reader.text("owner").as_deref() {
        None | Some("refuse") => OwnerPolicy::Refuse,
        Some("abort") => OwnerPolicy::Abort,
        Some(other) => {
            let remedy = "write \"refuse\" to change nothing then, or \"abort\" to have it told to stop";
            reader.error("owner", format!("{other:?} is no way to treat an owner"), remedy);
            OwnerPolicy::Refuse
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
