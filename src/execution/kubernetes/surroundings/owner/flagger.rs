//! Flagger. Facts from its source, 1.44: `pkg/apis/flagger/v1beta1`, and `pkg/router` for the names of what it
//! makes.
//!
//! The rollback by hand that its documentation has is a webhook of the type `rollback`: a gate that Flagger
//! asks at its next interval, and that nobody can open through the API. What it documents beside is
//! `spec.suspend`: it then moves nothing and corrects nothing, so the rollback can be ours. A look of its that
//! was under way may still write once; who watches the rollback sets that again.

use serde_json::{Value, json};

use super::super::super::object::{FLAGGER_CANARY, Object};
use super::{Claim, Said, Stop, ours, stance, text};
use crate::config::OwnerPolicy;
use crate::incident::Owner;

/// What this Canary owns of ours, if anything. One that is suspended owns nothing for as long as it is.
pub(in super::super) fn claim(
    canary: &Value,
    namespace: &str,
    ours: &[String],
    policy: OwnerPolicy,
) -> Option<Claim> {
    let name = text(canary, "/metadata/name")?;
    let said = said(canary, ours);
    if said.owns.is_empty() || is_suspended(canary) {
        return None;
    }
    let stance = stance(&said, policy);
    Some(Claim {
        object: Object::new(FLAGGER_CANARY, namespace, name),
        resource_version: text(canary, "/metadata/resourceVersion").unwrap_or_default().to_owned(),
        owner: Owner { name: format!("Flagger Canary {name}"), stance, rolls_out: said.rolls_out },
        owns: said.owns,
        replicas: None,
        stop: Stop {
            subresource: None,
            patch: json!({ "spec": { "suspend": true } }),
            words: "spec.suspend: true",
            then: "goes on by itself; a person resumes it afterwards",
        },
        by_hand: format!(
            "by its webhook of the type rollback, or suspend it ({})",
            suspend(name, namespace, true)
        ),
        too_late: said.too_late,
        lags: said.lags,
    })
}

/// What is to be said of one that stands aside.
pub(in super::super) fn suspended(canary: &Value, namespace: &str, ours: &[String]) -> Option<String> {
    let name = text(canary, "/metadata/name")?;
    (is_suspended(canary) && !said(canary, ours).owns.is_empty()).then(|| {
        format!(
            "The Flagger Canary {name} is suspended, so it carries no rollout out. Resume it once the earlier version is deployed ({})",
            suspend(name, namespace, false)
        )
    })
}

fn suspend(name: &str, namespace: &str, suspended: bool) -> String {
    format!(
        "kubectl patch canary {name} -n {namespace} --type=merge -p '{{\"spec\":{{\"suspend\":{suspended}}}}}'"
    )
}

fn is_suspended(canary: &Value) -> bool {
    canary.pointer("/spec/suspend") == Some(&Value::Bool(true))
}

fn said(canary: &Value, of_us: &[String]) -> Said {
    let phase = text(canary, "/status/phase").unwrap_or_default();
    let is_promoting = ["Promoting", "Finalising"].contains(&phase);
    let rolls_out = is_promoting || ["Progressing", "Waiting", "WaitingPromotion"].contains(&phase);
    let too_late = is_promoting.then(|| {
        "is promoting this version: the stable pods run it, too, so there is nothing to go back to. Deploy the earlier version".to_owned()
    });
    Said { owns: ours(claimed(canary), of_us), rolls_out, rolls_back: false, too_late, lags: None }
}

fn claimed(canary: &Value) -> Vec<String> {
    let spec = &canary["spec"];
    let Some(target) = spec["targetRef"]["name"].as_str() else { return Vec::new() };
    let mut claimed = Vec::new();
    if spec["targetRef"]["kind"] == "Deployment" {
        claimed.extend([format!("Deployment {target}"), format!("Deployment {target}-primary")]);
    }
    if let Some(ingress) = spec["ingressRef"]["name"].as_str() {
        claimed.extend([format!("Ingress {ingress}"), format!("Ingress {ingress}-canary")]);
    }
    let apex = spec["service"]["name"].as_str().unwrap_or(target);
    claimed.extend(["", "-primary", "-canary"].map(|ending| format!("Service {apex}{ending}")));
    if spec["service"]["gatewayRefs"].as_array().is_some_and(|refs| !refs.is_empty()) {
        claimed.push(format!("HTTPRoute {apex}"));
    }
    claimed
}
