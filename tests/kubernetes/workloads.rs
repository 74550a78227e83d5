//! What runs in a namespace: Deployments whose pods behave as told, Services, and what the proxy sees.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::controlplane::wait_for;

/// How the pods of a template behave: annotations that `tests/controlplane/pods.yaml` reads.
pub(crate) mod pods {
    use serde_json::{Value, json};

    /// Ready at once.
    pub(crate) fn ready() -> Value {
        json!({})
    }

    /// Ready so long after they run; a duration as Go writes it, `2s`.
    pub(crate) fn ready_after(duration: &str) -> Value {
        json!({ "backstop.test/ready-after": duration })
    }

    /// They run, and are never ready.
    pub(crate) fn never_ready() -> Value {
        json!({ "backstop.test/ready": "false" })
    }

    /// Ready and not ready by turns, each so long.
    pub(crate) fn flapping(every: &str) -> Value {
        json!({ "backstop.test/flaps-every": every })
    }
}

/// One namespace, seen by one client.
#[derive(Clone)]
pub(crate) struct Workloads {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Workloads {
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned() }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A Deployment, and a Service of the same name in front of it.
    pub(crate) async fn deploy(&self, name: &str, replicas: u32, annotations: &Value) {
        self.serve(name).await;
        self.run(name, name, replicas, annotations).await;
    }

    /// A Service for the pods of this application.
    pub(crate) async fn serve(&self, app: &str) {
        let ports = json!([{ "port": 80, "targetPort": 8080 }]);
        let service =
            json!({ "metadata": { "name": app }, "spec": { "selector": { "app": app }, "ports": ports } });
        self.create::<Service>(service).await.expect("a Service");
    }

    /// A Deployment of this application. Its pods pass the strictest of the pod security standards.
    pub(crate) async fn run(&self, name: &str, app: &str, replicas: u32, annotations: &Value) {
        let labels = json!({ "app": app });
        let container = json!({
            "name": "api",
            "image": "registry.example.test/api:1",
            "ports": [{ "containerPort": 8080 }],
            "resources": { "requests": { "cpu": "100m", "memory": "64Mi" } },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
        });
        let pod = json!({
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [container],
        });
        let deployment = json!({
            "metadata": { "name": name },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels, "annotations": annotations }, "spec": pod },
            },
        });
        self.create::<Deployment>(deployment).await.expect("a Deployment");
    }

    /// Creates an object from what would stand in its manifest.
    pub(crate) async fn create<K>(&self, manifest: Value) -> kube::Result<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + serde::Serialize,
        K::DynamicType: Default,
    {
        let object = serde_json::from_value(manifest).expect("an object of this kind");
        self.api::<K>().create(&PostParams::default(), &object).await
    }

    /// Deletes an object, and waits until it is gone.
    pub(crate) async fn delete<K>(&self, name: &str)
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
        K::DynamicType: Default,
    {
        let api = self.api::<K>();
        api.delete(name, &DeleteParams::default()).await.expect("deleted");
        wait_for(&format!("{name} to be gone"), || async {
            api.get_opt(name).await.ok()?.is_none().then_some(())
        })
        .await;
    }

    /// The pods of a Deployment.
    pub(crate) async fn pods(&self, deployment: &str) -> Vec<Pod> {
        let labelled = ListParams::default().labels(&format!("app={deployment}"));
        self.api::<Pod>().list(&labelled).await.map(|list| list.items).unwrap_or_default()
    }

    /// Changes how one pod behaves from now on; null takes an annotation away.
    pub(crate) async fn annotate_pod(&self, name: &str, annotations: &Value) {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
        self.api::<Pod>().patch(name, &PatchParams::default(), &patch).await.expect("annotated");
    }

    /// How many endpoints a Service has, and how many of them are ready: what a proxy goes by.
    pub(crate) async fn endpoints(&self, service: &str) -> Endpoints {
        let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
        let slices = self.api::<EndpointSlice>().list(&of_service).await.expect("EndpointSlices");
        let mut seen = Endpoints::default();
        for endpoint in slices.items.iter().flat_map(|slice| slice.endpoints.iter().flatten()) {
            seen.all += 1;
            let conditions = endpoint.conditions.as_ref();
            seen.ready += usize::from(conditions.and_then(|conditions| conditions.ready) == Some(true));
        }
        seen
    }
}

/// The endpoints of a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) all: usize,
    pub(crate) ready: usize,
}
