//! Autoscalers that would undo a rollback's replicas.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use super::super::surroundings::scales;
use crate::config::KubernetesConfig;
use crate::finding::{Check, Finding};

pub(super) fn judged(
    check: Check<'_>,
    config: &KubernetesConfig,
    all: &[HorizontalPodAutoscaler],
) -> Vec<Finding> {
    all.iter().filter_map(|one| judged_one(check, config, one)).collect()
}

fn judged_one(
    check: Check<'_>,
    config: &KubernetesConfig,
    autoscaler: &HorizontalPodAutoscaler,
) -> Option<Finding> {
    let spec = &autoscaler.spec;
    let name = autoscaler.metadata.name.as_deref().unwrap_or_default();
    let (stable, canary) = (&config.stable.deployment, &config.canary.deployment);
    let wanted = i32::from(config.replicas);
    if scales(autoscaler, stable) && spec.max_replicas < wanted {
        let max = spec.max_replicas;
        return Some(check.warning(
            format!(
                "The HorizontalPodAutoscaler {name} has maxReplicas {max}, and a rollback wants {wanted} of the Deployment {stable}: within a minute it pulls stable down to {max} again."
            ),
            format!("Set its maxReplicas to {wanted} or more, or stable.replicas in [rollouts.traffic] to what carries all of the traffic."),
        ));
    }
    if !scales(autoscaler, canary) {
        return None;
    }
    let scaled = format!("The HorizontalPodAutoscaler {name} scales the canary's Deployment {canary}");
    // At 0 replicas an autoscaler stops (`ScalingDisabled`), unless it may itself scale to 0.
    Some(if spec.min_replicas == Some(0) {
        check.warning(
            format!("{scaled} from 0 too, so it may start the canary again after a rollback."),
            "Set its minReplicas to 1, or take it away.",
        )
    } else {
        check.note(
            format!("{scaled}; it stops by itself while a rollback has it at 0."),
            "Nothing; it goes on with the next canary.",
        )
    })
}
