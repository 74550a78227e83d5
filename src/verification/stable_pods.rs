//! Whether the stable version's pods serve, where the target knows of pods.

use async_trait::async_trait;

use super::probe::{Probe, Round, Seen};
use crate::incident::{CheckName, Pods};

/// The stable version has its replicas, and they get requests.
#[derive(Debug, Clone, Copy)]
pub struct StablePods {
    /// How many pods of the stable version have to serve; an autoscaler may ask for more.
    pub replicas: u16,
}

#[async_trait]
impl Probe for StablePods {
    fn name(&self) -> CheckName {
        CheckName::StablePods
    }

    async fn read(&self, round: &Round<'_>) -> Seen {
        let observed = match round.observed().await {
            Ok(observed) => observed,
            Err(error) => return Seen::unknown(error.to_string()),
        };
        let Some(workloads) = observed.workloads else {
            return Seen::unknown("nothing is said of its pods");
        };
        let Pods { wanted, available, ready_endpoints } = workloads.stable;
        let needed = observed.stable_at_least(self.replicas);
        let detail = format!(
            "{ready_endpoints} get requests, {available} are available, {wanted} are wanted, of {needed} needed"
        );
        let whole = [wanted, available, ready_endpoints].iter().all(|count| *count >= needed);
        if whole { Seen::pass(detail) } else { Seen::fail(detail) }
    }
}
