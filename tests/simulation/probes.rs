//! What the simulated Backstop reads back after a rollback.

use std::sync::Arc;

use backstop::signals::RuleSource;
use backstop::verification::{AlertExpression, Probe, TrafficShare};

use crate::plan::Plan;
use crate::world::World;

/// The real probes over the simulated flag and Prometheus.
pub(crate) fn probes(world: &World, plan: &Plan) -> Vec<Arc<dyn Probe>> {
    let prometheus = plan.has_prometheus.then(|| Arc::new(world.clone()) as Arc<dyn RuleSource>);
    vec![Arc::new(TrafficShare), Arc::new(AlertExpression { prometheus })]
}
