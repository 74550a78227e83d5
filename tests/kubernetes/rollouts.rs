//! A rollout in a namespace of its own: both versions, what divides the traffic, and the target over it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backstop::clock::SystemClock;
use backstop::config::{KubernetesConfig, OwnerPolicy, RevisionSource, RouterConfig, WorkloadConfig};
use backstop::execution::{ActError, Clusters, KubernetesTarget, Target};
use backstop::incident::{Answer, Observation, Pods, Step};
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::controlplane::{ControlPlane, shared, wait_for};
use crate::workloads::{Workloads, pods};

/// What divides the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Router {
    Nginx,
    Gateway,
}

pub(crate) struct Rollout {
    pub(crate) workloads: Workloads,
    pub(crate) router: Router,
    pub(crate) target: KubernetesTarget,
}

/// The target as somebody with this kubeconfig acts.
pub(crate) fn target(kubeconfig: &Path, namespace: &str, router: Router) -> KubernetesTarget {
    target_with(kubeconfig, namespace, router, OwnerPolicy::Refuse)
}

/// The same, with a setting for whoever else carries the rollout out.
pub(crate) fn target_with(
    kubeconfig: &Path,
    namespace: &str,
    router: Router,
    owner: OwnerPolicy,
) -> KubernetesTarget {
    let workload = |name: &str| WorkloadConfig { deployment: name.to_owned(), service: name.to_owned() };
    let config = KubernetesConfig {
        namespace: namespace.to_owned(),
        router: match router {
            Router::Nginx => RouterConfig::IngressNginx { canary_ingress: "api".to_owned() },
            Router::Gateway => RouterConfig::GatewayApi { http_route: "api".to_owned() },
        },
        stable: workload("stable"),
        replicas: 3,
        canary: workload("canary"),
        revision: RevisionSource::ImageTag,
        owner,
        kubeconfig: Some(kubeconfig.to_owned()),
        critical_after: Duration::from_secs(30),
        warning_after: Duration::from_secs(300),
        drain: Duration::from_secs(5),
        // Generous: the machine that tests is busy.
        timeout: Duration::from_secs(20),
    };
    KubernetesTarget::new(Clusters::default().of(Some(kubeconfig)), &config, Arc::new(SystemClock))
}

/// How much the canary has of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// So many per cent.
    Weight(u8),
    /// The protocol's last stage: its weight's annotation is taken away, or the route leads to it alone.
    LastStage,
}

/// A quarter.
const USUAL: Traffic = Traffic::Weight(25);

/// How a rollout is when a test begins. The canary has one pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) router: Router,
    pub(crate) traffic: Traffic,
    /// Replicas of the stable version, and how many of them are ready; the rest only once they are healed.
    pub(crate) wanted: u16,
    pub(crate) ready: u16,
}

impl Rollout {
    /// Stable has so many ready pods, the canary one and a quarter of the traffic.
    pub(crate) async fn new(namespace: &str, router: Router, stable: u16) -> Self {
        Self::on(shared().await, namespace, router, stable).await
    }

    /// The same on a control plane apart.
    pub(crate) async fn on(cluster: &ControlPlane, namespace: &str, router: Router, stable: u16) -> Self {
        let setup = Setup { router, traffic: USUAL, wanted: stable, ready: stable };
        Self::set_up(cluster, namespace, setup).await
    }

    pub(crate) async fn set_up(cluster: &ControlPlane, namespace: &str, setup: Setup) -> Self {
        let Setup { router, traffic, wanted, ready } = setup;
        let workloads = Workloads::new(cluster.client().await, &cluster.namespace(namespace).await);
        let are_ready = if ready < wanted { pods::never_ready() } else { pods::ready() };
        workloads.deploy("stable", u32::from(wanted), &are_ready).await;
        workloads.deploy("canary", 1, &pods::ready()).await;
        let target = target(&cluster.kubeconfig(), namespace, router);
        let this = Self { workloads, router, target };
        match router {
            Router::Nginx => this.create_ingress_with(traffic).await,
            Router::Gateway => {
                this.create_route_with(traffic).await;
                this.accept_route().await;
            }
        }
        if ready < wanted {
            let all =
                || async { (this.workloads.pods("stable").await.len() == usize::from(wanted)).then_some(()) };
            wait_for("the stable version's pods", all).await;
            this.heal(usize::from(ready)).await;
        }
        this.pods_become(Pods { wanted, available: ready, ready_endpoints: ready }, all(1)).await;
        this
    }

    /// Lets so many of the stable version's pods be ready.
    pub(crate) async fn heal(&self, count: usize) {
        for pod in self.workloads.pods("stable").await.into_iter().take(count) {
            let name = pod.metadata.name.unwrap_or_default();
            self.workloads.annotate_pod(&name, &json!({ "backstop.test/ready": null })).await;
        }
    }

    pub(crate) async fn create_ingress(&self) {
        self.create_ingress_with(USUAL).await;
    }

    async fn create_ingress_with(&self, traffic: Traffic) {
        let backend = json!({ "service": { "name": "canary", "port": { "number": 80 } } });
        let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
        let mut annotations = json!({ "nginx.ingress.kubernetes.io/canary": "true" });
        if let Traffic::Weight(weight) = traffic {
            annotations["nginx.ingress.kubernetes.io/canary-weight"] = json!(weight.to_string());
        }
        let ingress = json!({
            "metadata": { "name": "api", "annotations": annotations },
            "spec": { "rules": [{ "host": "api.test", "http": { "paths": paths } }] },
        });
        self.workloads.create::<Ingress>(ingress).await.expect("an Ingress");
    }

    /// Changes annotations of the canary's Ingress as somebody else; `x/` stands for nginx's prefix.
    pub(crate) async fn annotate(&self, annotations: &[(&str, &str)]) {
        let annotations: serde_json::Map<_, _> = annotations
            .iter()
            .map(|(name, value)| (name.replace("x/", "nginx.ingress.kubernetes.io/"), json!(value)))
            .collect();
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
        let params =
            PatchParams { field_manager: Some("somebody-else".to_owned()), ..PatchParams::default() };
        self.workloads.api::<Ingress>().patch("api", &params, &patch).await.expect("annotated");
    }

    pub(crate) async fn annotation(&self, name: &str) -> Option<String> {
        let ingress = self.workloads.api::<Ingress>().get("api").await.expect("an Ingress");
        ingress.metadata.annotations?.get(&name.replace("x/", "nginx.ingress.kubernetes.io/")).cloned()
    }

    pub(crate) fn kind() -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"))
    }

    pub(crate) fn routes(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.workloads.client.clone(), &self.workloads.namespace, &Self::kind())
    }

    pub(crate) async fn create_route(&self) {
        self.create_route_with(USUAL).await;
    }

    async fn create_route_with(&self, traffic: Traffic) {
        self.create_route_named("api", traffic).await;
    }

    pub(crate) async fn create_route_named(&self, name: &str, traffic: Traffic) {
        let mut route = DynamicObject::new(name, &Self::kind());
        route.data = json!({ "spec": { "parentRefs": [{ "name": "edge" }], "rules": rules(traffic) } });
        self.routes().create(&PostParams::default(), &route).await.expect("an HTTPRoute");
    }

    /// Plays the gateway: it takes over what the route says now.
    pub(crate) async fn accept_route(&self) {
        let route = self.routes().get("api").await.expect("an HTTPRoute");
        accept(&self.routes(), &route).await.expect("accepted");
    }

    pub(crate) async fn observe(&self) -> Observation {
        self.target.observe().await.expect("observed")
    }

    pub(crate) async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        self.target.apply(step).await
    }

    /// Waits until both versions have so many pods, all of them ready and available.
    pub(crate) async fn pods_are(&self, stable: u16, canary: u16) {
        self.pods_become(all(stable), all(canary)).await;
    }

    async fn pods_become(&self, stable: Pods, canary: Pods) {
        wait_for(&format!("{stable:?} and {canary:?} in {}", self.workloads.namespace), || async {
            let known = self.target.observe().await.ok()?.workloads?;
            (known.stable == stable && known.canary == canary).then_some(())
        })
        .await;
    }
}

/// A route's rules that divide the traffic so.
pub(crate) fn rules(traffic: Traffic) -> Value {
    let backend = |name: &str, weight: u8| json!({ "name": name, "port": 80, "weight": weight });
    let backends = match traffic {
        Traffic::Weight(weight) => json!([backend("stable", 100 - weight), backend("canary", weight)]),
        Traffic::LastStage => json!([backend("canary", 100)]),
    };
    json!([{ "backendRefs": backends }])
}

fn all(count: u16) -> Pods {
    Pods { wanted: count, available: count, ready_endpoints: count }
}

/// Plays the gateway: it takes over this form of the route.
pub(crate) async fn accept(
    routes: &Api<DynamicObject>,
    route: &DynamicObject,
) -> kube::Result<DynamicObject> {
    let condition = json!({
        "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
        "observedGeneration": route.metadata.generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let parent = json!({ "parentRef": { "name": "edge" }, "controllerName": "backstop.test/gateway", "conditions": [condition] });
    let patch = Patch::Merge(json!({ "status": { "parents": [parent] } }));
    let name = route.metadata.name.as_deref().unwrap_or_default();
    routes.patch_status(name, &PatchParams::default(), &patch).await
}
