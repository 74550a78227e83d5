//! What may be asked, and what becomes of it: kinds, rights, admission, the account of requests.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Error};
use serde_json::json;

use crate::controlplane::{connect, shared, wait_for};
use crate::workloads::{Workloads, pods};

#[tokio::test]
async fn an_autoscaler_pulls_a_deployment_below_its_maximum() {
    let cluster = shared().await;
    let workloads = Workloads::new(cluster.client().await, &cluster.namespace("autoscaled").await);
    workloads.deploy("api", 3, &pods::ready()).await;
    let autoscaler = json!({
        "metadata": { "name": "api" },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "api" },
            "minReplicas": 1,
            "maxReplicas": 2,
        },
    });
    workloads.create::<HorizontalPodAutoscaler>(autoscaler).await.expect("accepted");
    let deployments = workloads.api::<Deployment>();
    let replicas = || async { deployments.get_scale("api").await.ok()?.spec?.replicas.filter(|n| *n == 2) };
    wait_for("two replicas", replicas).await;
}

#[tokio::test]
async fn a_weighted_route_of_the_gateway_api_is_accepted_and_a_wrong_one_is_not() {
    let cluster = shared().await;
    let namespace = cluster.namespace("routed").await;
    let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
    let kind = ApiResource::from_gvk(&kind);
    let routes: Api<DynamicObject> = Api::namespaced_with(cluster.client().await, &namespace, &kind);
    let route = |weight: i64| {
        let canary = json!({ "name": "canary", "port": 80, "weight": weight });
        let stable = json!({ "name": "stable", "port": 80, "weight": 75 });
        let mut route = DynamicObject::new("api", &kind);
        route.data = json!({ "spec": { "rules": [{ "backendRefs": [stable, canary] }] } });
        route
    };
    let refused = routes.create(&PostParams::default(), &route(-1)).await;
    assert!(matches!(&refused, Err(Error::Api(status)) if status.code == 422), "{refused:?}");
    let accepted = routes.create(&PostParams::default(), &route(25)).await.expect("accepted");
    assert_eq!(accepted.data["spec"]["rules"][0]["backendRefs"][1]["weight"], 25);
}

#[tokio::test]
async fn who_has_no_right_is_refused_and_who_is_given_one_is_not() {
    let cluster = shared().await;
    let namespace = cluster.namespace("rights").await;
    let admin = Workloads::new(cluster.client().await, &namespace);
    let kubeconfig = cluster.service_account(&namespace, "reader").await;
    let reader = Workloads::new(connect(&kubeconfig).await, &namespace);
    let list = || async { reader.api::<Pod>().list(&ListParams::default()).await };
    let refused = list().await;
    assert!(matches!(&refused, Err(Error::Api(status)) if status.code == 403), "{refused:?}");

    let rules = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }]);
    let role = json!({ "metadata": { "name": "reader" }, "rules": rules });
    admin.create::<k8s_openapi::api::rbac::v1::Role>(role).await.expect("a Role");
    let binding = json!({
        "metadata": { "name": "reader" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
        "subjects": [{ "kind": "ServiceAccount", "name": "reader", "namespace": namespace }],
    });
    admin.create::<k8s_openapi::api::rbac::v1::RoleBinding>(binding).await.expect("a RoleBinding");
    wait_for("the right to list", || async { list().await.ok() }).await;

    // The account of requests says who it was, and how it was answered.
    let asked = |code: u16| {
        cluster.audit(&namespace).into_iter().find(|event| {
            event.user.username == "system:serviceaccount:rights:reader"
                && event.verb == "list"
                && event.response_status.as_ref().is_some_and(|status| status.code == code)
        })
    };
    for code in [403, 200] {
        wait_for("the request in the audit log", || async { asked(code) }).await;
    }
}

#[tokio::test]
async fn what_was_sent_is_in_the_account_of_requests() {
    let cluster = shared().await;
    let namespace = cluster.namespace("audited").await;
    let workloads = Workloads::new(cluster.client().await, &namespace);
    workloads.deploy("api", 0, &pods::ready()).await;
    let one = Patch::Merge(json!({ "spec": { "replicas": 1 } }));
    let deployments = workloads.api::<Deployment>();
    deployments.patch_scale("api", &PatchParams::default(), &one).await.expect("scaled");
    let scaled = || async {
        let event = cluster.audit(&namespace).into_iter().find(|event| event.verb == "patch")?;
        let object = event.object_ref?;
        assert_eq!((object.resource.as_str(), object.name.as_str()), ("deployments", "api"));
        assert_eq!((object.subresource.as_str(), event.user.username.as_str()), ("scale", "admin"));
        assert_eq!(event.request_object["spec"]["replicas"], 1);
        assert!(event.request_uri.ends_with("/deployments/api/scale?"), "{}", event.request_uri);
        Some(())
    };
    wait_for("the patch in the audit log", scaled).await;
}

#[tokio::test]
async fn a_namespace_that_enforces_restricted_pods_takes_ours_and_refuses_a_privileged_one() {
    let cluster = shared().await;
    let namespace = cluster.namespace("restricted").await;
    let workloads = Workloads::new(cluster.client().await, &namespace);
    let label = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
    let namespaces: Api<Namespace> = Api::all(workloads.client.clone());
    namespaces.patch(&namespace, &PatchParams::default(), &Patch::Merge(label)).await.expect("labelled");
    let container = json!({ "name": "x", "image": "registry.example.test/x:1", "securityContext": { "privileged": true } });
    let pod = json!({ "metadata": { "name": "x" }, "spec": { "containers": [container] } });
    let refused = workloads.create::<Pod>(pod).await;
    assert!(matches!(&refused, Err(Error::Api(status)) if status.code == 403), "{refused:?}");
    workloads.deploy("api", 1, &pods::ready()).await;
    wait_for("one ready endpoint", || async { (workloads.endpoints("api").await.ready == 1).then_some(()) })
        .await;
}
