//! A rollout in a Kubernetes cluster: two Deployments with a Service each, and an object that divides the
//! requests between the Services.
//!
//! What a step depends on is read in the same call, and each change carries the version of what was read,
//! so that nothing is decided upon what somebody has changed meanwhile. The order of steps is not decided
//! here.

mod caller;
mod changes;
mod cluster;
mod error;
mod events;
mod glance;
mod http_route;
mod ingress_nginx;
mod inspection;
mod just_read;
mod object;
mod owned;
mod pods;
mod ramp_steps;
mod revision;
mod rights;
mod router;
mod stable_endpoints;
mod steps;
mod surroundings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use tokio::time::Instant;

#[cfg(feature = "demo")]
pub(crate) use cluster::client_words;
pub use cluster::{Cluster, Clusters};
pub use inspection::{Inspection, inspect};
pub use rights::{Need, Right, rights};

use self::caller::Caller;
use self::changes::{REPLICAS, last_change};
use self::error::CallError;
use self::events::Events;
use self::glance::LastVersion;
use self::http_route::HttpRoute;
use self::ingress_nginx::IngressNginx;
use self::just_read::JustRead;
use self::object::{DEPLOYMENT, Object};
use self::router::Router;
use self::stable_endpoints::KnownSlices;
use self::surroundings::{Claim, Surroundings};
use super::{ActError, Glance, ReadError, Target};
use crate::clock::Clock;
use crate::config::{KubernetesConfig, RevisionSource, RouterConfig};
use crate::incident::{Answer, Observation, Step, Workloads};

/// The longest that one try of a step can take, for `timeout` of a call: the last round may begin at its
/// limit, and reads once, but for slices that are asked for by name before, and writes once.
#[must_use]
pub fn longest_try(timeout: Duration) -> Duration {
    steps::ROUNDS_WITHIN + stable_endpoints::BY_NAME_WITHIN + 2 * timeout
}

/// The Deployments, Services and the router's object of one rollout.
#[derive(Debug)]
pub struct KubernetesTarget {
    caller: Caller,
    router: Box<dyn Router>,
    stable: Object,
    canary: Object,
    stable_service: String,
    canary_service: String,
    revision: RevisionSource,
    surroundings: Surroundings,
    events: Events,
    just_read: JustRead,
    router_version: LastVersion,
    canary_version: LastVersion,
    known_slices: KnownSlices,
    /// Steps that were begun: only the last is decided again after a conflict, which a later one may be.
    begun: AtomicU64,
}

impl KubernetesTarget {
    /// The target as it is configured. Nothing is asked yet, nor any file read.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>, config: &KubernetesConfig, clock: Arc<dyn Clock>) -> Self {
        let KubernetesConfig { namespace, stable, canary, .. } = config;
        let router = router_of(config);
        let caller = Caller { cluster, timeout: config.timeout };
        Self {
            events: Events::new(caller.clone(), clock, router.object(), &canary.deployment),
            surroundings: Surroundings::new(caller.clone(), router.object(), config),
            caller,
            router,
            stable: Object::new(DEPLOYMENT, namespace, &stable.deployment),
            canary: Object::new(DEPLOYMENT, namespace, &canary.deployment),
            stable_service: stable.service.clone(),
            canary_service: canary.service.clone(),
            revision: config.revision.clone(),
            just_read: JustRead::default(),
            router_version: LastVersion::default(),
            canary_version: LastVersion::default(),
            known_slices: KnownSlices::default(),
            begun: AtomicU64::new(0),
        }
    }

    async fn router_object(&self) -> Result<Value, CallError> {
        let object: Value = self.caller.get(self.router.object(), None).await?;
        self.events.seen(self.router.object(), object["metadata"]["uid"].as_str());
        self.router_version.keep(object["metadata"]["resourceVersion"].as_str());
        Ok(object)
    }

    async fn endpoints(&self, service: &str) -> Result<Vec<EndpointSlice>, CallError> {
        self.caller.endpoint_slices(&self.stable.namespace, service).await
    }

    /// A Service with a selector has an EndpointSlice even while it has no pod, so without any there is no
    /// such Service: traffic that is led to it would reach nobody.
    fn without_stable_service(&self, slices: &[EndpointSlice]) -> Option<String> {
        let Self { stable, stable_service, .. } = self;
        let words = || {
            format!(
                "there is no Service {stable_service} with a selector in the namespace {}: create it, or mend the name in [rollouts.traffic]",
                stable.namespace
            )
        };
        slices.is_empty().then(words)
    }

    fn without_canary(&self) -> String {
        let Object { namespace, .. } = &self.canary;
        format!(
            "there is no {} in the namespace {namespace}: a rollback can take its traffic off, and not scale it down",
            self.canary
        )
    }
}

fn router_of(config: &KubernetesConfig) -> Box<dyn Router> {
    let KubernetesConfig { namespace, stable, canary, .. } = config;
    match &config.router {
        RouterConfig::IngressNginx { canary_ingress } => {
            Box::new(IngressNginx::new(namespace, canary_ingress, &stable.service))
        }
        RouterConfig::GatewayApi { http_route } => {
            Box::new(HttpRoute::new(namespace, http_route, &stable.service, &canary.service))
        }
    }
}

#[async_trait]
impl Target for KubernetesTarget {
    fn describe(&self, step: Step) -> String {
        let namespace = &self.stable.namespace;
        let scale = |deployment: &Object, replicas: &str| {
            format!("PATCH {}/scale in {namespace}: replicas {replicas}", deployment.typed())
        };
        let shift = |share| format!("{} in {namespace}", self.router.describe(share));
        match step {
            Step::TrafficOff => shift(crate::incident::Share::ZERO),
            Step::Shift { share, .. } => shift(share),
            Step::StableUp { replicas } => scale(&self.stable, &format!("at least {replicas}")),
            Step::CanaryDown { .. } => scale(&self.canary, "0"),
            Step::SetShare { share, .. } => shift(share),
            Step::CanaryUp { replicas } => scale(&self.canary, &format!("at least {replicas}")),
            Step::StableDown { .. } => scale(&self.stable, "0"),
            Step::StopOwner => self.describe_stop(),
        }
    }

    async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        self.events.begun();
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let is_last = || self.begun.load(Ordering::Relaxed) == number;
        let applied = self.carry_out(step, is_last).await;
        self.events.answered();
        match &applied {
            Ok(answer) => self.events.done(step, &answer.text),
            // Waiting is no failure.
            Err(ActError::NotNow(_)) => {}
            Err(error) => self.events.failed(step, &error.answer().text),
        }
        applied
    }

    fn can_observe(&self) -> bool {
        true
    }

    async fn glance(&self) -> Option<Result<Glance, ReadError>> {
        Some(self.at_a_glance().await)
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        let asked_at = Instant::now();
        let (object, stable, canary, of_stable, of_canary, others) = tokio::join!(
            self.router_object(),
            self.caller.get::<Deployment>(&self.stable, None),
            self.caller.get::<Deployment>(&self.canary, None),
            self.stable_slices(),
            self.endpoints(&self.canary_service),
            self.surroundings.known(),
        );
        let object = object.map_err(CallError::of_an_observation)?;
        let claim = others.owner.as_ref();
        let runs_itself = claim.and_then(|claim| claim.replicas);
        let stable = match stable {
            Err(error) if error.is_of_nothing() && runs_itself.is_some() => None,
            read => Some(read.map_err(CallError::of_an_observation)?),
        };
        // Without it the traffic can go to stable all the same.
        let canary = match canary {
            Err(error) if error.is_of_nothing() => None,
            read => Some(read.map_err(CallError::of_an_observation)?),
        };
        let of_stable = of_stable.map_err(CallError::of_an_observation)?;
        let of_canary = of_canary.map_err(CallError::of_an_observation)?;
        let uid = canary.as_ref().and_then(|canary| canary.metadata.uid.as_deref());
        self.events.seen(&self.canary, uid);
        let version = canary.as_ref().and_then(|canary| canary.metadata.resource_version.as_deref());
        self.canary_version.keep(version);
        let is_missing = canary.is_none() && runs_itself.is_none();
        let without_canary = is_missing.then(|| self.without_canary());
        let route = self.router.route(&object).map_err(ReadError::NotUnderstood)?;
        let metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone())
            .map_err(|error| ReadError::NotUnderstood(format!("{}: {error}", self.router.object())))?;
        self.just_read.keep(asked_at, object, pods::ready_endpoints(&of_stable));
        let changes = [
            last_change(self.router.object(), &metadata, self.router.fields()),
            stable.as_ref().and_then(|stable| last_change(&self.stable, &stable.metadata, REPLICAS)),
            canary.as_ref().and_then(|canary| last_change(&self.canary, &canary.metadata, REPLICAS)),
        ];
        Ok(Observation {
            share: route.share,
            bypasses: route.bypasses,
            workloads: Some(Workloads {
                stable: match (runs_itself, &stable) {
                    (Some(wanted), _) => pods::of_an_owner(wanted, &of_stable),
                    (None, Some(stable)) => pods::pods(stable, &of_stable),
                    (None, None) => pods::without_deployment(&of_stable),
                },
                canary: match &canary {
                    Some(canary) if runs_itself.is_none() => pods::pods(canary, &of_canary),
                    _ => pods::without_deployment(&of_canary),
                },
            }),
            revision: canary.as_ref().and_then(|canary| revision::revision(canary, &self.revision)),
            not_in_effect: route.not_in_effect.or_else(|| claim.and_then(|claim| claim.lags.clone())),
            autoscaler: others.autoscaler,
            owner: claim.map(|claim| claim.owner.clone()),
            warnings: others.warnings.into_iter().chain(without_canary).collect(),
            obstacle: claim
                .and_then(Claim::obstacle)
                .or(route.obstacle)
                .or_else(|| self.without_stable_service(&of_stable)),
            changes: changes.into_iter().flatten().collect(),
        })
    }
}

#[cfg(test)]
mod tests;
