//! `backstop demo --kubernetes`, as a person runs it.

use std::path::Path;
use std::process::{Output, Stdio};

use backstop::demo::cluster::LABEL;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::controlplane::{ControlPlane, Part, shared, wait_for};
use crate::ports::own_port;

fn demo(kubeconfig: &Path, folder: &Path, more: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command.args(["demo", "--kubernetes", "--output", "json", "--kubeconfig"]).arg(kubeconfig).args(more);
    // Its files are left for whoever looks; here nobody does.
    command.env("TMPDIR", folder).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

async fn ended(demo: Child) -> (Output, String) {
    let ended = tokio::time::timeout(3 * crate::controlplane::PATIENCE, demo.wait_with_output()).await;
    let output = ended.expect("it ends in time").expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

/// The namespaces that a demo made and that are still there.
async fn left(client: &Client) -> Vec<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.list(&ListParams::default().labels(LABEL)).await.expect("namespaces");
    found.items.into_iter().filter_map(|namespace| namespace.metadata.name).collect()
}

#[tokio::test]
async fn the_demo_rolls_back_in_a_namespace_of_its_own_and_leaves_none() {
    let cluster = shared().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (output, said) = ended(demo(&cluster.kubeconfig(), folder.path(), &["--namespace", "shown"])).await;
    assert!(output.status.success(), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(summary["namespace"], "shown");
    assert_eq!(summary["rolled_back"]["state"], "rolled_back");
    assert_eq!(summary["rolled_back"]["revision"], "v1.4.0");
    let evidence = Path::new(summary["evidence"].as_str().expect("a folder"));
    assert!(evidence.starts_with(folder.path()) && evidence.join("manifest.jsonl").is_file(), "{evidence:?}");
    for words in ["the cluster itself says so", "what people saw", "the namespace is gone"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!left(&cluster.client().await).await.contains(&"shown".to_owned()));
    // Stable up, then the traffic, then the canary down; and nothing was asked for outside.
    let changes: Vec<_> = cluster.audit("shown").into_iter().filter(|event| event.verb == "patch").collect();
    let changed = changes.iter().filter_map(|event| event.object_ref.as_ref());
    let changed: Vec<_> = changed.map(|object| object.name.as_str()).collect();
    assert_eq!(changed.first(), Some(&"spark-trading-api-stable"), "{changed:?}");
    assert_eq!(changed.last(), Some(&"spark-trading-api-canary"), "{changed:?}");
    assert!(changed.contains(&"spark-trading-canary"), "{changed:?}");
}

#[tokio::test]
async fn a_namespace_that_somebody_else_made_is_refused_and_stays_as_it_is() {
    let cluster = shared().await;
    let namespace = cluster.namespace("backstop-demo-theirs").await;
    let folder = tempfile::tempdir().expect("a folder");
    let (output, said) =
        ended(demo(&cluster.kubeconfig(), folder.path(), &["--namespace", &namespace])).await;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("already") && said.contains("nothing was touched"), "{said}");
    let client = cluster.client().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.get(&namespace).await.expect("still there");
    assert_eq!(found.metadata.deletion_timestamp, None);
    let deployments: Api<Deployment> = Api::namespaced(client, &namespace);
    assert!(deployments.list(&ListParams::default()).await.expect("a list").items.is_empty());
}

#[tokio::test]
async fn whatever_ends_the_demo_the_namespace_goes_with_it() {
    let mut cluster = ControlPlane::start().await;
    // No pod gets anywhere from now on, so the demo waits.
    cluster.kill(Part::Scheduler);
    let client = cluster.client().await;
    let folder = tempfile::tempdir().expect("a folder");

    let (output, said) = ended(demo(&cluster.kubeconfig(), folder.path(), &["--ready-within", "2s"])).await;
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in ["not ready after 2 s", "Pod spark-trading-api-canary-", "--image", "--keep"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(left(&client).await, Vec::<String>::new(), "{said}");

    for (signal, keep) in [(Signal::INT, &[][..]), (Signal::TERM, &["--keep"][..])] {
        let running = demo(&cluster.kubeconfig(), folder.path(), keep);
        let namespace = wait_for("the demo's namespace", || async { left(&client).await.pop() }).await;
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
        wait_for("the demo's Deployments", || async {
            let found = deployments.list(&ListParams::default()).await.ok()?;
            (found.items.len() == 2).then_some(())
        })
        .await;
        let pid = running.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).expect("it runs");
        rustix::process::kill_process(pid, signal).expect("signalled");
        let (output, said) = ended(running).await;
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("interrupted") && said.contains("the namespace is gone"), "{said}");
        assert_eq!(left(&client).await, Vec::<String>::new(), "{said}");
    }
}

#[tokio::test]
async fn a_cluster_that_nobody_answers_for_is_said_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let config = json!({
        "clusters": [{ "name": "it", "cluster": { "server": format!("http://{}", own_port()) } }],
        "contexts": [{ "name": "it", "context": { "cluster": "it" } }],
        "current-context": "it",
    });
    std::fs::write(&kubeconfig, config.to_string()).expect("written");
    let (output, said) = ended(demo(&kubeconfig, folder.path(), &[])).await;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("can't be used: nothing was made"), "{said}");
    assert!(said.contains(&*kubeconfig.to_string_lossy()), "{said}");
    // Without a kubeconfig no cluster is guessed, whatever the environment has.
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command.args(["demo", "--kubernetes"]).env("KUBECONFIG", &kubeconfig);
    let output = command.output().await.expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
