//! Rollouts in clusters.

use super::{Examination, clocks};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, TrafficConfig};
use crate::execution::{Clusters, Inspection, inspect};
use crate::finding::Area;

pub(super) fn examinations(config: &Config) -> Vec<Examination> {
    let mut clusters = Clusters::default();
    let in_clusters = config.rollouts.iter().filter_map(|rollout| match &rollout.traffic {
        TrafficConfig::Kubernetes(traffic) => Some((rollout.name.clone(), traffic.clone())),
        TrafficConfig::FeatureFlag(_) => None,
    });
    in_clusters
        .map(|(name, traffic)| {
            let cluster = clusters.of(traffic.kubeconfig.as_deref());
            let about = name.clone();
            Examination::new(Area::Kubernetes, &name, async move {
                let asked_at = SystemClock.now();
                let Inspection { mut findings, clock, answered_at } =
                    inspect(cluster, &traffic, &about, &SystemClock).await;
                let clock = clock.map(|theirs| {
                    clocks::judged(&format!("API server of {about}"), theirs, asked_at, answered_at)
                });
                findings.extend(clock);
                findings
            })
        })
        .collect()
}
