//! What is read back after a rollback, by what is configured.

use std::sync::Arc;

use crate::config::VerifyConfig;
use crate::decision::PlanPolicy;
use crate::outbound::Outbound;
use crate::signals::RuleSource;
use crate::verification::{
    AlertExpression, Healthz, Probe, StablePods, StableVersion, TrafficShare, Verifier,
};

/// The probes of a rollout, in the order in which they are told. What there is nothing to ask for is
/// among them, so that it is left out by name; only what its kind of target can't have is not.
pub(super) fn verifier(
    verify: &VerifyConfig,
    plan: PlanPolicy,
    to_application: Outbound,
    prometheus: Option<&Arc<dyn RuleSource>>,
) -> Verifier {
    let healthz = verify.healthz_url.clone().zip(verify.stable_version.clone());
    let healthz = healthz.map(|(url, stable_version)| Healthz { url, stable_version });
    let mut probes: Vec<Arc<dyn Probe>> = vec![Arc::new(TrafficShare)];
    if let Some(replicas) = plan.replicas() {
        probes.push(Arc::new(StablePods { replicas }));
    }
    probes.push(Arc::new(StableVersion { outbound: to_application, healthz }));
    probes.push(Arc::new(AlertExpression { prometheus: prometheus.cloned() }));
    Verifier { probes }
}
