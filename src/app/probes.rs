//! What is read back after a rollback, by what is configured.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{MetricsConfig, RolloutConfig};
use crate::decision::PlanPolicy;
use crate::outbound::Outbound;
use crate::promql::series;
use crate::signals::RuleSource;
use crate::verification::{
    AlertExpression, CanaryRequests, Healthz, Probe, RequestCounter, RequestTimes, StablePods, StableVersion,
    TrafficShare, Verifier,
};

/// The probes of a rollout, in the order in which they are told. What there is nothing to ask for is
/// among them, so that it is left out by name; only what its kind of target can't have is not.
pub(super) fn verifier(
    rollout: &RolloutConfig,
    plan: PlanPolicy,
    to_application: Outbound,
    prometheus: Option<&Arc<dyn RuleSource>>,
) -> Verifier {
    let RolloutConfig { verify, metrics, .. } = rollout;
    let healthz = verify.healthz_url.clone().zip(verify.stable_version.clone());
    let healthz = healthz.map(|(url, stable_version)| Healthz { url, stable_version });
    let mut probes: Vec<Arc<dyn Probe>> = vec![Arc::new(TrafficShare)];
    if let Some(replicas) = plan.replicas() {
        probes.push(Arc::new(StablePods { replicas }));
    }
    probes.push(Arc::new(StableVersion { outbound: to_application, healthz }));
    let times = RequestTimes::default();
    let drain_seconds = match plan {
        PlanPolicy::TrafficOnly => 0,
        PlanPolicy::Workloads { drain_seconds, .. } => drain_seconds,
    };
    let requests = CanaryRequests {
        prometheus: prometheus.cloned(),
        counter: counter(metrics),
        times: RequestTimes { settle: times.settle + Duration::from_secs(drain_seconds.into()), ..times },
    };
    probes.push(Arc::new(AlertExpression { prometheus: prometheus.cloned(), requests: requests.clone() }));
    probes.push(Arc::new(requests));
    Verifier { probes }
}

/// Where the rollout's requests are counted; none where the application has no such counter.
fn counter(metrics: &MetricsConfig) -> Option<RequestCounter> {
    let name = metrics.requests.as_ref()?;
    let of = |part: &str| series(name, &[&metrics.selector, part, &metrics.user_requests]);
    Some(RequestCounter {
        canary: of(&metrics.canary),
        labelled: of(&metrics.canary_labelled),
        stable: metrics.stable.as_deref().map(of),
        targets: series("up", &[&metrics.selector, &metrics.canary_or_all]),
    })
}

#[cfg(test)]
mod tests;
