//! The steps of a ramp: the canary's pods first, then its share, and at the very end the stable version's pods.
//!
//! Like those of a rollback they check what they depend on as late as they can, and send a change that holds
//! only for what was read.

use k8s_openapi::api::autoscaling::v1::Scale;

use super::KubernetesTarget;
use super::pods::ready_endpoints;
use super::steps::{Ended, before, changed, not_now, not_understood, replicas_of, unchanged, words};
use crate::incident::{Answer, Share, Step};

impl KubernetesTarget {
    pub(super) async fn canary_up(&self, step: Step, replicas: u16) -> Result<Answer, Ended> {
        let (scale, unowned) = tokio::join!(self.caller.get(&self.canary, Some("scale")), self.is_unowned());
        let scale: Scale = scale.map_err(before)?;
        let present = replicas_of(&scale);
        if present >= replicas {
            return Ok(unchanged(format!("{} has {present} replicas already", self.canary)));
        }
        unowned?;
        self.set_replicas(step, &self.canary, &scale, replicas).await?;
        Ok(changed(format!("{}: replicas {present} -> {replicas}", self.canary)))
    }

    /// The canary gets no more than its ready endpoints carry; what it gets less, the stable version does.
    pub(super) async fn set_share(
        &self,
        step: Step,
        share: Share,
        ready_at_least: u16,
    ) -> Result<Answer, Ended> {
        let (object, endpoints, unowned) =
            tokio::join!(self.router_object(), self.endpoints(&self.canary_service), self.is_unowned());
        let object = object.map_err(before)?;
        let route = self.route(&object)?;
        if let Some(obstacle) = route.obstacle {
            return Err(not_now(obstacle));
        }
        let Some(change) = self.router.with_exactly(&object, share).map_err(not_understood)? else {
            return if route.share == share {
                Ok(unchanged(format!("{}: {} already", self.router.object(), words(&route))))
            } else {
                let object = self.router.object();
                Err(not_now(format!("nothing in {object} divides the traffic between both versions")))
            };
        };
        unowned?;
        let (ready, needed) = (ready_endpoints(&endpoints.map_err(before)?), ready_at_least.max(1));
        if ready < needed && share > route.share {
            let service = &self.canary_service;
            return Err(not_now(format!(
                "the Service {service} has {ready} ready endpoints, and {share} needs {needed}"
            )));
        }
        self.move_traffic(step, change).await
    }

    pub(super) async fn stable_down(&self, step: Step, ready_at_least: u16) -> Result<Answer, Ended> {
        let (scale, object, endpoints, unowned) = tokio::join!(
            self.caller.get::<Scale>(&self.stable, Some("scale")),
            self.router_object(),
            self.endpoints(&self.canary_service),
            self.is_unowned(),
        );
        let scale = scale.map_err(before)?;
        let present = replicas_of(&scale);
        if present == 0 {
            return Ok(unchanged(format!("{} has no replicas already", self.stable)));
        }
        unowned?;
        let route = self.route(&object.map_err(before)?)?;
        if route.share != Share::ALL || route.not_in_effect.is_some() || route.obstacle.is_some() {
            return Err(not_now(format!("the stable version may still have traffic: {}", words(&route))));
        }
        let (ready, needed) = (ready_endpoints(&endpoints.map_err(before)?), ready_at_least.max(1));
        if ready < needed {
            let service = &self.canary_service;
            return Err(not_now(format!(
                "the Service {service} has {ready} ready endpoints, and the step needs {needed}"
            )));
        }
        self.set_replicas(step, &self.stable, &scale, 0).await?;
        Ok(changed(format!("{}: replicas {present} -> 0", self.stable)))
    }
}
