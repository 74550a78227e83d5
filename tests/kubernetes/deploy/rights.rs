//! A rollback as the shipped account, with the shipped policies bound: that it goes through, and that its
//! Roles are what the API server says we asked for.

use std::collections::BTreeSet;

use backstop::execution::Target;
use backstop::incident::{Share, Step};
use k8s_openapi::api::rbac::v1::Role;
use kube::api::ListParams;

use crate::controlplane::{shared, wait_for};
use crate::rollouts::{Rollout, Router, target};
use crate::shipped::{self, ACCOUNT};

/// A verb of a resource, and the object that it is limited to.
type Right = (String, String, String);

/// Those that the namespace's Roles give.
async fn given(rollout: &Rollout) -> BTreeSet<Right> {
    let roles = rollout.workloads.api::<Role>().list(&ListParams::default()).await.expect("Roles");
    let rules: Vec<_> = roles.items.into_iter().flat_map(|role| role.rules.unwrap_or_default()).collect();
    let mut all = BTreeSet::new();
    for rule in &rules {
        let names = rule.resource_names.clone().unwrap_or_else(|| vec![String::new()]);
        for resource in rule.resources.iter().flatten() {
            for (name, verb) in names.iter().flat_map(|name| rule.verbs.iter().map(move |verb| (name, verb)))
            {
                all.insert((verb.clone(), resource.clone(), name.clone()));
            }
        }
    }
    all
}

/// Those that the account has used, and what it was refused.
async fn used(namespace: &str) -> (BTreeSet<Right>, Vec<String>) {
    let account = format!("system:serviceaccount:{namespace}:{ACCOUNT}");
    let (mut all, mut refused) = (BTreeSet::new(), Vec::new());
    for event in shared().await.audit(namespace) {
        // The waiting for the policies only tries.
        let is_ours = event.user.username == account && !event.request_uri.contains("dryRun=");
        let Some(object) = event.object_ref.filter(|_| is_ours) else { continue };
        if event.response_status.is_some_and(|status| status.code == 403) {
            refused.push(format!("{} {}", event.verb, event.request_uri));
        }
        let subresource = if object.subresource.is_empty() { "" } else { "/" };
        let resource = format!("{}{subresource}{}", object.resource, object.subresource);
        // What is listed or created can't be limited to a name, nor what has a generated one.
        let is_named =
            !["list", "create"].contains(&event.verb.as_str()) && object.resource != "endpointslices";
        let name = if is_named { object.name } else { String::new() };
        all.insert((event.verb, resource, name));
    }
    (all, refused)
}

/// A rollback with all that it does: from no pod, through a share in between, looked at before and after.
async fn roll_back(namespace: &str, router: Router) {
    let rollout = Rollout::new(namespace, router, 0).await;
    let kubeconfig = shipped::apply(shared().await, namespace, router).await;
    shipped::limit(shared().await, namespace, router, &kubeconfig).await;
    if router == Router::Nginx {
        rollout.annotate(&[("x/canary-by-header", "X-Canary"), ("x/canary-by-cookie", "canary")]).await;
    }
    let ours = target(&kubeconfig, namespace, router);
    ours.observe().await.expect("observed");
    ours.apply(Step::StableUp { replicas: 3 }).await.expect("scaled");
    rollout.pods_are(3, 1).await;
    ours.apply(Step::Shift { share: Share(10), ready_at_least: 2 }).await.expect("moved");
    ours.apply(Step::TrafficOff).await.expect("moved");
    if router == Router::Gateway {
        rollout.accept_route().await;
    }
    ours.apply(Step::CanaryDown { ready_at_least: 3 }).await.expect("scaled");
    rollout.pods_are(3, 0).await;
    assert!(ours.observe().await.expect("observed").is_off(), "{namespace}");

    // Sent beside the last step, and so the last to come.
    let has_told = |used: &BTreeSet<Right>| used.iter().any(|(verb, ..)| verb == "create");
    let (used, refused) = wait_for(&format!("the Events of {namespace} in the audit log"), || async {
        Some(used(namespace).await).filter(|(used, _)| has_told(used))
    })
    .await;
    assert_eq!(refused, Vec::<String>::new(), "{namespace}");
    assert_eq!(used, given(&rollout).await, "{namespace}: used, and given by the Roles");
}

#[tokio::test]
async fn a_rollback_within_the_shipped_policies_uses_the_shipped_rights_and_no_others() {
    tokio::join!(
        roll_back("shipped-rights", Router::Nginx),
        roll_back("shipped-rights-routed", Router::Gateway)
    );
}
