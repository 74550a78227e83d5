//! Each stage of the protocol, from 0, 1, 2, 3 and 5 ready pods of stable, on both kinds of routers: the end
//! is right, and nothing on the way was wrong. So it is where the process is killed again and again.

use std::time::Duration;

use futures_util::StreamExt;

use crate::controlplane::{shared, wait_for};
use crate::gateway::Gateway;
use crate::history::{History, State};
use crate::rollouts::{Rollout, Router, Setup, Traffic};
use crate::served::{Configured, Served};

/// Rollbacks at the same time; more of them only make a small machine slow.
const AT_ONCE: usize = 10;

/// As pods come up, never more is to be shifted than they carry: so no time is to end that.
const PATIENT: &str = "critical_after = \"10m\"";

/// How long a process lives: a step or two of each rollback.
const LIVES_FOR: Duration = Duration::from_millis(1_500);

/// It has to die this often, or the test shows nothing.
const DEATHS: usize = 10;

struct Case {
    namespace: String,
    setup: Setup,
}

fn cases(name: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let weights = [1, 5, 25, 50, 100].map(Traffic::Weight);
    for router in [Router::Nginx, Router::Gateway] {
        for (stage, traffic) in (1..).zip(weights.into_iter().chain([Traffic::LastStage])) {
            for ready in [0, 1, 2, 3, 5] {
                // Without its weight, nginx leads everybody to a stable version that is there.
                if router == Router::Nginx && traffic == Traffic::LastStage && ready > 0 {
                    continue;
                }
                let is_last = matches!(traffic, Traffic::Weight(100) | Traffic::LastStage);
                let wanted = if is_last && ready == 0 { 0 } else { ready.max(3) };
                let namespace = format!("{name}-{router:?}-{stage}-{ready}").to_lowercase();
                cases.push(Case { namespace, setup: Setup { router, traffic, wanted, ready } });
            }
        }
    }
    cases
}

/// A rollback from the alert to its end. Pods that aren't ready come up once it waits for them.
async fn rolls_back(served: &Served, case: &Case, rollout: &Rollout) {
    let Case { namespace, setup } = case;
    served.critical(namespace).await;
    if setup.ready < setup.wanted {
        wait_for(&format!("{namespace} to wait for pods"), || async {
            let incident = served.incidents(namespace).await.into_iter().next()?;
            incident["decisions"].to_string().contains("rollback_waiting").then_some(())
        })
        .await;
        rollout.heal(usize::MAX).await;
    }
    served.becomes(namespace, "rolled_back").await;
    rollout.pods_are(setup.wanted.max(3), 0).await;
}

/// Rolls all of them back while `meanwhile` happens to the process, and judges what was to be seen.
async fn each_ends_right(name: &str, meanwhile: impl AsyncFn(&Served)) {
    let cases = cases(name);
    let cluster = shared().await;
    let rollouts: Vec<_> = futures_util::stream::iter(&cases)
        .map(|case| Rollout::set_up(cluster, &case.namespace, case.setup))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let history = History::begin().await;
    let gateway = Gateway::of(rollouts.iter().filter(|rollout| rollout.router == Router::Gateway));
    let served = serve(&cases).await;
    let all = futures_util::stream::iter(cases.iter().zip(&rollouts))
        .for_each_concurrent(AT_ONCE, |(case, rollout)| rolls_back(&served, case, rollout));
    tokio::join!(all, meanwhile(&served));
    drop(gateway);

    let namespaces: Vec<_> = cases.iter().map(|case| case.namespace.as_str()).collect();
    let judged = history.judged(&namespaces).await;
    for Case { namespace, setup } in &cases {
        let judged = &judged[namespace];
        assert!(judged.violations.is_empty() && judged.states > 3, "{namespace}: {judged:#?}");
        let stable = u64::from(setup.wanted.max(3));
        let right = State { stable_wanted: stable, stable_ready: stable, ..State::default() };
        assert_eq!(judged.last, right, "{namespace}");
        let incidents = served.incidents(namespace).await;
        assert_eq!(incidents.len(), 1, "{namespace}: {incidents:#?}");
    }
    served.has_evidence_of(cases.len()).await;
}

async fn serve(cases: &[Case]) -> Served {
    let kubeconfig = shared().await.kubeconfig();
    let configured: Vec<_> = cases
        .iter()
        .map(|case| Configured {
            namespace: &case.namespace,
            router: case.setup.router,
            kubeconfig: &kubeconfig,
            settings: "verify.guard = \"1s\"",
            traffic: PATIENT,
        })
        .collect();
    Served::start("10s", &configured).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stage_from_0_1_2_3_and_5_ready_pods_ends_right_and_nothing_on_the_way_was_wrong() {
    each_ends_right("matrix", async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_them_ends_as_well_with_a_process_that_is_killed_again_and_again() {
    each_ends_right("mortal", async |served| {
        for _ in 0..DEATHS {
            tokio::time::sleep(LIVES_FOR).await;
            served.kill();
            served.restart().await;
        }
    })
    .await;
}
