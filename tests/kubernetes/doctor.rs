//! `backstop doctor` on a real cluster: all is well, and then one thing after another is not.

mod accounts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use backstop::config::Config;
use backstop::execution::rights;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::accounts::account;
use crate::execution::owners::Owner;
use crate::rollouts::{Rollout, Router};

/// What `doctor` found, and how it ended.
#[derive(Debug)]
struct Found {
    code: i32,
    report: Value,
}

impl Found {
    /// Everything above a note: severity, check and message.
    fn bad(&self) -> Vec<(&str, &str, &str)> {
        let text = |finding: &'_ Value, member: &str| finding[member].as_str().unwrap_or_default().to_owned();
        let all = self.report["findings"].as_array().expect("findings");
        let bad =
            all.iter().filter(|finding| ["error", "warning"].contains(&text(finding, "severity").as_str()));
        bad.map(|finding| {
            let of = |member: &str| finding[member].as_str().unwrap_or_default();
            (of("severity"), of("check"), of("message"))
        })
        .collect()
    }

    fn remedies(&self) -> String {
        let all = self.report["findings"].as_array().expect("findings");
        all.iter()
            .filter(|finding| finding["severity"] != "note")
            .map(|finding| finding["remedy"].to_string())
            .collect()
    }
}

/// A configuration of the rollout, as the account of this kubeconfig.
struct Doctor {
    folder: tempfile::TempDir,
}

impl Doctor {
    fn new(namespace: &str, router: Router, kubeconfig: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let router = match router {
            Router::Nginx => "kind = \"ingress-nginx\"\ncanary_ingress = \"api\"",
            Router::Gateway => "kind = \"gateway-api\"\nhttp_route = \"api\"",
        };
        let text = format!(
            "[[rollouts]]\nname = \"spark-trading\"\nrevision = \"v1.4.0\"\n[rollouts.traffic]\n{router}\n\
             namespace = \"{namespace}\"\nkubeconfig = {kubeconfig:?}\ntimeout = \"20s\"\n\
             stable = {{ deployment = \"stable\", service = \"stable\" }}\n\
             canary = {{ deployment = \"canary\", service = \"canary\" }}\n",
        );
        std::fs::write(folder.path().join("backstop.toml"), text).expect("written");
        Self { folder }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("backstop.toml")
    }

    async fn run(&self, arguments: &[&str]) -> Found {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_backstop"));
        let command = command.args(["doctor", "--only", "kubernetes", "--output", "json", "--config"]);
        let output = command.arg(self.config()).args(arguments).output().await.expect("it runs");
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Found { code: output.status.code().unwrap_or(-1), report }
    }

    /// Runs it until exactly this is found: what was changed shows after a moment.
    async fn finds(&self, expected: &[(&str, &str, &str)]) -> Found {
        let mut last = None;
        let as_expected = |found: &Found| {
            let bad = found.bad();
            bad.len() == expected.len()
                && bad.iter().zip(expected).all(|(bad, (severity, check, words))| {
                    bad.0 == *severity && bad.1 == *check && bad.2.contains(words)
                })
        };
        for _ in 0..40 {
            let found = self.run(&[]).await;
            if as_expected(&found) {
                return found;
            }
            last = Some(found);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{expected:#?}\nbut found\n{last:#?}");
    }

    /// The account's Role: all that the table lists, but for one verb of a resource.
    fn rules(&self, without: Option<(&str, &str)>) -> Value {
        let config = Config::open(&self.config()).expect("valid");
        let backstop::config::TrafficConfig::Kubernetes(traffic) = &config.rollouts[0].traffic else {
            panic!("a cluster")
        };
        let rules = rights(traffic).into_iter().filter_map(|right| {
            let resource = right
                .subresource()
                .map_or(right.resource().to_owned(), |sub| format!("{}/{sub}", right.resource()));
            if without == Some((right.verb(), resource.as_str())) {
                return None;
            }
            let mut rule =
                json!({ "apiGroups": [right.group()], "resources": [resource], "verbs": [right.verb()] });
            if let Some(name) = right.name() {
                rule["resourceNames"] = json!([name]);
            }
            Some(rule)
        });
        rules.collect()
    }
}

/// A healthy rollout, looked at as an account that may what the table lists.
async fn healthy(namespace: &str, router: Router) -> (Rollout, Doctor) {
    let rollout = Rollout::new(namespace, router, 3).await;
    if router == Router::Nginx {
        let main = json!({ "metadata": { "name": "main" }, "spec": spec_of_main("api.test") });
        rollout.workloads.create::<Ingress>(main).await.expect("an Ingress");
    }
    let table = Doctor::new(namespace, router, Path::new("/nowhere"));
    let kubeconfig = account(&rollout, "looks", table.rules(None)).await;
    (rollout, Doctor::new(namespace, router, &kubeconfig))
}

/// Of the Ingress beside the canary's.
fn spec_of_main(host: &str) -> Value {
    let backend = json!({ "service": { "name": "stable", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    json!({ "rules": [{ "host": host, "http": { "paths": paths } }] })
}

async fn patch<K>(rollout: &Rollout, name: &str, manager: &str, change: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    rollout.workloads.api::<K>().patch(name, &params, &Patch::Merge(change)).await.expect("changed");
}

const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";

#[tokio::test]
async fn a_healthy_cluster_has_no_finding_above_a_note_and_each_fault_is_found_alone() {
    let (rollout, doctor) = healthy("doctor", Router::Nginx).await;
    let fine = doctor.finds(&[]).await;
    assert_eq!(fine.code, 0, "{fine:?}");
    assert!(
        fine.report["severity"] != "error" && fine.report["findings"].to_string().contains("v1.36"),
        "{fine:?}"
    );

    // A Service whose selector has a letter too few.
    patch::<Service>(&rollout, "stable", "ada", json!({ "spec": { "selector": { "app": "stabl" } } })).await;
    let found = doctor
        .finds(&[(
            "error",
            "workloads",
            "selects app=stabl, and the pods of the Deployment stable carry app=stable",
        )])
        .await;
    assert!(
        found.code == 1 && found.remedies().contains("Mend the selector of the Service stable"),
        "{found:?}"
    );
    patch::<Service>(&rollout, "stable", "ada", json!({ "spec": { "selector": { "app": "stable" } } })).await;

    // An object that is gone.
    let services = rollout.workloads.api::<Service>();
    services.delete("canary", &DeleteParams::default()).await.expect("deleted");
    let found =
        doctor.finds(&[("error", "objects", "There is no Service canary in the namespace doctor")]).await;
    assert!(found.code == 1 && found.remedies().contains("mend its name in [rollouts.traffic]"), "{found:?}");
    rollout.workloads.serve("canary").await;
    rollout.pods_are(3, 1).await;

    // Nobody takes the canary's Ingress for one.
    rollout.annotate(&[("x/canary", "false")]).await;
    let found = doctor.finds(&[("error", "router", "ignores its weight and all of it goes to canary")]).await;
    assert!(
        found.code == 1 && found.remedies().contains("Set nginx.ingress.kubernetes.io/canary:"),
        "{found:?}"
    );
    rollout.annotate(&[("x/canary", "true")]).await;

    // The Ingress from which the canary would take its share serves something else.
    patch::<Ingress>(&rollout, "main", "ada", json!({ "spec": spec_of_main("www.test") })).await;
    let found = doctor.finds(&[("error", "router", "no other Ingress serves api.test/")]).await;
    assert!(found.remedies().contains("whose backend is the Service stable"), "{found:?}");
    patch::<Ingress>(&rollout, "main", "ada", json!({ "spec": spec_of_main("api.test") })).await;

    // An autoscaler that would pull stable down again.
    let autoscaler = json!({ "metadata": { "name": "stable" }, "spec": {
        "minReplicas": 1, "maxReplicas": 2,
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "stable" },
    } });
    rollout.workloads.create::<HorizontalPodAutoscaler>(autoscaler).await.expect("an autoscaler");
    let found =
        doctor.finds(&[("warning", "autoscalers", "HorizontalPodAutoscaler stable has maxReplicas 2")]).await;
    assert!(found.code == 0 && found.remedies().contains("Set its maxReplicas to 3"), "{found:?}");
    assert_eq!(doctor.run(&["--strict"]).await.code, 1, "a warning counts where it is to");
}

#[tokio::test]
async fn who_would_undo_a_rollback_is_named_with_what_keeps_them_from_it() {
    let (rollout, doctor) = healthy("doctor-applied", Router::Nginx).await;
    doctor.finds(&[]).await;
    let weight = |weight: &str| json!({ "metadata": { "annotations": { WEIGHT: weight } } });
    patch::<Ingress>(&rollout, "api", "argocd-controller", weight("30")).await;
    let found = doctor
        .finds(&[("warning", "applied_by_others", "argocd-controller owns canary-weight of Ingress api")])
        .await;
    for words in ["ignoreDifferences", "managedFieldsManagers: [backstop]", "RespectIgnoreDifferences=true"] {
        assert!(found.remedies().contains(words), "{found:?}");
    }
    assert_eq!(found.code, 0);
    // Whoever changes it takes it over.
    patch::<Ingress>(&rollout, "api", "ada", weight("25")).await;
    doctor.finds(&[]).await;
    // What kubectl notes down of the manifest that it was given.
    let noted = |weight: &str| {
        let manifest = json!({ "metadata": { "annotations": { WEIGHT: weight } } }).to_string();
        json!({ "metadata": { "annotations": { "kubectl.kubernetes.io/last-applied-configuration": manifest } } })
    };
    patch::<Ingress>(&rollout, "api", "kubectl-client-side-apply", noted("25")).await;
    doctor.finds(&[("warning", "applied_by_others", "was applied last says canary-weight")]).await;
    patch::<Ingress>(&rollout, "api", "kubectl-client-side-apply", noted("0")).await;
    doctor.finds(&[]).await;
    patch::<Deployment>(&rollout, "canary", "kustomize-controller", json!({ "spec": { "replicas": 2 } }))
        .await;
    let found = doctor
        .finds(&[("warning", "applied_by_others", "kustomize-controller owns replicas of Deployment canary")])
        .await;
    assert!(found.remedies().contains("flux suspend"), "{found:?}");
}

#[tokio::test]
async fn who_carries_the_rollout_out_instead_is_an_error_unless_it_is_to_be_told() {
    let (rollout, doctor) = healthy("doctor-owned", Router::Nginx).await;
    doctor.finds(&[]).await;
    let _owner = Owner::argo(&rollout, json!({ "nginx": { "stableIngress": "main" } })).await;
    let found = doctor.finds(&[("error", "owner", "The Argo Rollout ship owns the Deployment canary")]).await;
    assert!(found.code == 1 && found.remedies().contains("mode = "), "{found:?}");
    let text = std::fs::read_to_string(doctor.config()).expect("read");
    std::fs::write(doctor.config(), format!("{text}owner = \"abort\"\n")).expect("written");
    let found = doctor.finds(&[("error", "rights", "may not patch Rollout ship/status")]).await;
    let rule =
        "{apiGroups: [argoproj.io], resources: [rollouts/status], resourceNames: [ship], verbs: [patch]}";
    assert!(found.code == 1 && found.remedies().contains(rule), "{found:?}");
    let mut rules = doctor.rules(None);
    let stop = json!({ "apiGroups": ["argoproj.io"], "resources": ["rollouts/status"], "resourceNames": ["ship"], "verbs": ["patch"] });
    rules.as_array_mut().expect("rules").push(stop);
    let may_stop = account(&rollout, "stops", rules).await;
    let text = std::fs::read_to_string(doctor.config()).expect("read");
    let (before, after) = text.split_once("kubeconfig = ").expect("one");
    let (_, after) = after.split_once('\n').expect("a line");
    std::fs::write(doctor.config(), format!("{before}kubeconfig = {may_stop:?}\n{after}")).expect("written");
    doctor.finds(&[]).await;
}

#[tokio::test]
async fn a_route_has_to_name_both_services_and_be_accepted() {
    let (rollout, doctor) = healthy("doctor-route", Router::Gateway).await;
    doctor.finds(&[]).await;
    let routes = rollout.routes();
    let change = |rules: Value| {
        let routes = routes.clone();
        async move {
            let change = Patch::Merge(json!({ "spec": { "rules": rules } }));
            routes.patch("api", &PatchParams::default(), &change).await.expect("changed");
        }
    };
    let backend = |name: &str, weight: u16| json!({ "name": name, "port": 80, "weight": weight });
    change(json!([{ "backendRefs": [backend("stable", 60), backend("canary", 40)] }])).await;
    let found = doctor.finds(&[("warning", "router", "not yet taken over by Gateway edge")]).await;
    assert!(found.remedies().contains("kubectl describe httproute api"), "{found:?}");
    rollout.accept_route().await;
    doctor.finds(&[]).await;
    change(json!([{ "backendRefs": [backend("stable", 1)] }])).await;
    rollout.accept_route().await;
    let found = doctor.finds(&[("warning", "router", "names both Services, stable and canary")]).await;
    assert!(found.remedies().contains("canary with weight 0"), "{found:?}");
    change(json!([{ "backendRefs": [backend("other", 1)] }])).await;
    rollout.accept_route().await;
    doctor.finds(&[("error", "router", "names the Service stable or canary")]).await;
}
