//! SIGKILL right when the API server has carried a step out, and right when Backstop has stored that it did:
//! the end is the same.

use futures_util::{StreamExt, TryStreamExt};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, WatchEvent, WatchParams};
use serde_json::Value;

use crate::controlplane::wait_for;
use crate::gateway::Gateway;
use crate::history::{History, State};
use crate::rollouts::{Rollout, Router};
use crate::served::Served;

/// Rollbacks at the same time, each with a process of its own.
const AT_ONCE: usize = 3;

/// What complete evidence says of itself.
const COMPLETE: &str = "This File: complete";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    StableUp,
    Shift,
    CanaryDown,
}

/// When it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The object is changed; Backstop hasn't read that back.
    Written,
    /// The step's end is stored.
    Stored,
}

const STEPS: [Step; 3] = [Step::StableUp, Step::Shift, Step::CanaryDown];

impl Step {
    /// Its name in an incident's JSON.
    fn name(self) -> &'static str {
        match self {
            Self::StableUp => "stable_up",
            Self::Shift => "shift",
            Self::CanaryDown => "canary_down",
        }
    }

    fn is_written(self, object: &DynamicObject) -> bool {
        let annotations = object.metadata.annotations.as_ref();
        let weight = annotations.and_then(|all| all.get("nginx.ingress.kubernetes.io/canary-weight"));
        let replicas = object.data["spec"]["replicas"].as_u64();
        match self {
            Self::StableUp => replicas == Some(3),
            Self::Shift => match weight {
                Some(weight) => weight == "0",
                None => object.data["spec"]["rules"][0]["backendRefs"][1]["weight"] == 0,
            },
            Self::CanaryDown => replicas == Some(0),
        }
    }

    /// Waits until the API server tells that it is carried out.
    async fn written(self, rollout: &Rollout) {
        let ingress = GroupVersionKind::gvk("networking.k8s.io", "v1", "Ingress");
        let deployment = GroupVersionKind::gvk("apps", "v1", "Deployment");
        let (kind, name) = match (self, rollout.router) {
            (Self::StableUp, _) => (ApiResource::from_gvk(&deployment), "stable"),
            (Self::CanaryDown, _) => (ApiResource::from_gvk(&deployment), "canary"),
            (Self::Shift, Router::Nginx) => (ApiResource::from_gvk(&ingress), "api"),
            (Self::Shift, Router::Gateway) => (Rollout::kind(), "api"),
        };
        let workloads = &rollout.workloads;
        let api: Api<DynamicObject> =
            Api::namespaced_with(workloads.client.clone(), &workloads.namespace, &kind);
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        let mut events = std::pin::pin!(api.watch(&params, "0").await.expect("a watch"));
        while let Some(event) = events.try_next().await.expect("an event") {
            let (WatchEvent::Added(object) | WatchEvent::Modified(object)) = event else { continue };
            if self.is_written(&object) {
                return;
            }
        }
        panic!("the watch has ended");
    }

    /// Waits until its end is stored.
    async fn stored(self, served: &Served, namespace: &str) {
        wait_for("the step's end", || async {
            let incident = served.incidents(namespace).await.into_iter().next()?;
            steps(&incident).contains(&self.name().to_owned()).then_some(())
        })
        .await;
    }
}

/// The names of an incident's steps that were done, in their order.
fn steps(incident: &Value) -> Vec<String> {
    let done = incident["steps"].as_array().into_iter().flatten().filter(|step| step["outcome"] == "done");
    done.filter_map(|step| step["step"].as_object()?.keys().next().cloned()).collect()
}

async fn dies_and_goes_on(rollout: &Rollout, step: Step, moment: Moment) {
    let namespace = &rollout.workloads.namespace;
    let mut served = Served::of(namespace, rollout.router).await;
    served.share_is(namespace, 25).await;
    match moment {
        Moment::Written => {
            let ((), ()) = tokio::join!(step.written(rollout), served.critical(namespace));
        }
        Moment::Stored => {
            served.critical(namespace).await;
            step.stored(&served, namespace).await;
        }
    }
    served.kill();
    served.restart().await;
    let incident = served.becomes(namespace, "rolled_back").await;
    rollout.pods_are(3, 0).await;
    let done = steps(&incident);
    let at = |step: Step| done.iter().position(|name| name == step.name());
    let places = STEPS.map(at);
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{namespace}: {done:?}");
    let incidents = served.incidents(namespace).await;
    assert_eq!(incidents.len(), 1, "{namespace}: {incidents:#?}");
    has_evidence(&served, namespace).await;
}

/// One rollback's, complete, and unchanged since.
async fn has_evidence(served: &Served, namespace: &str) {
    let texts = || {
        let entries = std::fs::read_dir(served.evidence()).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let texts = paths.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
        texts.filter_map(|path| std::fs::read_to_string(path).ok()).collect::<Vec<_>>()
    };
    let complete = || async { texts().iter().any(|text| text.contains(COMPLETE)).then_some(()) };
    wait_for("complete evidence", complete).await;
    assert_eq!(texts().len(), 1, "{namespace}");
    let verified = served.command(&["evidence", "verify"]).await;
    assert!(verified.status.success(), "{namespace}: {}", String::from_utf8_lossy(&verified.stdout));
}

async fn dies_after_each_step(router: Router) {
    let points =
        STEPS.into_iter().flat_map(|step| [Moment::Written, Moment::Stored].map(|moment| (step, moment)));
    let name = |(step, moment)| format!("killed-{router:?}-{step:?}-{moment:?}").to_lowercase();
    let names: Vec<_> = points.clone().map(name).collect();
    let set_up = names.iter().map(|name| Rollout::new(name, router, 0));
    let rollouts = futures_util::future::join_all(set_up).await;
    let history = History::begin().await;
    let _gateway = (router == Router::Gateway).then(|| Gateway::of(&rollouts));
    futures_util::stream::iter(points.zip(&rollouts))
        .for_each_concurrent(AT_ONCE, |((step, moment), rollout)| dies_and_goes_on(rollout, step, moment))
        .await;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (name, judged) in history.judged(&names).await {
        assert!(judged.violations.is_empty() && judged.states > 3, "{name}: {judged:#?}");
        assert_eq!(judged.last, State { stable_wanted: 3, stable_ready: 3, ..State::default() }, "{name}");
    }
}

#[tokio::test]
async fn killed_after_each_step_on_ingress_nginx_it_ends_as_it_would_have() {
    dies_after_each_step(Router::Nginx).await;
}

#[tokio::test]
async fn killed_after_each_step_on_the_gateway_api_it_ends_as_it_would_have() {
    dies_after_each_step(Router::Gateway).await;
}
