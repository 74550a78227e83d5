//! A control plane that is one test's own can be frozen, killed and started again.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

use crate::controlplane::{ControlPlane, Part, wait_for};
use crate::workloads::{Workloads, pods};

#[tokio::test]
async fn a_frozen_api_server_answers_nothing_and_restarted_parts_have_forgotten_nothing() {
    let mut cluster = ControlPlane::start().await;
    let namespace = cluster.namespace("kept").await;
    let workloads = Workloads::new(cluster.client().await, &namespace);
    let namespaces: Api<Namespace> = Api::all(workloads.client.clone());

    cluster.freeze(Part::Apiserver);
    let asked = namespaces.get("kept");
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err(), "it answered");
    cluster.thaw(Part::Apiserver);
    wait_for("an answer", || async { namespaces.get("kept").await.ok() }).await;

    cluster.kill(Part::Apiserver);
    assert!(namespaces.get("kept").await.is_err(), "it answered");
    cluster.run(Part::Apiserver).await;
    wait_for("an answer", || async { namespaces.get("kept").await.ok() }).await;

    cluster.kill(Part::Etcd);
    cluster.run(Part::Etcd).await;
    wait_for("an answer", || async { namespaces.get("kept").await.ok() }).await;

    // The controllers, the scheduler and the kubelet have found it again.
    workloads.deploy("api", 2, &pods::ready()).await;
    wait_for("two ready endpoints", || async { (workloads.endpoints("api").await.ready == 2).then_some(()) })
        .await;
}
