//! What is read back after a rollback, by what is configured.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{MetricsConfig, RolloutConfig};
use crate::decision::PlanPolicy;
use crate::outbound::Outbound;
use crate::rules::promql::series;
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
    probes.push(Arc::new(AlertExpression { prometheus: prometheus.cloned() }));
    let times = RequestTimes::default();
    let drain_seconds = match plan {
        PlanPolicy::TrafficOnly => 0,
        PlanPolicy::Workloads { drain_seconds, .. } => drain_seconds,
    };
    probes.push(Arc::new(CanaryRequests {
        prometheus: prometheus.cloned(),
        counter: counter(metrics),
        times: RequestTimes { settle: times.settle + Duration::from_secs(drain_seconds.into()), ..times },
    }));
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
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::incident::CheckName::{
        AlertExpression, CanaryRequests, StablePods, StableVersion, TrafficShare,
    };

    fn config(metrics: &str) -> Config {
        let text = format!(
            "[[rollouts]]\nname = \"x\"\nrevision = \"v1\"\n[rollouts.metrics]\n{metrics}\n[rollouts.traffic]\n\
             kind = \"feature-flag\"\nurl = \"http://127.0.0.1:1/\"\nfeature = \"v1\"\n"
        );
        Config::parse(&text, Path::new("backstop.toml")).expect("valid")
    }

    #[test]
    fn each_kind_of_target_is_read_back_by_what_it_can_have() {
        let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
        let config = config("");
        let cluster = PlanPolicy::Workloads {
            replicas: 3,
            critical_after_seconds: 30,
            warning_after_seconds: 300,
            drain_seconds: 5,
        };
        for (plan, names) in [
            (PlanPolicy::TrafficOnly, &[TrafficShare, StableVersion, AlertExpression, CanaryRequests][..]),
            (cluster, &[TrafficShare, StablePods, StableVersion, AlertExpression, CanaryRequests]),
        ] {
            let outbound = Outbound::new(Duration::from_secs(1), None).expect("a client");
            let verifier = verifier(&config.rollouts[0], plan, outbound, None);
            assert_eq!(verifier.probes.iter().map(|probe| probe.name()).collect::<Vec<_>>(), names);
            let essential = verifier.probes.iter().filter(|probe| probe.is_essential());
            assert_eq!(essential.map(|probe| probe.name()).collect::<Vec<_>>(), [TrafficShare]);
        }
    }

    #[test]
    fn the_canarys_requests_are_those_of_the_configured_metrics() {
        let metrics = "selector = 'job=\"api\"'\ncanary = 'variant=\"v2\"'\nuser_requests = 'route!=\"/ping\"'\nrequests = \"hits\"";
        let of = |part: &str| format!("hits{{job=\"api\",{part},route!=\"/ping\"}}");
        let expected = RequestCounter {
            canary: of("variant=\"v2\""),
            labelled: of("variant=\"v2\",variant!=\"\""),
            stable: Some(of("variant!=\"v2\"")),
            targets: "up{job=\"api\",variant=~\"v2|\"}".to_owned(),
        };
        assert_eq!(counter(&config(metrics).rollouts[0].metrics), Some(expected));
        assert_eq!(counter(&config("requests = \"none\"").rollouts[0].metrics), None);
    }
}
