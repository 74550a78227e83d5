//! The rights of the account that Backstop runs as: what it needs, and what it says without each.

use backstop::execution::{ActError, ReadError, Target};
use backstop::incident::{Share, Step};

use crate::accounts::{account, rules};
use crate::controlplane::wait_for;
use crate::rollouts::{Rollout, Router, target};

const OFF: Step = Step::Shift { share: Share::ZERO, ready_at_least: 3 };

async fn with_all_rights(namespace: &str, router: Router) {
    let rollout = Rollout::new(namespace, router, 1).await;
    let kubeconfig = account(&rollout, "backstop", rules(router, None)).await;
    let ours = target(&kubeconfig, namespace, router);
    wait_for("the rights", || async { ours.observe().await.ok() }).await;
    ours.apply(Step::StableUp { replicas: 3 }).await.expect("scaled");
    rollout.pods_are(3, 1).await;
    ours.apply(OFF).await.expect("moved");
    if router == Router::Gateway {
        rollout.accept_route().await;
    }
    ours.apply(Step::CanaryDown { ready_at_least: 3 }).await.expect("scaled");
    rollout.pods_are(3, 0).await;
}

#[tokio::test]
async fn the_listed_rights_are_enough_for_a_rollback() {
    tokio::join!(
        with_all_rights("all-rights", Router::Nginx),
        with_all_rights("all-rights-routed", Router::Gateway)
    );
}

#[tokio::test]
async fn without_one_verb_the_error_names_it_with_its_object_and_what_to_add() {
    let nginx = Rollout::new("rights-nginx", Router::Nginx, 3).await;
    let gateway = Rollout::new("rights-gateway", Router::Gateway, 3).await;
    for (number, (rollout, resource, verb, step)) in [
        (&nginx, "ingresses", "get", OFF),
        (&nginx, "ingresses", "patch", OFF),
        (&nginx, "endpointslices", "list", OFF),
        (&gateway, "httproutes", "update", OFF),
        (&nginx, "deployments/scale", "get", Step::StableUp { replicas: 4 }),
        (&nginx, "deployments/scale", "patch", Step::StableUp { replicas: 4 }),
    ]
    .into_iter()
    .enumerate()
    {
        let rules = rules(rollout.router, Some((resource, verb)));
        let kubeconfig = account(rollout, &format!("without-{number}"), rules).await;
        let ours = target(&kubeconfig, &rollout.workloads.namespace, rollout.router);
        let named = format!("resources: [{resource}]");
        // Rights take a moment to be known, and until then another one is missing.
        let text = wait_for(&format!("the refusal of {verb} {resource}"), || async {
            match ours.apply(step).await {
                Err(ActError::Refused(answer)) if answer.status == Some(403) => {
                    (answer.text.contains(&named) && answer.text.contains(&format!("verbs: [{verb}]")))
                        .then_some(answer.text)
                }
                other => panic!("{verb} {resource}: {other:?}"),
            }
        })
        .await;
        assert!(text.contains("to a Role in the namespace rights-"), "{text}");
        let token = std::fs::read_to_string(kubeconfig.with_extension("token")).expect("a token");
        assert!(!text.contains(token.trim()), "{text}");
    }
    // Of the observation, too.
    let kubeconfig =
        account(&nginx, "without-deployments", rules(Router::Nginx, Some(("deployments", "get")))).await;
    let ours = target(&kubeconfig, "rights-nginx", Router::Nginx);
    wait_for("the refusal of get deployments", || async {
        match ours.observe().await {
            Err(ReadError::Refused { status: 403, text }) => {
                text.contains("resources: [deployments]").then_some(())
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}
