//! What the objects of both say of ours.

use serde_json::{Value, json};

use super::*;

fn all_ours() -> Vec<String> {
    let ours = ["Ingress api-canary", "Deployment stable", "Deployment canary", "Service s", "Service c"];
    ours.map(str::to_owned).to_vec()
}

fn argo(spec: &Value, status: &Value, policy: OwnerPolicy) -> Option<Claim> {
    let object = json!({ "metadata": { "name": "roll" }, "spec": spec, "status": status });
    argo::claim(&object, "spark", &all_ours(), policy)
}

fn flagger(spec: &Value, phase: &str, policy: OwnerPolicy) -> Option<Claim> {
    let object = json!({ "metadata": { "name": "flag" }, "spec": spec, "status": { "phase": phase } });
    flagger::claim(&object, "spark", &all_ours(), policy)
}

#[test]
fn an_argo_rollout_owns_what_its_spec_names_and_what_it_makes_of_that() {
    let canary = |canary: Value| json!({ "strategy": { "canary": canary } });
    let routed = |routing: Value| canary(json!({ "trafficRouting": routing }));
    let plugin = |plugin: Value| routed(json!({ "plugins": { "argoproj-labs/gatewayAPI": plugin } }));
    let workload = |kind: &str| json!({ "workloadRef": { "kind": kind, "name": "canary" } });
    for (spec, owns) in [
        (workload("Deployment"), &["Deployment canary"] as &[_]),
        (workload("ReplicaSet"), &[]),
        (canary(json!({ "stableService": "s", "canaryService": "c" })), &["Service c", "Service s"]),
        (canary(json!({ "stableService": "other" })), &[]),
        (routed(json!({ "nginx": { "stableIngress": "api-canary" } })), &["Ingress api-canary"]),
        (routed(json!({ "nginx": { "stableIngress": "api" } })), &[]),
        (plugin(json!({ "httpRoute": "api" })), &[]),
        (json!({ "strategy": { "blueGreen": { "activeService": "s" } } }), &[]),
    ] {
        let claim = argo(&spec, &Value::Null, OwnerPolicy::Refuse);
        assert_eq!(claim.map(|claim| claim.owns).unwrap_or_default(), owns, "{spec}");
    }
    let claimed = |spec: Value, ours: &str| {
        let object = json!({ "metadata": { "name": "roll" }, "spec": spec });
        argo::claim(&object, "spark", &[ours.to_owned()], OwnerPolicy::Refuse).is_some()
    };
    assert!(claimed(routed(json!({ "nginx": { "stableIngress": "api" } })), "Ingress roll-api-canary"));
    assert!(claimed(
        routed(json!({ "nginx": { "stableIngresses": ["x", "api"] } })),
        "Ingress roll-api-canary"
    ));
    assert!(claimed(plugin(json!({ "httpRoute": "api", "namespace": "spark" })), "HTTPRoute api"));
    assert!(claimed(plugin(json!({ "httpRoutes": [{ "name": "x" }, { "name": "api" }] })), "HTTPRoute api"));
    assert!(!claimed(plugin(json!({ "httpRoute": "api", "namespace": "else" })), "HTTPRoute api"));
}

#[test]
fn a_flagger_canary_owns_its_target_and_what_it_makes_of_that_unless_it_is_suspended() {
    let target =
        |kind: &str, name: &str| json!({ "targetRef": { "kind": kind, "name": name }, "service": {} });
    let mut routed = target("Deployment", "x");
    routed["ingressRef"] = json!({ "name": "api" });
    let mut suspended = target("Deployment", "canary");
    suspended["suspend"] = json!(true);
    for (spec, owns) in [
        (target("Deployment", "canary"), &["Deployment canary"] as &[_]),
        (target("DaemonSet", "canary"), &[]),
        (target("Deployment", "x"), &[]),
        (target("DaemonSet", "s"), &["Service s"]),
        (routed, &["Ingress api-canary"]),
        (suspended.clone(), &[]),
    ] {
        let claim = flagger(&spec, "Progressing", OwnerPolicy::Refuse);
        assert_eq!(claim.map(|claim| claim.owns).unwrap_or_default(), owns, "{spec}");
    }
    let claimed = |spec: Value, ours: &str| {
        let object = json!({ "metadata": { "name": "flag" }, "spec": spec });
        flagger::claim(&object, "spark", &[ours.to_owned()], OwnerPolicy::Refuse).is_some()
    };
    assert!(claimed(target("Deployment", "api"), "Deployment api-primary"));
    let service = json!({ "name": "web", "gatewayRefs": [{ "name": "edge" }] });
    let gateway = json!({ "targetRef": { "kind": "Deployment", "name": "api" }, "service": service });
    assert!(claimed(gateway.clone(), "HTTPRoute web") && claimed(gateway, "Service web-canary"));
    assert!(!claimed(target("Deployment", "api"), "HTTPRoute api"));
    let object = json!({ "metadata": { "name": "flag" }, "spec": suspended });
    assert!(flagger::suspended(&object, "spark", &all_ours()).expect("said").contains("\"suspend\":false"));
}

#[test]
fn what_is_done_about_an_owner_follows_from_the_setting_and_from_how_far_it_is() {
    use OwnerPolicy::{Abort, Refuse};
    use Stance::{LeftAlone, RollsBack, ToBeStopped};
    let spec = json!({ "workloadRef": { "kind": "Deployment", "name": "canary" } });
    let under_way = || json!({ "currentPodHash": "b", "stableRS": "a" });
    let aborted = |weight: u8| json!({ "currentPodHash": "b", "stableRS": "a", "abort": true, "canary": { "weights": { "canary": { "weight": weight } } } });
    let promoted = || json!({ "currentPodHash": "b", "stableRS": "b" });
    for (status, policy, stance, rolls_out, lags) in [
        (under_way(), Refuse, LeftAlone, true, false),
        (under_way(), Abort, ToBeStopped, true, false),
        (Value::Null, Abort, ToBeStopped, true, false),
        (aborted(25), Abort, RollsBack, true, true),
        (aborted(0), Abort, RollsBack, true, false),
        (aborted(0), Refuse, LeftAlone, true, false),
        (promoted(), Abort, RollsBack, false, false),
    ] {
        let claim = argo(&spec, &status, policy).expect("owned");
        let found = (claim.owner.stance, claim.owner.rolls_out, claim.lags.is_some());
        assert_eq!(found, (stance, rolls_out, lags), "{status} {policy:?}");
        assert_eq!(claim.obstacle().is_some(), stance == LeftAlone);
        assert_eq!(claim.warning().is_some(), stance == ToBeStopped);
    }
    let spec = json!({ "targetRef": { "kind": "Deployment", "name": "canary" }, "service": {} });
    for (phase, policy, stance, rolls_out) in [
        ("Progressing", Refuse, LeftAlone, true),
        ("Progressing", Abort, ToBeStopped, true),
        ("WaitingPromotion", Abort, ToBeStopped, true),
        ("Succeeded", Abort, ToBeStopped, false),
        ("Failed", Abort, ToBeStopped, false),
        ("", Abort, ToBeStopped, false),
        ("Promoting", Abort, LeftAlone, true),
        ("Finalising", Refuse, LeftAlone, true),
    ] {
        let claim = flagger(&spec, phase, policy).expect("owned");
        assert_eq!((claim.owner.stance, claim.owner.rolls_out), (stance, rolls_out), "{phase} {policy:?}");
        let too_late = ["Promoting", "Finalising"].contains(&phase);
        let says_so = claim.obstacle().is_some_and(|text| text.contains("Deploy the earlier version"));
        assert_eq!(says_so, too_late, "{phase}");
    }
}
