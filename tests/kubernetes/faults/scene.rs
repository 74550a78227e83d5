//! Rollouts behind a proxy, and a server that looks after all of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use backstop::incident::{StepOutcome, Verdict};
use backstop::web::IncidentView;
use futures_util::future::join_all;

use crate::accounts::{account_on, rules};
use crate::controlplane::{ControlPlane, shared};
use crate::gateway::Gateway;
use crate::proxy::{On, Proxy, Seen};
use crate::rollouts::{Rollout, Router};
use crate::served::{Configured, Served};

/// What takes longer than this without a fault is a fault of its own.
const USUAL: Duration = Duration::from_secs(15);

/// The account that Backstop runs as, its Role and its RoleBinding.
pub(super) const ACCOUNT: &str = "backstop";

/// The changes of a rollback, in their order.
pub(super) const STABLE_UP: (&str, &str) = ("PATCH", "/deployments/stable/scale");
pub(super) const WEIGHT: (&str, &str) = ("PATCH", "/ingresses/api");
pub(super) const ROUTE: (&str, &str) = ("PUT", "/httproutes/api");
pub(super) const CANARY_DOWN: (&str, &str) = ("PATCH", "/deployments/canary/scale");

/// Rollouts with two of stable's three pods, so that all three changes are needed.
pub(super) struct Scene {
    pub(super) proxy: Proxy,
    pub(super) rollouts: Vec<Rollout>,
    pub(super) served: Served,
    /// The account's kubeconfig of each, past the proxy.
    ways: Vec<PathBuf>,
    _gateway: Option<Gateway>,
}

impl Scene {
    pub(super) async fn new(namespaces: &[&str], router: Router) -> Self {
        Self::on(shared().await, namespaces, router).await
    }

    /// The same on a control plane apart.
    pub(super) async fn on(cluster: &ControlPlane, namespaces: &[&str], router: Router) -> Self {
        let proxy = Proxy::before(cluster).await;
        let rollouts = namespaces.iter().map(|namespace| Rollout::on(cluster, namespace, router, 2));
        let rollouts = join_all(rollouts).await;
        let accounts =
            rollouts.iter().map(|rollout| account_on(cluster, rollout, ACCOUNT, rules(router, None)));
        let ways = join_all(accounts).await;
        let gateway = (router == Router::Gateway).then(|| Gateway::of(&rollouts));
        let proxied: Vec<_> = ways.iter().map(|way| proxy.kubeconfig(way)).collect();
        let configured: Vec<_> = namespaces
            .iter()
            .zip(&proxied)
            .map(|(namespace, kubeconfig)| Configured {
                namespace,
                router,
                kubeconfig,
                settings: "verify.guard = \"1s\"",
                traffic: "",
            })
            .collect();
        // The share is looked at so rarely that the looks of many don't slow a busy machine down.
        let served = Served::start("5s", &configured).await;
        join_all(namespaces.iter().map(|namespace| served.share_is(namespace, 25))).await;
        Self { proxy, rollouts, served, ways, _gateway: gateway }
    }

    /// Posts a critical alert of each of these.
    pub(super) async fn critical(&self, namespaces: &[&str]) {
        join_all(namespaces.iter().map(|namespace| self.served.critical(namespace))).await;
    }

    pub(super) fn rollout(&self, namespace: &str) -> &Rollout {
        let mut rollouts = self.rollouts.iter();
        rollouts.find(|rollout| rollout.workloads.namespace == namespace).expect("one of these")
    }

    /// The kubeconfig of the account that this rollout's rollback is carried out as, past the proxy.
    pub(super) fn way(&self, namespace: &str) -> &Path {
        let ways = self.rollouts.iter().zip(&self.ways);
        let mut ways = ways.filter(|(rollout, _)| rollout.workloads.namespace == namespace);
        ways.next().expect("one of these").1
    }

    /// The incident once it has failed, and people were told: with these words.
    pub(super) async fn fails(&self, namespace: &str, words: &[&str]) -> IncidentView {
        let failed = |incident: &IncidentView| incident.state == "failed";
        let incident = self.served.incident(namespace, 2 * USUAL, "failed", failed).await;
        let told = incident.notifications.iter().find(|notice| notice.kind == "rollback_failed");
        let text = &told.expect("told").text;
        assert!(words.iter().all(|words| text.contains(words)), "{namespace}: {words:?} in {text}");
        incident
    }

    /// What a rollback has to end in, whatever happened on its way, within so much more than usual.
    pub(super) async fn ends_right(&self, namespace: &str, more: Duration) -> IncidentView {
        let incident = self.served.rolled_back(namespace, USUAL + more).await;
        let verdict = incident.verification.as_ref().map(|verification| verification.verdict);
        assert_eq!(verdict, Some(Verdict::Verified), "{namespace}: {incident:#?}");
        let rollout = self.rollout(namespace);
        rollout.pods_are(3, 0).await;
        assert!(rollout.observe().await.is_off(), "{namespace}");
        self.arrived_once_in_order(namespace, rollout.router);
        incident
    }

    /// Stable up, traffic off, canary down: each was carried out once, and none before the one before it.
    /// One whose answer was lost may have been carried out: then the next one finds it so, and is not sent.
    fn arrived_once_in_order(&self, namespace: &str, router: Router) {
        let traffic_off = if router == Router::Nginx { WEIGHT } else { ROUTE };
        let seen = self.proxy.seen(&On::new("", namespace, ""));
        let changes: Vec<_> =
            seen.iter().filter(|seen| !["GET", "POST"].contains(&seen.method.as_str())).collect();
        let arrived: Vec<_> =
            changes.iter().filter(|seen| seen.status.is_some_and(|status| status < 300)).collect();
        let mut places = Vec::new();
        for (method, end) in [STABLE_UP, traffic_off, CANARY_DOWN] {
            let fits = |seen: &Seen| seen.method == method && seen.path.ends_with(end);
            let found: Vec<_> = (0..arrived.len()).filter(|place| fits(arrived[*place])).collect();
            let is_lost =
                changes.iter().any(|seen| fits(seen) && seen.status.is_none_or(|status| status >= 500));
            let once = found.len() == 1 || (found.is_empty() && is_lost);
            assert!(once, "{namespace}: {end} in {changes:#?}");
            places.extend(found);
        }
        let all_in_order = places.is_sorted() && places.len() == arrived.len();
        assert!(all_in_order, "{namespace}: {changes:#?}");
    }
}

/// The attempts of the step by this name, with what each led to and what was answered.
pub(super) fn attempts(incident: &IncidentView, step: &str) -> Vec<(StepOutcome, String)> {
    let records = incident.steps.iter().filter(|record| record.step.as_str() == step);
    let attempts = records.flat_map(|record| &record.attempts);
    attempts.map(|attempt| (attempt.outcome, attempt.answer.words())).collect()
}

/// From the decision to the end of the last step.
pub(super) fn took(incident: &IncidentView) -> Duration {
    let last = incident.steps.iter().map(|step| step.ended_at).max().unwrap_or(incident.opened_at);
    (last - incident.opened_at).to_std().unwrap_or_default()
}
