//! What a rollout's rollback acts upon, by the kind that is configured.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::clock::SystemClock;
use crate::config::{FeatureFlagConfig, KubernetesConfig, RolloutConfig, TrafficConfig};
use crate::decision::PlanPolicy;
use crate::execution::{
    Clusters, FeatureFlag, KubernetesTarget, Lane, Reach, ReadRequest, SetRequest, StepLimits, Target,
    longest_try,
};
use crate::outbound::Connections;

/// Of a rollback in a cluster: stable up, traffic off, canary down.
const STEPS: u32 = 3;

/// How much later than the target itself the lane ends a call, which can then say less about it.
const CALL_MARGIN: Duration = Duration::from_secs(1);

/// An autoscaler or a GitOps tool that undoes a rollback does so within minutes: an autoscaler was seen
/// to after 35 s, and GitOps tools look every three to five minutes.
const GUARD_IN_A_CLUSTER: Duration = Duration::from_secs(300);

/// The way to a target, and what has to be known of its kind.
pub(super) struct Traffic {
    pub(super) lane: Lane,
    pub(super) plan: PlanPolicy,
    /// The longest that its steps can take, and what is waited for between them.
    pub(super) longest: Duration,
    /// For how long it is watched after a rollback, unless the configuration says otherwise.
    pub(super) guard: Duration,
}

impl Traffic {
    pub(super) fn build(
        rollout: &RolloutConfig,
        connections: &mut Connections,
        clusters: &mut Clusters,
        limits: StepLimits,
    ) -> anyhow::Result<Self> {
        match &rollout.traffic {
            TrafficConfig::FeatureFlag(flag) => of_flag(flag, &rollout.revision, connections, limits),
            TrafficConfig::Kubernetes(cluster) => Ok(of_cluster(cluster, clusters, limits)),
        }
    }
}

fn of_flag(
    flag: &FeatureFlagConfig,
    revision: &str,
    connections: &mut Connections,
    limits: StepLimits,
) -> anyhow::Result<Traffic> {
    let to_traffic = connections.to(&flag.access, flag.timeout).context("traffic")?;
    let set = SetRequest {
        method: flag.method,
        url: flag.url.clone().context("traffic.url is missing")?,
        body: flag.body.clone(),
        feature: flag.feature.clone(),
        revision: revision.to_owned(),
    };
    let read = flag.read_url.clone();
    let read = read.map(|url| ReadRequest { url, pointer: flag.read_pointer.clone(), scale: flag.scale });
    Ok(Traffic {
        lane: lane(FeatureFlag::new(to_traffic, set, read), flag.timeout, flag.timeout),
        plan: PlanPolicy::TrafficOnly,
        longest: limits.longest(flag.timeout),
        guard: Duration::ZERO,
    })
}

fn of_cluster(config: &KubernetesConfig, clusters: &mut Clusters, limits: StepLimits) -> Traffic {
    let cluster = clusters.of(config.kubeconfig.as_deref());
    // The clock stamps Events, which nothing is decided by.
    let target = KubernetesTarget::new(cluster, config, Arc::new(SystemClock));
    Traffic {
        lane: lane(target, longest_try(config.timeout), config.timeout),
        plan: PlanPolicy::Workloads {
            replicas: config.replicas,
            critical_after_seconds: whole_seconds(config.critical_after),
            warning_after_seconds: whole_seconds(config.warning_after),
            drain_seconds: whole_seconds(config.drain),
        },
        longest: STEPS * limits.longest(longest_try(config.timeout))
            + config.critical_after.max(config.warning_after)
            + config.drain,
        guard: GUARD_IN_A_CLUSTER,
    }
}

/// To a target that ends a call itself after `longest`, a single request of which may take `request`: one that
/// was given up may be carried out for as long again.
fn lane(target: impl Target + 'static, longest: Duration, request: Duration) -> Lane {
    Lane::new(Arc::new(target), Reach { call: longest + CALL_MARGIN, unanswered: request })
}

/// Rounded up; the configuration bounds it far below what fits.
fn whole_seconds(span: Duration) -> u32 {
    let whole = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::incident::{Epoch, Share, Step};

    #[tokio::test]
    async fn a_cluster_gets_the_protocols_plan_and_time_for_all_of_it_and_is_not_asked_yet() {
        let text = "[[rollouts]]\nname = \"x\"\nrevision = \"v1\"\n[rollouts.traffic]\nkind = \"gateway-api\"\n\
                    namespace = \"spark\"\nhttp_route = \"api\"\ndrain = \"1500ms\"\nkubeconfig = \"nowhere\"\n\
                    stable = { deployment = \"stable\", service = \"stable\" }\n\
                    canary = { deployment = \"canary\", service = \"canary\" }\n";
        let config = Config::parse(text, Path::new("/etc/backstop/backstop.toml")).expect("valid");
        let (mut connections, mut clusters) = (Connections::default(), Clusters::default());
        let limits = StepLimits::default();
        let built = Traffic::build(&config.rollouts[0], &mut connections, &mut clusters, limits);
        let Traffic { lane, plan, longest, .. } = built.expect("built");
        let expected = PlanPolicy::Workloads {
            replicas: 3,
            critical_after_seconds: 30,
            warning_after_seconds: 300,
            drain_seconds: 2,
        };
        assert_eq!(plan, expected);
        assert!(longest > 3 * limits.deadline + Duration::from_secs(301), "{longest:?}");
        let permit = lane.enter(Epoch(1)).expect("the first");
        let off = Step::Shift { share: Share::ZERO, ready_at_least: 3 };
        assert!(permit.describe(off).contains("httproutes/api"), "{}", permit.describe(off));
        let unread = lane.target().observe().await.expect_err("no file").to_string();
        assert!(unread.contains("/etc/backstop/nowhere"), "{unread}");
    }
}
