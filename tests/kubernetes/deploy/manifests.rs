//! Every manifest, as kustomize renders it, on a cluster that enforces restricted pods.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;

use crate::controlplane::{shared, wait_for};
use crate::ports::own_port;
use crate::shipped::{folder, kubectl, render};

/// The folders that `kubectl apply -k` is meant for.
const FOLDERS: [&str; 6] = [
    "base",
    "rollout/ingress-nginx",
    "rollout/gateway-api",
    "admission",
    "admission-for-ramps",
    "monitoring",
];

/// A copy of what is shipped, with the files that everybody makes for themselves.
fn with_secrets() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    let copied = Command::new("cp").arg("-R").arg(folder("base")).arg(copy.path()).status().expect("cp runs");
    assert!(copied.success());
    let secrets = copy.path().join("base/secrets");
    std::fs::create_dir_all(&secrets).expect("a folder");
    let names = ["localhost".to_owned(), "backstop.backstop.svc".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let put = |name: &str, text: &str| std::fs::write(secrets.join(name), text).expect("written");
    put("webhook-token", "a-token-of-the-webhook\n");
    put("operator-token", "a-token-of-operators\n");
    put("tls.crt", &made.cert.pem());
    put("ca.crt", &made.cert.pem());
    put("tls.key", &made.signing_key.serialize_pem());
    copy
}

/// A folder's objects, the API server's own additions left out.
async fn objects(folder: &Path) -> Vec<Value> {
    let cluster = shared().await;
    let text = render(cluster, folder).await;
    let json =
        kubectl(cluster, &["create", "--dry-run=client", "--validate=false", "-o", "json"], &text).await;
    // One after the other, without a list around them.
    let all = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
    all.map(|object| object.expect("an object")).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

#[tokio::test]
async fn a_cluster_that_enforces_restricted_pods_takes_every_manifest_without_a_warning() {
    let cluster = shared().await;
    cluster.prometheus_operator().await;
    let copy = with_secrets();
    let base = render(cluster, &copy.path().join("base")).await;
    let is_namespace = |document: &&str| document.contains("\nkind: Namespace\n");
    let namespace = base.split("---\n").find(is_namespace).expect("a Namespace");
    kubectl(cluster, &["apply"], namespace).await;
    let spark = "apiVersion: v1\nkind: Namespace\nmetadata: {name: spark}\n";
    kubectl(cluster, &["apply"], spark).await;
    let namespaces: Api<Namespace> = Api::all(cluster.client().await);
    let labels = namespaces.get("backstop").await.expect("a namespace").metadata.labels.expect("labels");
    for mode in ["enforce", "warn"] {
        assert_eq!(labels[&format!("pod-security.kubernetes.io/{mode}")], "restricted");
    }

    for name in FOLDERS {
        let manifests = if name == "base" { base.clone() } else { render(cluster, &folder(name)).await };
        let documents = manifests.split("---\n").count();
        let said = kubectl(cluster, &["apply", "--dry-run=server"], &manifests).await;
        assert!(!said.contains("Warning"), "{name}: {said}");
        assert_eq!(said.matches("(server dry run)").count(), documents, "{name}: {said}");
    }

    // What is enforced is enforced on pods, so one has to be made.
    kubectl(cluster, &["apply"], &base).await;
    let pods: Api<Pod> = Api::namespaced(cluster.client().await, "backstop");
    wait_for("a pod of Backstop's", || async {
        let ours = ListParams::default().labels("app.kubernetes.io/name=backstop");
        pods.list(&ours).await.ok()?.items.pop()
    })
    .await;
}

/// Puts the files where the pod's volume would have them.
fn mount(objects: &[Value], into: &Path) {
    let deployment = of_kind(objects, "Deployment").next().expect("a Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let volumes = pod["volumes"].as_array().expect("volumes");
    let settings = volumes.iter().find(|volume| volume["name"] == "settings").expect("a volume");
    for source in settings["projected"]["sources"].as_array().expect("sources") {
        let (kind, wanted) = match &source["secret"] {
            Value::Null => ("ConfigMap", &source["configMap"]),
            secret => ("Secret", secret),
        };
        let named = |object: &&Value| object["metadata"]["name"] == wanted["name"];
        let found = of_kind(objects, kind).find(named);
        let found = found.unwrap_or_else(|| panic!("no {kind} {}", wanted["name"]));
        let items = wanted["items"].as_array().into_iter().flatten();
        let text = |item: &Value, key: &str| item[key].as_str().expect("text").to_owned();
        let paths: BTreeMap<_, _> = items.map(|item| (text(item, "key"), text(item, "path"))).collect();
        for (key, value) in found["data"].as_object().expect("data") {
            let file = into.join(paths.get(key).unwrap_or(key));
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            let value = value.as_str().expect("text");
            let bytes = if kind == "Secret" { decoded(value) } else { value.as_bytes().to_vec() };
            std::fs::write(file, bytes).expect("written");
        }
    }
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine;
    // Kustomize folds what is long.
    let whole: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(whole).expect("base64")
}

/// `backstop serve` where a pod would run it.
struct Served(std::process::Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _it_may_have_ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[tokio::test]
async fn the_shipped_configuration_serves_from_the_pods_files_what_its_probes_and_its_service_ask_for() {
    let copy = with_secrets();
    let objects = objects(&copy.path().join("base")).await;
    let (etc, state) = (copy.path().join("etc"), copy.path().join("state"));
    mount(&objects, &etc);
    let config = etc.join("backstop.toml");
    let checked = Command::new(env!("CARGO_BIN_EXE_backstop")).arg("check-config").current_dir(&etc).output();
    let checked = checked.expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}");

    // The addresses and the volume of the test, else as it is.
    let (listen, admin) = (own_port(), own_port());
    let text = std::fs::read_to_string(&config).expect("read");
    let deployment = of_kind(&objects, "Deployment").next().expect("a Deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let port = |name: &str| {
        let ports = container["ports"].as_array().expect("ports");
        ports.iter().find(|port| port["name"] == name).expect("a port")["containerPort"].to_string()
    };
    let mut changed = text.clone();
    for (from, to) in [
        (format!("\"0.0.0.0:{}\"", port("https")), format!("\"{listen}\"")),
        (format!("\"0.0.0.0:{}\"", port("admin")), format!("\"{admin}\"")),
        ("/var/lib/backstop".to_owned(), state.display().to_string()),
    ] {
        assert!(changed.contains(&from), "{from}: {text}");
        changed = changed.replace(&from, &to);
    }
    std::fs::write(&config, changed).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    let arguments = container["args"].as_array().expect("arguments");
    command.args(arguments.iter().filter_map(Value::as_str)).current_dir(&etc);
    let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let _served = Served(process);

    for probe in ["livenessProbe", "readinessProbe"] {
        let ask = &container[probe]["httpGet"];
        assert_eq!(ask["port"], "admin");
        let url = format!("http://{admin}{}", ask["path"].as_str().expect("a path"));
        wait_for(&url, || async { reqwest::get(&url).await.ok()?.status().is_success().then_some(()) }).await;
    }
    let authority = std::fs::read(etc.join("tls/ca.crt")).expect("read");
    let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate");
    let client = reqwest::Client::builder().add_root_certificate(authority).build().expect("a client");
    let post = |token: &'static str| {
        let url = format!("https://localhost:{}/api/v1/alertmanager", listen.port());
        let body =
            r#"{"version":"4","status":"firing","receiver":"backstop","truncatedAlerts":0,"alerts":[]}"#;
        client.post(url).bearer_auth(token).body(body).send()
    };
    assert_eq!(post("a-token-of-the-webhook").await.expect("an answer").status(), 200);
    assert_eq!(post("a-token-of-operators").await.expect("an answer").status(), 401);
    assert!(state.join("state/backstop.db").is_file(), "the database is not on the volume");
}
