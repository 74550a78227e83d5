//! Objects of Argo Rollouts and Flagger, by their real definitions. What their controllers write is written here:
//! building those takes minutes, and what matters is what stands in the objects.

use backstop::config::OwnerPolicy;
use backstop::execution::{ActError, KubernetesTarget, Target};
use backstop::incident::{Observation, Share, Stance, Step};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::controlplane::{shared, wait_for};
use crate::rollouts::{Rollout, Router, target_with};
use crate::served::{Configured, Served};

const OFF: Step = Step::Shift { share: Share::ZERO, ready_at_least: 3 };

/// An owner's object, named `ship`.
pub(crate) struct Owner(Api<DynamicObject>);

impl Owner {
    async fn new(of: &Rollout, group: &str, version: &str, kind: &str, spec: Value, status: Value) -> Self {
        let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if kind == "Canary" {
            resource.plural = "canaries".to_owned();
        }
        let workloads = &of.workloads;
        let api = Api::namespaced_with(workloads.client.clone(), &workloads.namespace, &resource);
        let mut object = DynamicObject::new("ship", &resource);
        object.data = json!({ "spec": spec });
        api.create(&PostParams::default(), &object).await.expect("created");
        let this = Self(api);
        this.says(status).await;
        this
    }

    pub(crate) async fn argo(of: &Rollout, routing: Value) -> Self {
        let canary =
            json!({ "stableService": "stable", "canaryService": "canary", "trafficRouting": routing });
        let workload = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "canary" });
        let spec = json!({ "replicas": 3, "workloadRef": workload, "strategy": { "canary": canary } });
        let status = json!({ "currentPodHash": "new", "stableRS": "old", "phase": "Progressing" });
        Self::new(of, "argoproj.io", "v1alpha1", "Rollout", spec, status).await
    }

    async fn flagger(of: &Rollout) -> Self {
        let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "canary" });
        let spec = json!({ "targetRef": target, "service": { "port": 80 }, "analysis": { "interval": "10s", "threshold": 1, "maxWeight": 50, "stepWeight": 5 } });
        let status = json!({ "phase": "Progressing", "canaryWeight": 25 });
        Self::new(of, "flagger.app", "v1beta1", "Canary", spec, status).await
    }

    /// Plays its controller.
    async fn says(&self, status: Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        self.0.patch_status("ship", &PatchParams::default(), &patch).await.expect("said");
    }

    async fn read(&self) -> DynamicObject {
        self.0.get("ship").await.expect("read")
    }
}

/// Who knows nothing of before.
async fn newcomer(of: &Rollout, policy: OwnerPolicy) -> KubernetesTarget {
    target_with(&shared().await.kubeconfig(), &of.workloads.namespace, of.router, policy)
}

async fn seen(by: &KubernetesTarget, stance: Option<Stance>) -> Observation {
    wait_for(&format!("an owner that is {stance:?}"), || async {
        let seen = by.observe().await.ok()?;
        (seen.owner.as_ref().map(|owner| owner.stance) == stance).then_some(seen)
    })
    .await
}

/// Nothing is touched, and why is said.
async fn is_refused(of: &Rollout, owner: &Owner, by_hand: &str) {
    let ours = newcomer(of, OwnerPolicy::Refuse).await;
    let obstacle = seen(&ours, Some(Stance::LeftAlone)).await.obstacle.expect("an obstacle");
    assert!(obstacle.contains("ship owns the Deployment canary") && obstacle.contains(by_hand), "{obstacle}");
    let before = owner.read().await.metadata.resource_version;
    for step in [OFF, Step::StableUp { replicas: 9 }, Step::CanaryDown { ready_at_least: 1 }, Step::StopOwner]
    {
        let applied = ours.apply(step).await;
        assert!(matches!(applied, Err(ActError::NotNow(_))), "{step:?}: {applied:?}");
    }
    assert_eq!(owner.read().await.metadata.resource_version, before, "it isn't told anything either");
    assert_eq!(of.observe().await.share, Share(25));
    of.pods_are(3, 1).await;
}

async fn argo_aborts(namespace: &str, router: Router, routing: Value) {
    let rollout = Rollout::new(namespace, router, 3).await;
    let owner = Owner::argo(&rollout, routing).await;
    is_refused(&rollout, &owner, "kubectl argo rollouts abort ship").await;

    let ours = newcomer(&rollout, OwnerPolicy::Abort).await;
    let observed = seen(&ours, Some(Stance::ToBeStopped)).await;
    assert!(observed.obstacle.is_none() && !Step::StopOwner.is_met_by(&observed), "{observed:?}");
    // Between what was read and what is sent its controller goes on.
    owner.says(json!({ "canary": { "weights": weights(25) } })).await;
    ours.apply(Step::StopOwner).await.expect("told");
    let told = owner.read().await;
    assert_eq!(told.data["status"]["abort"], true);
    assert_eq!(told.data["status"]["currentPodHash"], "new", "the rest is its controller's");
    let mut writers = told.metadata.managed_fields.iter().flatten();
    let is_ours = |one: &ManagedFieldsEntry| {
        (one.manager.as_deref(), one.subresource.as_deref()) == (Some("backstop"), Some("status"))
    };
    assert!(writers.any(is_ours), "{told:?}");

    let observed = seen(&ours, Some(Stance::RollsBack)).await;
    assert!(Step::StopOwner.is_met_by(&observed) && !observed.is_off(), "{observed:?}");
    assert!(matches!(ours.apply(OFF).await, Err(ActError::NotNow(_))), "it does that itself");
    owner.says(json!({ "canary": { "weights": weights(0) }, "phase": "Degraded" })).await;
    if router == Router::Nginx {
        rollout.annotate(&[("x/canary-weight", "0")]).await;
        wait_for("the traffic to be off", || async { ours.observe().await.ok().filter(Observation::is_off) })
            .await;
    }
}

fn weights(canary: u8) -> Value {
    json!({ "canary": { "weight": canary }, "stable": { "weight": 100 - canary } })
}

#[tokio::test]
async fn an_argo_rollout_is_left_alone_or_aborted_by_its_own_status_and_read_back() {
    let plugin = json!({ "plugins": { "argoproj-labs/gatewayAPI": { "httpRoute": "api" } } });
    tokio::join!(
        argo_aborts("argo", Router::Nginx, json!({ "nginx": { "stableIngress": "api" } })),
        argo_aborts("argo-routed", Router::Gateway, plugin),
    );
}

#[tokio::test]
async fn a_flagger_canary_is_left_alone_or_suspended_and_then_the_rollback_is_ours() {
    let rollout = Rollout::new("flagger", Router::Nginx, 3).await;
    let owner = Owner::flagger(&rollout).await;
    is_refused(&rollout, &owner, "webhook of the type rollback").await;

    let ours = newcomer(&rollout, OwnerPolicy::Abort).await;
    seen(&ours, Some(Stance::ToBeStopped)).await;
    assert!(matches!(ours.apply(OFF).await, Err(ActError::NotNow(_))), "not before it has stopped");
    ours.apply(Step::StopOwner).await.expect("told");
    assert_eq!(owner.read().await.data["spec"]["suspend"], true);
    let observed = seen(&ours, None).await;
    assert!(observed.warnings.iter().any(|text| text.contains("is suspended")), "{observed:?}");
    ours.apply(OFF).await.expect("moved");
    ours.apply(Step::CanaryDown { ready_at_least: 3 }).await.expect("scaled");
    rollout.pods_are(3, 0).await;
    let stable = rollout.workloads.api::<Deployment>().get("stable").await.expect("a Deployment");
    assert_eq!(stable.spec.and_then(|spec| spec.replicas), Some(3));

    // One that is on its way to promote runs the same on both.
    owner.says(json!({ "phase": "Promoting" })).await;
    let resumed = Patch::Merge(json!({ "spec": { "suspend": false } }));
    owner.0.patch("ship", &PatchParams::default(), &resumed).await.expect("resumed");
    let ours = newcomer(&rollout, OwnerPolicy::Abort).await;
    let obstacle = seen(&ours, Some(Stance::LeftAlone)).await.obstacle.expect("an obstacle");
    assert!(obstacle.contains("Deploy the earlier version"), "{obstacle}");
}

/// An alert to the process, which tells whoever owns the rollout to stop it.
async fn alerted(namespace: &str, traffic: &str) -> Served {
    let kubeconfig = shared().await.kubeconfig();
    let (router, settings) = (Router::Nginx, "verify.guard = \"1s\"");
    let rollout = Configured { namespace, router, kubeconfig: &kubeconfig, settings, traffic };
    let served = Served::start("1s", &[rollout]).await;
    served.share_is(namespace, 25).await;
    served.critical(namespace).await;
    served
}

#[tokio::test]
async fn an_alert_has_flagger_suspended_before_anything_else_is_changed() {
    let rollout = Rollout::new("flagger-alerted", Router::Nginx, 3).await;
    let owner = Owner::flagger(&rollout).await;
    let served = alerted("flagger-alerted", "owner = \"abort\"").await;
    rollout.pods_are(3, 0).await;
    let incident = served.becomes("flagger-alerted", "rolled_back").await;
    let steps = incident["steps"].to_string();
    let at = |text: &str| steps.find(text).unwrap_or_else(|| panic!("{text} in {steps}"));
    assert!(at("PATCH canaries/ship") < at("PATCH ingresses/api"), "{steps}");
    assert_eq!(owner.read().await.data["spec"]["suspend"], true);
}

#[tokio::test]
async fn an_alert_has_argo_abort_and_what_it_does_then_is_waited_for_and_read_back() {
    let rollout = Rollout::new("argo-alerted", Router::Nginx, 3).await;
    let owner = Owner::argo(&rollout, json!({ "nginx": { "stableIngress": "api" } })).await;
    let served = alerted("argo-alerted", "owner = \"abort\"").await;
    wait_for("the abort", || async { (owner.read().await.data["status"]["abort"] == true).then_some(()) })
        .await;
    let incident = wait_for("it to wait for Argo", || async {
        let incident = served.incidents("argo-alerted").await.first()?.clone();
        incident["decisions"].to_string().contains("it takes the traffic off").then_some(incident)
    })
    .await;
    assert_eq!(incident["state"], "rolling_back");
    owner.says(json!({ "canary": { "weights": weights(0) }, "phase": "Degraded" })).await;
    rollout.annotate(&[("x/canary-weight", "0")]).await;
    let incident = served.becomes("argo-alerted", "rolled_back").await;
    let steps = incident["steps"].to_string();
    assert!(steps.contains("PATCH rollouts/ship/status") && !steps.contains("ingresses/api"), "{steps}");
    rollout.pods_are(3, 1).await;
}

#[tokio::test]
async fn without_the_setting_an_alert_changes_nothing_and_the_incident_says_whose_it_is() {
    let rollout = Rollout::new("argo-refused", Router::Nginx, 2).await;
    let owner = Owner::argo(&rollout, json!({ "nginx": { "stableIngress": "api" } })).await;
    let served = alerted("argo-refused", "").await;
    let incident = served.becomes("argo-refused", "failed").await;
    let decisions = incident["decisions"].to_string();
    assert!(
        decisions.contains("The Argo Rollout ship owns") && decisions.contains("obstacle"),
        "{decisions}"
    );
    assert_eq!(incident["steps"], json!([]));
    assert!(owner.read().await.data["status"]["abort"].is_null());
    assert_eq!(rollout.annotation("x/canary-weight").await.as_deref(), Some("25"));
    let stable = rollout.workloads.api::<Deployment>().get("stable").await.expect("a Deployment");
    assert_eq!(stable.spec.and_then(|spec| spec.replicas), Some(2));
}
