//! A rollout in a namespace of its own: both versions, what divides the traffic, and the target over it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backstop::clock::SystemClock;
use backstop::config::{KubernetesConfig, RevisionSource, RouterConfig, WorkloadConfig};
use backstop::execution::{ActError, Clusters, KubernetesTarget, Target};
use backstop::incident::{Answer, Observation, Pods, Step};
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::json;

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
        kubeconfig: Some(kubeconfig.to_owned()),
        critical_after: Duration::from_secs(30),
        warning_after: Duration::from_secs(300),
        drain: Duration::from_secs(5),
        // Generous: the machine that tests is busy.
        timeout: Duration::from_secs(20),
    };
    KubernetesTarget::new(Clusters::default().of(Some(kubeconfig)), &config, Arc::new(SystemClock))
}

impl Rollout {
    /// Stable has so many ready pods, the canary one and a quarter of the traffic.
    pub(crate) async fn new(namespace: &str, router: Router, stable: u16) -> Self {
        Self::on(shared().await, namespace, router, stable).await
    }

    /// The same on a control plane apart.
    pub(crate) async fn on(cluster: &ControlPlane, namespace: &str, router: Router, stable: u16) -> Self {
        let workloads = Workloads::new(cluster.client().await, &cluster.namespace(namespace).await);
        workloads.deploy("stable", u32::from(stable), &pods::ready()).await;
        workloads.deploy("canary", 1, &pods::ready()).await;
        let target = target(&cluster.kubeconfig(), namespace, router);
        let this = Self { workloads, router, target };
        match router {
            Router::Nginx => this.create_ingress().await,
            Router::Gateway => {
                this.create_route().await;
                this.accept_route().await;
            }
        }
        this.pods_are(stable, 1).await;
        this
    }

    pub(crate) async fn create_ingress(&self) {
        let backend = json!({ "service": { "name": "canary", "port": { "number": 80 } } });
        let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
        let ingress = json!({
            "metadata": { "name": "api", "annotations": {
                "nginx.ingress.kubernetes.io/canary": "true",
                "nginx.ingress.kubernetes.io/canary-weight": "25",
            } },
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

    fn kind() -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"))
    }

    pub(crate) fn routes(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.workloads.client.clone(), &self.workloads.namespace, &Self::kind())
    }

    pub(crate) async fn create_route(&self) {
        let backend = |name: &str, weight: u16| json!({ "name": name, "port": 80, "weight": weight });
        let rules = json!([{ "backendRefs": [backend("stable", 75), backend("canary", 25)] }]);
        let mut route = DynamicObject::new("api", &Self::kind());
        route.data = json!({ "spec": { "parentRefs": [{ "name": "edge" }], "rules": rules } });
        self.routes().create(&PostParams::default(), &route).await.expect("an HTTPRoute");
    }

    /// Plays the gateway: it takes over what the route says now.
    pub(crate) async fn accept_route(&self) {
        let route = self.routes().get("api").await.expect("an HTTPRoute");
        accept(&self.routes(), &route).await.expect("accepted");
    }

    /// Plays the gateway for as long as it is polled.
    pub(crate) fn gateway(&self) -> impl Future<Output = ()> + Send + use<> {
        let routes = self.routes();
        async move {
            loop {
                if let Ok(route) = routes.get("api").await {
                    let seen = &route.data["status"]["parents"][0]["conditions"][0]["observedGeneration"];
                    if seen.as_i64() != route.metadata.generation {
                        // A conflict, or a route that is gone: the next look sees it.
                        let _seen_again = accept(&routes, &route).await;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    pub(crate) async fn observe(&self) -> Observation {
        self.target.observe().await.expect("observed")
    }

    pub(crate) async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        self.target.apply(step).await
    }

    /// Waits until both versions have so many pods, all of them ready and available.
    pub(crate) async fn pods_are(&self, stable: u16, canary: u16) {
        let all = |count| Pods { wanted: count, available: count, ready_endpoints: count };
        wait_for(&format!("{stable} and {canary} pods in {}", self.workloads.namespace), || async {
            let known = self.target.observe().await.ok()?.workloads?;
            (known.stable == all(stable) && known.canary == all(canary)).then_some(())
        })
        .await;
    }
}

async fn accept(routes: &Api<DynamicObject>, route: &DynamicObject) -> kube::Result<DynamicObject> {
    let condition = json!({
        "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
        "observedGeneration": route.metadata.generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let parent = json!({ "parentRef": { "name": "edge" }, "controllerName": "backstop.test/gateway", "conditions": [condition] });
    let patch = Patch::Merge(json!({ "status": { "parents": [parent] } }));
    routes.patch_status("api", &PatchParams::default(), &patch).await
}
