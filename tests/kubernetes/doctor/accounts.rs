//! What an account may do, and which right it lacks.

use std::path::Path;

use serde_json::json;

use super::{Doctor, healthy};
use crate::accounts::account;
use crate::controlplane::{shared, wait_for};
use crate::rollouts::Router;
use crate::shipped;

#[tokio::test]
async fn the_account_that_is_shipped_lacks_nothing_that_a_rollback_needs() {
    for (namespace, router) in [("doctor-shipped", Router::Nginx), ("doctor-shipped-routed", Router::Gateway)]
    {
        let (_rollout, _) = healthy(namespace, router).await;
        let kubeconfig = shipped::apply(shared().await, namespace, router).await;
        let found = Doctor::new(namespace, router, &kubeconfig).finds(&[]).await;
        let all = found.report["findings"].as_array().expect("findings");
        let rights: Vec<_> = all.iter().filter(|one| one["check"] == "rights").collect();
        let [unseen, has_all] = rights[..] else { panic!("not two: {rights:#?}") };
        assert!(has_all["message"].to_string().contains("rights that Backstop uses"), "{found:?}");
        let only_doctors = "doctor can't see whose pods the Services select";
        assert!(unseen["message"].to_string().contains(only_doctors), "{found:?}");
        assert_eq!((&unseen["severity"], found.code), (&json!("note"), 0), "{found:?}");
    }
}

#[tokio::test]
async fn each_right_that_is_missing_is_named_with_what_to_add() {
    let (rollout, whole) = healthy("doctor-rights", Router::Nginx).await;
    for (number, (verb, resource, severity)) in [
        ("patch", "ingresses", "error"),
        ("list", "endpointslices", "error"),
        ("get", "endpointslices", "note"),
        ("create", "events", "note"),
        ("list", "horizontalpodautoscalers", "note"),
    ]
    .into_iter()
    .enumerate()
    {
        let rules = whole.rules(Some((verb, resource)));
        let kubeconfig = account(&rollout, &format!("without-{number}"), rules).await;
        let doctor = Doctor::new("doctor-rights", Router::Nginx, &kubeconfig);
        let remedy = format!("resources: [{resource}]");
        let found = wait_for(&format!("{verb} {resource} to be missing"), || async {
            let found = doctor.run(&[]).await;
            let rights: Vec<_> = found.report["findings"]
                .as_array()?
                .iter()
                .filter(|one| one["check"] == "rights")
                .cloned()
                .collect();
            let [only] = rights.as_slice() else { return None };
            (only["severity"] == severity && only["remedy"].as_str()?.contains(&remedy)).then_some(found)
        })
        .await;
        assert!(found.bad().iter().all(|(_, check, _)| *check == "rights"), "{found:?}");
        assert_eq!(found.code, i32::from(severity == "error"), "{found:?}");
    }
    // Nobody there, and no such file.
    let doctor = Doctor::new("doctor-rights", Router::Nginx, Path::new("/nowhere"));
    let found = doctor.finds(&[("error", "reachable", "/nowhere")]).await;
    assert!(found.code == 1 && found.remedies().contains("kubectl exec deploy/backstop"), "{found:?}");
}
