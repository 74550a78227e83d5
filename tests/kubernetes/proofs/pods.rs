//! Pods are ready when they are told to be, and the Service in front of them knows.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::Instant;

use crate::controlplane::{shared, wait_for};
use crate::workloads::{Endpoints, Workloads, pods};

async fn namespace(name: &str) -> Workloads {
    let cluster = shared().await;
    Workloads::new(cluster.client().await, &cluster.namespace(name).await)
}

async fn becomes(workloads: &Workloads, service: &str, all: usize, ready: usize) {
    let wanted = Endpoints { all, ready };
    wait_for(&format!("{wanted:?} of {service}"), || async {
        (workloads.endpoints(service).await == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn three_replicas_become_three_ready_endpoints_and_go_with_them() {
    let workloads = namespace("three-replicas").await;
    workloads.deploy("api", 3, &pods::ready()).await;
    becomes(&workloads, "api", 3, 3).await;
    let deployments = workloads.api::<Deployment>();
    let available =
        || async { deployments.get("api").await.ok()?.status?.available_replicas.filter(|n| *n == 3) };
    wait_for("three available replicas", available).await;

    let none = Patch::Merge(json!({ "spec": { "replicas": 0 } }));
    deployments.patch_scale("api", &PatchParams::default(), &none).await.expect("scaled");
    becomes(&workloads, "api", 0, 0).await;
    wait_for("no pods", || async { workloads.pods("api").await.is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn pods_that_are_never_ready_are_endpoints_that_are_not_ready() {
    let workloads = namespace("never-ready").await;
    workloads.deploy("never", 3, &pods::never_ready()).await;
    workloads.deploy("ready", 3, &pods::ready()).await;
    becomes(&workloads, "never", 3, 0).await;
    // The others' being ready shows that there was time enough for these.
    becomes(&workloads, "ready", 3, 3).await;
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        assert_eq!(workloads.endpoints("never").await, Endpoints { all: 3, ready: 0 });
    }
}

#[tokio::test]
async fn pods_that_are_late_are_ready_when_their_time_has_come() {
    let workloads = namespace("late").await;
    workloads.deploy("late", 2, &pods::ready_after("4s")).await;
    becomes(&workloads, "late", 2, 0).await;
    becomes(&workloads, "late", 2, 2).await;
    for pod in workloads.pods("late").await {
        let status = pod.status.expect("a status");
        let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
        let ready = ready.and_then(|condition| condition.last_transition_time.clone()).expect("ready").0;
        let started = status.start_time.expect("started").0;
        // Times in a status are whole seconds.
        let seconds = ready.as_second() - started.as_second();
        assert!(seconds >= 3, "ready after {seconds} s");
    }
}

#[tokio::test]
async fn pods_that_flap_are_ready_and_not_ready_by_turns() {
    let workloads = namespace("flapping").await;
    workloads.deploy("flapping", 1, &pods::flapping("500ms")).await;
    for _ in 0..2 {
        becomes(&workloads, "flapping", 1, 1).await;
        becomes(&workloads, "flapping", 1, 0).await;
    }
}

#[tokio::test]
async fn one_pod_of_three_can_stop_being_ready_and_recover() {
    let workloads = namespace("one-of-three").await;
    workloads.deploy("api", 3, &pods::ready()).await;
    becomes(&workloads, "api", 3, 3).await;
    let one = workloads.pods("api").await[0].name_any();
    workloads.annotate_pod(&one, &pods::never_ready()).await;
    becomes(&workloads, "api", 3, 2).await;
    workloads.annotate_pod(&one, &json!({ "backstop.test/ready": null })).await;
    becomes(&workloads, "api", 3, 3).await;
}

#[tokio::test]
async fn what_a_person_types_does_what_it_says() {
    let cluster = shared().await;
    let workloads = namespace("typed").await;
    workloads.deploy("api", 1, &pods::ready()).await;
    let mut kubectl = cluster.kubectl().await;
    kubectl.args(["--namespace", "typed", "scale", "deployment/api", "--replicas=2"]);
    let output = tokio::task::spawn_blocking(move || kubectl.output()).await.expect("run").expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    becomes(&workloads, "api", 2, 2).await;
}
