//! What the simulated Backstop reads back after a rollback.

use std::sync::Arc;

use backstop::signals::RuleSource;
use backstop::verification::{
    AlertExpression, CanaryRequests, Probe, RequestTimes, StablePods, TrafficShare,
};

use crate::cluster::REPLICAS;
use crate::plan::Plan;
use crate::world::World;

/// The real probes over the simulated flag or cluster and Prometheus.
pub(crate) fn probes(world: &World, plan: &Plan) -> Vec<Arc<dyn Probe>> {
    let prometheus = plan.has_prometheus.then(|| Arc::new(world.clone()) as Arc<dyn RuleSource>);
    let in_a_cluster = world.lock().cluster.is_some();
    let pods = in_a_cluster.then(|| Arc::new(StablePods { replicas: REPLICAS }) as Arc<dyn Probe>);
    let requests = CanaryRequests { prometheus: None, counter: None, times: RequestTimes::default() };
    let always: [Arc<dyn Probe>; 2] =
        [Arc::new(TrafficShare), Arc::new(AlertExpression { prometheus, requests })];
    always.into_iter().chain(pods).collect()
}
