//! Looks at a rollout's part of a cluster before there is anything to roll back: whether we may do what a
//! rollback does, whether the objects are what the configuration takes them for, and who would undo it.
//! Only reads; what is read is judged by pure functions.

mod allowed;
mod applied;
mod autoscalers;
mod workloads;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::Value;

use super::caller::Caller;
use super::cluster::Cluster;
use super::error::{CallError, Why};
use super::object::{DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, INGRESS, Object, SERVICE};
use super::router::Router;
use super::router_of;
use super::surroundings::{Claim, owner_now};
use crate::clock::Clock;
use crate::config::{KubernetesConfig, RouterConfig};
use crate::finding::{Area, Check, Finding, Severity};

/// What was found out about a rollout's part of a cluster.
#[derive(Debug)]
pub struct Inspection {
    pub findings: Vec<Finding>,
    /// What the API server's clock showed, to the second.
    pub clock: Option<DateTime<Utc>>,
    /// When ours had heard of it.
    pub answered_at: DateTime<Utc>,
}

/// Looks at all of it; `rollout` is what the findings are about. It takes a few calls' time at most.
pub async fn inspect(
    cluster: Arc<Cluster>,
    config: &KubernetesConfig,
    rollout: &str,
    clock: &dyn Clock,
) -> Inspection {
    let caller = Caller { cluster, timeout: config.timeout };
    let named = |name| Check::new(Area::Kubernetes, rollout, name);
    let answer = caller.version().await;
    let answered_at = clock.now();
    let (version, clock) = match answer {
        Ok(answered) => answered,
        Err(error) => {
            let findings = vec![unreachable(named("reachable"), &error)];
            return Inspection { findings, clock: None, answered_at };
        }
    };
    let mut findings = vec![named("reachable").fine(format!("The API server answers: {version}."))];
    let router = router_of(config);
    let ((of_rights, owner), seen) = tokio::join!(
        async {
            let owner = owner_now(&caller, router.object(), config).await;
            (allowed::judged(named("rights"), &caller, config, owner.as_ref()).await, owner)
        },
        Seen::look(&caller, config),
    );
    findings.extend(of_rights);
    findings.extend(owner.and_then(|claim| owned(named("owner"), &claim)));
    findings.extend(seen.judged(config, rollout));
    Inspection { findings, clock, answered_at }
}

/// What Flagger or Argo Rollouts owns is not ours to roll back.
fn owned(check: Check<'_>, claim: &Claim) -> Option<Finding> {
    if let Some(obstacle) = claim.obstacle() {
        let remedy = "Do that, or set mode = \"off\" for this rollout, so that nobody counts on Backstop.";
        return Some(check.error(format!("{obstacle}."), remedy));
    }
    let words = claim.warning()?;
    Some(check.note(format!("{words}."), "Nothing: owner = \"abort\" in [rollouts.traffic] says so."))
}

fn unreachable(check: Check<'_>, error: &CallError) -> Finding {
    let in_a_pod =
        "where Backstop runs in a pod, run doctor there: kubectl exec deploy/backstop -- backstop doctor";
    let remedy = match (&error.why, error.remedy()) {
        (Why::NotReady(_), _) => {
            format!("Name a kubeconfig that can be used in [rollouts.traffic]; {in_a_pod}.")
        }
        (_, Some(remedy)) => remedy,
        (_, None) => format!("See that its address can be reached from here; {in_a_pod}."),
    };
    check.error(format!("The API server can't be asked: {}.", error.why), remedy)
}

type Read<T> = Result<T, CallError>;

/// One version's objects, as they were read.
struct Version {
    deployment: Read<Deployment>,
    service: Read<Service>,
    slices: Read<Vec<EndpointSlice>>,
}

impl Version {
    async fn look(caller: &Caller, namespace: &str, deployment: &str, service: &str) -> Self {
        let deployment = Object::new(DEPLOYMENT, namespace, deployment);
        let of_service = Object::new(SERVICE, namespace, service);
        let (deployment, of_service, slices) = tokio::join!(
            caller.get(&deployment, None),
            caller.get(&of_service, None),
            caller.endpoint_slices(namespace, service),
        );
        Self { deployment, service: of_service, slices }
    }
}

struct Seen {
    stable: Version,
    canary: Version,
    router: Read<Value>,
    ingresses: Option<Read<Vec<Ingress>>>,
    autoscalers: Read<Vec<HorizontalPodAutoscaler>>,
}

impl Seen {
    async fn look(caller: &Caller, config: &KubernetesConfig) -> Self {
        let KubernetesConfig { namespace, stable, canary, router, .. } = config;
        let all_ingresses = async {
            match router {
                RouterConfig::IngressNginx { .. } => Some(caller.list(INGRESS, namespace).await),
                RouterConfig::GatewayApi { .. } => None,
            }
        };
        let router = router_of(config);
        let (stable, canary, router, ingresses, autoscalers) = tokio::join!(
            Version::look(caller, namespace, &stable.deployment, &stable.service),
            Version::look(caller, namespace, &canary.deployment, &canary.service),
            caller.get(router.object(), None),
            all_ingresses,
            caller.list(HORIZONTAL_POD_AUTOSCALER, namespace),
        );
        Self { stable, canary, router, ingresses, autoscalers }
    }

    fn judged(&self, config: &KubernetesConfig, rollout: &str) -> Vec<Finding> {
        let named = |name| Check::new(Area::Kubernetes, rollout, name);
        let mut findings = Vec::new();
        let objects = named("objects");
        let reads = [
            self.stable.deployment.as_ref().err(),
            self.canary.deployment.as_ref().err(),
            self.stable.service.as_ref().err(),
            self.canary.service.as_ref().err(),
            self.stable.slices.as_ref().err(),
            self.canary.slices.as_ref().err(),
            self.router.as_ref().err(),
        ];
        findings.extend(reads.into_iter().flatten().filter_map(|error| unread(objects, error)));
        findings.extend(workloads::judged(named("workloads"), config, &self.stable, &self.canary));
        let router = router_of(config);
        let applied = named("applied_by_others");
        if let Ok(object) = &self.router {
            findings.extend(self.routed(named("router"), config, router.as_ref(), object));
            findings.extend(applied::router(applied, router.as_ref(), object));
        }
        if let Ok(all) = &self.autoscalers {
            findings.extend(autoscalers::judged(named("autoscalers"), config, all));
        }
        for (deployment, is_stable) in [(&self.stable.deployment, true), (&self.canary.deployment, false)] {
            if let Ok(deployment) = deployment {
                let harmless_from = is_stable.then_some(config.replicas);
                findings.extend(applied::deployment(applied, deployment, harmless_from));
            }
        }
        if findings.iter().all(|finding| finding.severity <= Severity::Note) {
            findings.push(objects.fine("The objects are there, and fit together."));
        }
        findings
    }

    fn routed(
        &self,
        check: Check<'_>,
        config: &KubernetesConfig,
        router: &dyn Router,
        object: &Value,
    ) -> Vec<Finding> {
        let route = match router.route(object) {
            Ok(route) => route,
            Err(why) => {
                let remedy = "Name the right object in [rollouts.traffic].";
                return vec![check.error(format!("{} is {why}.", router.object()), remedy)];
            }
        };
        if let Some(obstacle) = route.obstacle {
            return vec![check.error(obstacle, remedy_of_an_obstacle(config))];
        }
        let mut doubts = router.doubts(check, object, &config.canary.service);
        if let Some(Ok(all)) = &self.ingresses {
            doubts.extend(router.doubts_beside(check, object, all));
        }
        doubts
    }
}

fn remedy_of_an_obstacle(config: &KubernetesConfig) -> String {
    let namespace = &config.namespace;
    match &config.router {
        RouterConfig::IngressNginx { canary_ingress } => format!(
            "Set nginx.ingress.kubernetes.io/canary: \"true\" and canary-weight on it; see kubectl describe ingress {canary_ingress} -n {namespace}."
        ),
        RouterConfig::GatewayApi { http_route } => format!(
            "Mend its backendRefs or its parentRefs; see kubectl describe httproute {http_route} -n {namespace}."
        ),
    }
}

/// Where a right is missing, that is what is said, and by its own check.
fn unread(check: Check<'_>, error: &CallError) -> Option<Finding> {
    let object = &error.call.object;
    match error.status() {
        Some(403) if error.is_about_rights() => None,
        Some(404) => Some(check.error(
            format!("There is no {object} in the namespace {}.", object.namespace),
            "Create it, or mend its name in [rollouts.traffic].",
        )),
        _ => {
            let remedy = error.remedy().unwrap_or_else(|| "See the API server's log.".to_owned());
            Some(check.error(format!("{object} can't be read: {}.", error.why), remedy))
        }
    }
}
