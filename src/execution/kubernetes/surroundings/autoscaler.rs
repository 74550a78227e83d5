//! HorizontalPodAutoscalers: what they make of a number of replicas that somebody else sets.
//!
//! Facts from the controller's source (`pkg/controller/podautoscaler/horizontal.go`, 1.36): it brings replicas
//! into the range between minimum and maximum at its next look, every 15 seconds, whatever the metrics say;
//! one with 0 replicas it leaves alone.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use super::super::object::{DEPLOYMENT, Object};
use super::super::pods::count;
use crate::incident::Autoscaler;

/// The one that scales this Deployment. Of several the controller heeds none, and the first is as good.
pub(super) fn of(all: &[HorizontalPodAutoscaler], deployment: &str) -> Option<Autoscaler> {
    all.iter().find(|one| scales(one, deployment)).map(|one| Autoscaler {
        object: format!("HorizontalPodAutoscaler {}", one.metadata.name.as_deref().unwrap_or_default()),
        // 1 where it isn't said.
        min_replicas: count(one.spec.min_replicas.unwrap_or(1)),
        max_replicas: count(one.spec.max_replicas),
    })
}

/// Whether it scales this Deployment.
pub(in super::super) fn scales(autoscaler: &HorizontalPodAutoscaler, deployment: &str) -> bool {
    let target = &autoscaler.spec.scale_target_ref;
    target.kind == DEPLOYMENT.name
        && target.name == deployment
        && target.api_version.as_deref().is_none_or(|version| version.starts_with("apps/"))
}

/// What it will undo, and how to end that.
pub(super) fn warning(scaler: &Autoscaler, stable: &Object, replicas: u16) -> Option<String> {
    let Autoscaler { object, max_replicas, .. } = scaler;
    (*max_replicas < replicas).then(|| {
        format!(
            "The {object} will pull the {stable} down to {max_replicas} replicas, and a rollback wants {replicas}. Raise its maxReplicas, or lower stable.replicas in [rollouts.traffic]"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn scaler(kind: &str, name: &str, version: Value, min: Value, max: i32) -> HorizontalPodAutoscaler {
        let target = json!({ "kind": kind, "name": name, "apiVersion": version });
        let spec = json!({ "scaleTargetRef": target, "minReplicas": min, "maxReplicas": max });
        serde_json::from_value(json!({ "metadata": { "name": "api" }, "spec": spec })).expect("an autoscaler")
    }

    #[test]
    fn the_one_of_the_deployment_counts_with_what_it_says_and_what_that_means() {
        let apps = || json!("apps/v1");
        for (given, expected) in [
            (scaler("Deployment", "stable", apps(), json!(4), 9), Some((4, 9))),
            (scaler("Deployment", "stable", apps(), Value::Null, 9), Some((1, 9))),
            (scaler("Deployment", "stable", Value::Null, json!(2), 2), Some((2, 2))),
            (scaler("Deployment", "canary", apps(), json!(4), 9), None),
            (scaler("StatefulSet", "stable", apps(), json!(4), 9), None),
            (scaler("Deployment", "stable", json!("example.test/v1"), json!(4), 9), None),
        ] {
            let other = scaler("Deployment", "other", apps(), json!(7), 8);
            let found = of(&[other, given.clone()], "stable");
            let numbers = found.as_ref().map(|one| (one.min_replicas, one.max_replicas));
            assert_eq!(numbers, expected, "{given:?}");
        }
    }

    #[test]
    fn a_maximum_below_what_a_rollback_wants_is_said_with_its_remedy() {
        let stable = Object::new(DEPLOYMENT, "spark", "stable");
        let of = |max_replicas| Autoscaler {
            object: "HorizontalPodAutoscaler api".to_owned(),
            min_replicas: 1,
            max_replicas,
        };
        assert_eq!(warning(&of(3), &stable, 3), None);
        let said = warning(&of(2), &stable, 3).expect("a warning");
        for part in
            ["HorizontalPodAutoscaler api", "Deployment stable down to 2 replicas", "wants 3", "maxReplicas"]
        {
            assert!(said.contains(part), "{said}");
        }
    }
}
