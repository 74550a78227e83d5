//! SIGKILL as each step is sent, once the API server has carried it out, and once its end is stored: the end
//! is the same.

use std::path::Path;

use futures_util::StreamExt;
use serde_json::Value;

use crate::accounts::{account, rules};
use crate::controlplane::{shared, wait_for};
use crate::gateway::Gateway;
use crate::history::{History, State};
use crate::proxy::{Fault, On, Proxy};
use crate::rollouts::{Rollout, Router};
use crate::served::{Configured, Served};

/// Rollbacks at the same time, each with a process of its own.
const AT_ONCE: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    StableUp,
    Shift,
    CanaryDown,
}

/// When it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// That the step begins is stored, and its request is under way.
    Sent,
    /// The object is changed, and no answer has come.
    Written,
    /// The step's end is stored.
    Stored,
}

const STEPS: [Step; 3] = [Step::StableUp, Step::Shift, Step::CanaryDown];
const MOMENTS: [Moment; 3] = [Moment::Sent, Moment::Written, Moment::Stored];

impl Step {
    /// Its name in an incident's JSON.
    fn name(self) -> &'static str {
        match self {
            Self::StableUp => "stable_up",
            Self::Shift => "shift",
            Self::CanaryDown => "canary_down",
        }
    }

    /// Its request.
    fn request(self, rollout: &Rollout) -> On {
        let (method, end) = match (self, rollout.router) {
            (Self::StableUp, _) => ("PATCH", "/deployments/stable/scale"),
            (Self::Shift, Router::Nginx) => ("PATCH", "/ingresses/api"),
            (Self::Shift, Router::Gateway) => ("PUT", "/httproutes/api"),
            (Self::CanaryDown, _) => ("PATCH", "/deployments/canary/scale"),
        };
        On::new(method, &rollout.workloads.namespace, end)
    }
}

/// An incident's steps that were done, in their order.
fn done(incident: &Value) -> Vec<(String, Value)> {
    let done = incident["steps"].as_array().into_iter().flatten().filter(|step| step["outcome"] == "done");
    done.filter_map(|step| Some((step["step"].as_object()?.keys().next()?.clone(), step.clone()))).collect()
}

/// Posts an alert, and returns at the moment.
async fn comes(moment: Moment, step: Step, rollout: &Rollout, served: &Served, proxy: &Proxy) {
    let namespace = &rollout.workloads.namespace;
    let request = || step.request(rollout);
    match moment {
        Moment::Sent => proxy.fail(request(), Fault::Hangs, 1),
        Moment::Written => proxy.fail(request(), Fault::HangsAfter, 1),
        Moment::Stored => {}
    }
    served.critical(namespace).await;
    wait_for(&format!("{namespace} to get there"), || async {
        let has_come = match moment {
            Moment::Sent | Moment::Written => !proxy.seen(&request()).is_empty(),
            Moment::Stored => {
                let incident = served.incidents(namespace).await.into_iter().next()?;
                done(&incident).iter().any(|(name, _)| name == step.name())
            }
        };
        has_come.then_some(())
    })
    .await;
}

async fn dies_and_goes_on(rollout: &Rollout, step: Step, moment: Moment, proxy: &Proxy) {
    let Rollout { workloads, router, .. } = rollout;
    let namespace = &workloads.namespace;
    let way = account(rollout, "backstop", rules(*router, None)).await;
    let served = serve(rollout, &proxy.kubeconfig(&way)).await;
    comes(moment, step, rollout, &served, proxy).await;
    served.kill();
    served.restart().await;
    let incident = served.becomes(namespace, "rolled_back").await;
    rollout.pods_are(3, 0).await;

    let done = done(&incident);
    let at = |step: Step| done.iter().position(|(name, _)| name == step.name());
    let places = STEPS.map(at);
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{namespace}: {done:#?}");
    // What an earlier process did is found, not done again; the same is never sent to a cluster twice.
    let of_it = done.iter().find(|(name, _)| name == step.name()).map(|(_, record)| record);
    let status = &of_it.expect("done")["attempts"][0]["answer"]["status"];
    assert_eq!(status.is_null(), moment == Moment::Written, "{namespace}: {of_it:#?}");
    for step in STEPS {
        let mut seen = proxy.seen(&step.request(rollout));
        seen.retain(|seen| seen.status.is_some());
        assert_eq!(seen.len(), 1, "{namespace}: {seen:?}");
    }
    let incidents = served.incidents(namespace).await;
    assert_eq!(incidents.len(), 1, "{namespace}: {incidents:#?}");
    served.has_evidence_of(1).await;
}

async fn serve(rollout: &Rollout, kubeconfig: &Path) -> Served {
    let namespace = &rollout.workloads.namespace;
    let settings = "verify.guard = \"1s\"";
    let configured = Configured { namespace, router: rollout.router, kubeconfig, settings, traffic: "" };
    let served = Served::start("1s", &[configured]).await;
    served.share_is(namespace, 25).await;
    served
}

async fn dies_at_each_step(router: Router) {
    let points: Vec<_> = STEPS.into_iter().flat_map(|step| MOMENTS.map(|moment| (step, moment))).collect();
    let name =
        |(step, moment): &(Step, Moment)| format!("killed-{router:?}-{step:?}-{moment:?}").to_lowercase();
    let names: Vec<_> = points.iter().map(name).collect();
    let set_up = names.iter().map(|name| Rollout::new(name, router, 0));
    let rollouts = futures_util::future::join_all(set_up).await;
    let history = History::begin().await;
    let _gateway = (router == Router::Gateway).then(|| Gateway::of(&rollouts));
    let proxy = &Proxy::before(shared().await).await;
    futures_util::stream::iter(points.into_iter().zip(&rollouts))
        .for_each_concurrent(AT_ONCE, |((step, moment), rollout)| {
            dies_and_goes_on(rollout, step, moment, proxy)
        })
        .await;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (name, judged) in history.judged(&names).await {
        assert!(judged.violations.is_empty() && judged.states > 3, "{name}: {judged:#?}");
        assert_eq!(judged.last, State { stable_wanted: 3, stable_ready: 3, ..State::default() }, "{name}");
    }
}

#[tokio::test]
async fn killed_at_each_step_on_ingress_nginx_it_ends_as_it_would_have() {
    dies_at_each_step(Router::Nginx).await;
}

#[tokio::test]
async fn killed_at_each_step_on_the_gateway_api_it_ends_as_it_would_have() {
    dies_at_each_step(Router::Gateway).await;
}
