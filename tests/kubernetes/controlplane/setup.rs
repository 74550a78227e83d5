//! What a control plane needs before and just after its first start: files, a node, definitions of kinds.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use k8s_openapi::api::core::v1::{Namespace, Node, ServiceAccount};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::{ControlPlane, access, audit, certificates, programs, wait_for};

/// The name of the only node.
const NODE: &str = "node-1";

/// The folder of what is no Rust.
pub(super) fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane")
}

/// Writes what the programs read.
pub(super) fn write_files(of: &ControlPlane) {
    let folder = of.folder();
    certificates::write(folder);
    std::fs::write(folder.join("audit-policy.json"), audit::policy().to_string()).expect("written");
    std::fs::copy(here().join("pods.yaml"), folder.join("pods.yaml")).expect("copied");
    for (name, _, _) in certificates::CLIENTS {
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        let user = json!({ "client-certificate": file("crt"), "client-key": file("key") });
        access::write_kubeconfig(of, &file("kubeconfig"), "default", &user);
    }
}

/// Makes a cluster of it: a node for the pods, the Gateway API, and what others who carry rollouts out define.
pub(super) async fn fill(of: &ControlPlane) {
    let client = of.client().await;
    tokio::join!(
        node(&client),
        define(&client, "gateway-api", "gateway.networking.k8s.io/v1", "HTTPRoute"),
        define(&client, "flagger", "flagger.app/v1beta1", "Canary"),
        define(&client, "argo-rollouts", "argoproj.io/v1alpha1", "Rollout"),
    );
}

async fn node(client: &Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    let metadata = ObjectMeta { name: Some(NODE.to_owned()), ..ObjectMeta::default() };
    let node = Node { metadata, ..Node::default() };
    nodes.create(&PostParams::default(), &node).await.expect("a node");
    let params = PatchParams::default();
    // A new node is tainted until the controller of nodes has seen it, and that one isn't run: it would
    // want a heartbeat.
    nodes.patch(NODE, &params, &Patch::Merge(json!({ "spec": { "taints": null } }))).await.expect("usable");
}

/// Creates the definitions as they are released. They are YAML, which the server reads itself.
async fn define(client: &Client, part: &str, version: &str, kind: &str) {
    let folder = programs::find().await.path(part);
    let entries = std::fs::read_dir(folder).expect("definitions");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(entry.expect("an entry").path()).expect("read")
    };
    let files: Vec<String> = entries.map(read).collect();
    let documents = files.iter().flat_map(|file| file.split("\n---\n"));
    let documents = documents.filter(|document| document.contains("kind:"));
    join_all(documents.map(|document| create(client, document))).await;
    served(client, version, kind).await;
}

async fn served(client: &Client, version: &str, kind: &str) {
    wait_for(&format!("{kind} of {version} to be served"), || async {
        let served = client.list_api_group_resources(version).await.ok()?;
        served.resources.iter().any(|resource| resource.kind == kind).then_some(())
    })
    .await;
}

async fn create(client: &Client, document: &str) {
    let kind = document.lines().find_map(|line| line.strip_prefix("kind:")).unwrap_or_default().trim();
    let collection = match kind {
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1/customresourcedefinitions",
        "ValidatingAdmissionPolicy" => "admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding" => {
            "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
        }
        other => panic!("{other} among the definitions"),
    };
    let request =
        hyper::Request::post(format!("/apis/{collection}")).header("Content-Type", "application/yaml");
    let request = request.body(document.as_bytes().to_vec()).expect("a request");
    client.request_text(request).await.expect("created");
}

impl ControlPlane {
    /// Defines the Prometheus operator's kinds; once, by the only test that needs them.
    pub(crate) async fn prometheus_operator(&self) {
        let client = self.client().await;
        let version = "monitoring.coreos.com/v1alpha1";
        define(&client, "prometheus-operator", version, "AlertmanagerConfig").await;
        for kind in ["ServiceMonitor", "PrometheusRule"] {
            served(&client, "monitoring.coreos.com/v1", kind).await;
        }
    }

    /// A new namespace of this name, in which pods can be created.
    pub(crate) async fn namespace(&self, name: &str) -> String {
        let client = self.client().await;
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace");
        // A pod without a ServiceAccount is refused, and the one that it gets by default is made by a controller.
        let accounts: Api<ServiceAccount> = Api::namespaced(client, name);
        wait_for("the namespace's ServiceAccount", || async { accounts.get_opt("default").await.ok()? })
            .await;
        name.to_owned()
    }
}
