//! What `deploy/kubernetes` ships, in a test's namespace and under the names that rollouts have there
//! (`stable`, `canary`, `api`), so that a test acts as the account does that people will give us.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::controlplane::{ControlPlane, connect, wait_for};
use crate::rollouts::Router;
use crate::workloads::Workloads;

/// The ServiceAccount that is shipped.
pub(crate) const ACCOUNT: &str = "backstop";

/// A folder of what is shipped.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes").join(name)
}

/// A folder as `kubectl apply -k` takes it, in YAML.
pub(crate) async fn render(cluster: &ControlPlane, folder: &Path) -> String {
    let output = cluster.kubectl().await.arg("kustomize").arg(folder).output().expect("kubectl runs");
    assert!(output.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Runs kubectl on manifests as somebody who may do anything. What it says, with its warnings.
pub(crate) async fn kubectl(cluster: &ControlPlane, arguments: &[&str], manifests: &str) -> String {
    let mut command = cluster.kubectl().await;
    command.args(arguments).args(["-f", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(manifests.as_bytes()).expect("written");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{arguments:?}: {said:?}\n{manifests}");
    said.concat()
}

/// The manifests for a test's namespace, in which the account is, too.
fn renamed(manifests: &str, namespace: &str) -> String {
    let names = [("spark-trading-api-stable", "stable"), ("spark-trading-api-canary", "canary")];
    let all = names.into_iter().chain([("spark-trading", "api")]);
    let text = all.fold(manifests.to_owned(), |text, (shipped, ours)| text.replace(shipped, ours));
    ["namespace: spark\n", "namespace: backstop\n"]
        .into_iter()
        .fold(text, |text, shipped| text.replace(shipped, &format!("namespace: {namespace}\n")))
}

/// Gives the shipped rights to a new account of the namespace. Returns its kubeconfig, with a token of its
/// own beside it, once the rights are known.
pub(crate) async fn apply(cluster: &ControlPlane, namespace: &str, router: Router) -> PathBuf {
    let (shipped, group, resource, verb) = match router {
        Router::Nginx => ("rollout/ingress-nginx", "networking.k8s.io", "ingresses", "patch"),
        Router::Gateway => ("rollout/gateway-api", "gateway.networking.k8s.io", "httproutes", "update"),
    };
    let kubeconfig = cluster.service_account(namespace, ACCOUNT).await;
    let manifests = renamed(&render(cluster, &folder(shipped)).await, namespace);
    kubectl(cluster, &["create"], &manifests).await;

    let reviews: Api<SelfSubjectAccessReview> = Api::all(connect(&kubeconfig).await);
    for attributes in [
        json!({ "group": group, "resource": resource, "verb": verb, "namespace": namespace, "name": "api" }),
        json!({ "group": "apps", "resource": "deployments", "subresource": "scale", "verb": "patch", "namespace": namespace, "name": "stable" }),
    ] {
        let review = json!({ "spec": { "resourceAttributes": attributes } });
        let review = serde_json::from_value(review).expect("a review");
        wait_for("the shipped rights", || async {
            let answer = reviews.create(&PostParams::default(), &review).await.ok()?;
            answer.status?.allowed.then_some(())
        })
        .await;
    }
    kubeconfig
}

/// The namespace's HTTPRoutes, as this client may see them.
pub(crate) fn routes(client: Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
    Api::namespaced_with(client, namespace, &ApiResource::from_gvk(&kind))
}

/// Binds the shipped policies to the namespace's account, which has the shipped rights. Returns once they
/// count.
pub(crate) async fn limit(cluster: &ControlPlane, namespace: &str, router: Router, kubeconfig: &Path) {
    limit_by(cluster, namespace, router, (kubeconfig, "admission")).await;
}

/// The same with the policies of this folder.
pub(crate) async fn limit_by(
    cluster: &ControlPlane,
    namespace: &str,
    router: Router,
    (kubeconfig, policies): (&Path, &str),
) {
    let manifests = renamed(&render(cluster, &folder(policies)).await, namespace)
        .replace(": backstop-", &format!(": {namespace}-backstop-"))
        .replace("serviceaccount:backstop:", &format!("serviceaccount:{namespace}:"));
    kubectl(cluster, &["create"], &manifests).await;

    let account = Workloads::new(connect(kubeconfig).await, namespace);
    let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
    // Where ramps are the canary may go up, and what may not is stable, of which there are two, down.
    let (refused, replicas) = if policies == "admission" { ("canary", 999) } else { ("stable", 1) };
    let scaled = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    wait_for("the policy of replicas", || async {
        account.api::<Deployment>().patch_scale(refused, &dry_run, &scaled).await.err()
    })
    .await;
    let labelled = Patch::Merge(json!({ "metadata": { "labels": { "foreign": "yes" } } }));
    match router {
        Router::Nginx => {
            let ingresses = account.api::<Ingress>();
            wait_for("the policy of Ingresses", || async {
                ingresses.patch("api", &dry_run, &labelled).await.err()
            })
            .await;
        }
        Router::Gateway => {
            let routes = routes(account.client, namespace);
            wait_for("the policy of HTTPRoutes", || async {
                let mut route = routes.get("api").await.ok()?;
                route.metadata.labels = Some([("foreign".to_owned(), "yes".to_owned())].into());
                let params = PostParams { dry_run: true, ..PostParams::default() };
                routes.replace("api", &params, &route).await.err()
            })
            .await;
        }
    }
}
