//! Steps against answers that a cluster gives: refusals, conflicts, overload, silence.

mod fake;
mod just_read;
mod observations;
mod ramp_steps;
mod stable_endpoints;
mod surroundings;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;
use crate::incident::{Pods, Share};
use fake::{CANARY, Fake, Fault, INGRESS, SLICE, SLICES, STABLE, deployment, ingress, slices};

const OFF: Step = Step::Shift { share: Share::ZERO, ready_at_least: 3 };
const UP: Step = Step::StableUp { replicas: 3 };
const DOWN: Step = Step::CanaryDown { ready_at_least: 3 };
const WEIGHT: &str = "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight";

async fn apply(fake: &Fake, step: Step) -> Result<Answer, ActError> {
    let mut serving = JoinSet::new();
    let target = fake.target(&mut serving);
    tokio::time::timeout(Duration::from_secs(20), target.apply(step)).await.expect("it ends")
}

fn writes(fake: &Fake) -> usize {
    fake.asked("PATCH").len() + fake.asked("PUT").len()
}

#[tokio::test]
async fn a_step_sends_one_change_with_the_version_that_was_read_and_says_who_sends_it() {
    for (step, path, patch) in [
        (
            OFF,
            "ingresses/api?fieldManager=backstop",
            json!({ "annotations": { "nginx.ingress.kubernetes.io/canary-weight": "0" } }),
        ),
        (Step::StableUp { replicas: 5 }, "deployments/stable/scale?fieldManager=backstop", json!(5)),
    ] {
        let fake = Fake::new(3);
        apply(&fake, step).await.expect("done");
        let sent = fake.asked("PATCH");
        let [(uri, body)] = sent.as_slice() else { panic!("one: {sent:?}") };
        assert!(uri.ends_with(path), "{uri}");
        assert_eq!(body["metadata"]["resourceVersion"], "1");
        assert!(
            body["spec"]["replicas"] == patch || body["metadata"]["annotations"] == patch["annotations"],
            "{body}"
        );
    }
    let fake = Fake::new(3);
    fake.put(INGRESS, ingress("0"));
    apply(&fake, DOWN).await.expect("done");
    assert_eq!(
        (fake.get(CANARY, "/spec/replicas"), fake.get(STABLE, "/spec/replicas")),
        (json!(0), json!(3))
    );
}

#[tokio::test]
async fn what_is_so_already_is_left_as_it_is() {
    let fake = Fake::new(0);
    fake.put(STABLE, deployment("stable", 5, 0));
    fake.put(CANARY, deployment("canary", 0, 0));
    fake.put(INGRESS, ingress("0"));
    for step in [UP, OFF, Step::Shift { share: Share(34), ready_at_least: 2 }, Step::TrafficOff, DOWN] {
        let answer = apply(&fake, step).await.expect("done already");
        assert_eq!(answer.status, None, "{step:?}: {answer:?}");
    }
    assert_eq!((writes(&fake), fake.asked("POST").len()), (0, 0), "nothing to change, nothing to tell");
}

#[tokio::test]
async fn traffic_moves_only_onto_endpoints_that_are_ready_now() {
    for (ready, step, goes) in [
        (0, OFF, false),
        (2, OFF, false),
        (3, OFF, true),
        (0, Step::TrafficOff, false),
        (1, Step::TrafficOff, true),
        (0, Step::Shift { share: Share(0), ready_at_least: 0 }, false),
        (1, Step::Shift { share: Share(10), ready_at_least: 2 }, false),
        (2, Step::Shift { share: Share(10), ready_at_least: 2 }, true),
    ] {
        let fake = Fake::new(ready);
        let applied = apply(&fake, step).await;
        assert_eq!(
            matches!(applied, Err(ActError::NotNow(_))),
            !goes,
            "{ready} ready, {step:?}: {applied:?}"
        );
        assert_eq!(fake.get(INGRESS, WEIGHT) == "25", !goes, "{ready} ready, {step:?}");
    }
}

#[tokio::test]
async fn the_canary_keeps_its_pods_while_it_has_traffic_or_stable_is_short() {
    let with_cookie = |mut object: Value| {
        object["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-by-cookie"] = json!("c");
        object
    };
    for (name, weight, available, ready, cookie) in [
        ("traffic", "1", 3, 3, false),
        ("a cookie leads there", "0", 3, 3, true),
        ("too few available", "0", 2, 3, false),
        ("too few endpoints", "0", 3, 2, false),
    ] {
        let fake = Fake::new(3);
        fake.put(STABLE, deployment("stable", 3, available));
        fake.put(SLICES, slices(ready));
        fake.put(INGRESS, if cookie { with_cookie(ingress(weight)) } else { ingress(weight) });
        let applied = apply(&fake, DOWN).await;
        assert!(matches!(applied, Err(ActError::NotNow(_))), "{name}: {applied:?}");
        assert_eq!(writes(&fake), 0, "{name}");
    }
}

#[tokio::test]
async fn an_ingress_that_is_no_canary_is_not_patched_and_the_step_says_why() {
    let fake = Fake::new(3);
    let mut object = ingress("25");
    object["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary"] = json!("false");
    fake.put(INGRESS, object);
    let applied = apply(&fake, OFF).await;
    let Err(ActError::NotNow(answer)) = applied else { panic!("{applied:?}") };
    assert!(answer.text.contains("canary: \"true\""), "{answer:?}");
    assert_eq!(writes(&fake), 0);
}

#[tokio::test]
async fn somebody_elses_change_is_read_and_decided_upon_again() {
    let fake = Fake::new(3);
    fake.world(|world| world.foreign_changes = 4);
    apply(&fake, OFF).await.expect("the fifth time");
    assert_eq!((fake.get(INGRESS, WEIGHT), fake.asked("PATCH").len()), (json!("0"), 5));

    let fake = Fake::new(3);
    fake.world(|world| world.foreign_changes = 100);
    let applied = apply(&fake, OFF).await;
    let Err(ActError::Retry { answer, .. }) = applied else { panic!("{applied:?}") };
    assert_eq!((answer.status, fake.asked("PATCH").len()), (None, 5), "no status: it is worth another try");
}

#[tokio::test]
async fn each_refusal_names_what_is_missing_and_the_remedy() {
    for (method, end, step, right) in [
        (
            "PATCH",
            "ingresses/api",
            OFF,
            "{apiGroups: [networking.k8s.io], resources: [ingresses], resourceNames: [api], verbs: [patch]}",
        ),
        ("GET", "ingresses/api", OFF, "verbs: [get]}"),
        (
            "GET",
            "endpointslices",
            OFF,
            "{apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list]}",
        ),
        (
            "PATCH",
            "stable/scale",
            Step::StableUp { replicas: 9 },
            "{apiGroups: [apps], resources: [deployments/scale], resourceNames: [stable], verbs: [patch]}",
        ),
    ] {
        let fake = Fake::new(3);
        fake.fail(method, end, Fault::Status(403), 1);
        let applied = apply(&fake, step).await;
        let Err(ActError::Refused(answer)) = applied else { panic!("{method} {end}: {applied:?}") };
        assert_eq!(answer.status, Some(403));
        assert!(answer.text.contains(right) && answer.text.contains("namespace spark"), "{}", answer.text);
    }
    let fake = Fake::new(3);
    fake.fail("PATCH", INGRESS, Fault::Denied, 1);
    let Err(ActError::Refused(answer)) = apply(&fake, OFF).await else { panic!("refused") };
    assert!(answer.text.contains("friday") && !answer.text.contains("to a Role"), "{}", answer.text);
    let (fake, mut serving) = (Fake::new(3), JoinSet::new());
    fake.fail("GET", STABLE, Fault::Status(404), 1);
    let Err(ReadError::Refused { status: 404, text }) = fake.target(&mut serving).observe().await else {
        panic!("refused")
    };
    assert!(text.contains("there is no Deployment stable in the namespace spark"), "{text}");
}

#[tokio::test]
async fn overload_is_tried_again_when_the_server_says_and_silence_is_never_taken_for_a_no() {
    use ActError::{Refused, Retry, Unknown};
    let kind = |error: &ActError| match error {
        Refused(_) => "refused",
        Retry { .. } => "retry",
        Unknown(_) => "unknown",
        ActError::NotNow(_) => "not now",
    };
    for (fault, on_write, on_read, after) in [
        (Fault::Later(429, 7), "retry", "retry", Some(7)),
        (Fault::Status(500), "retry", "retry", None),
        (Fault::Later(503, 2), "retry", "retry", Some(2)),
        (Fault::Status(504), "unknown", "retry", None),
        (Fault::Status(502), "unknown", "retry", None),
        (Fault::Hang, "unknown", "retry", None),
        (Fault::Break, "unknown", "retry", None),
        (Fault::Status(422), "refused", "refused", None),
        (Fault::Status(404), "refused", "refused", None),
    ] {
        for (method, expected) in [("PATCH", on_write), ("GET", on_read)] {
            let fake = Fake::new(3);
            fake.fail(method, INGRESS, fault.clone(), 1);
            let error = apply(&fake, OFF).await.expect_err("a fault");
            assert_eq!(kind(&error), expected, "{method} {fault:?}: {error}");
            assert_eq!(error.retry_after().map(|wait| wait.as_secs()), after, "{method} {fault:?}");
            assert_eq!(
                fake.asked("PATCH").len(),
                usize::from(method == "PATCH"),
                "sent once, by whom it is tried again"
            );
        }
    }
}

#[tokio::test]
async fn credentials_that_are_accepted_no_longer_are_read_again() {
    let (fake, mut serving) = (Fake::new(3), JoinSet::new());
    let target = fake.target(&mut serving);
    fake.fail("GET", INGRESS, Fault::Status(401), 1);
    assert!(matches!(target.observe().await, Err(ReadError::Refused { status: 401, .. })));
    // There is no pod here to read them from.
    let again = target.observe().await.expect_err("no client");
    assert!(again.to_string().contains("set kubeconfig"), "{again}");
}

#[tokio::test]
async fn events_tell_of_what_was_done_once_and_neither_stop_nor_delay_a_step() {
    let (fake, mut serving) = (Fake::new(3), JoinSet::new());
    let target = fake.target(&mut serving);
    target.apply(OFF).await.expect("done");
    fake.fail("PATCH", "canary/scale", Fault::Status(500), 2);
    for _ in 0..2 {
        target.apply(DOWN).await.expect_err("a fault");
    }
    let told = || fake.asked("POST").into_iter().map(|(_, body)| body).collect::<Vec<_>>();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while told().len() < 8 {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", told());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let of = |kind: &str| {
        let fitting = told().into_iter().filter(|event| event["regarding"]["kind"] == kind);
        let mut reasons: Vec<_> = fitting
            .map(|event| {
                format!(
                    "{} {}",
                    event["action"].as_str().expect("an action"),
                    event["reason"].as_str().expect("a reason")
                )
            })
            .collect();
        reasons.sort();
        reasons
    };
    let expected = [
        "canary_down RollbackStepFailed",
        "canary_down RollbackStepStarted",
        "traffic_off RollbackStepDone",
        "traffic_off RollbackStepStarted",
    ];
    assert_eq!(
        (of("Ingress"), of("Deployment")),
        (expected.map(str::to_owned).to_vec(), expected.map(str::to_owned).to_vec())
    );
    let ingress = told().into_iter().find(|event| event["regarding"]["kind"] == "Ingress").expect("one");
    assert_eq!(ingress["regarding"]["uid"], "uid-api");

    // Nobody answers, and nobody waits: a hundred failures leave no more than the bound.
    let (fake, mut serving) = (Fake::new(3), JoinSet::new());
    let target = fake.target(&mut serving);
    fake.fail("POST", "events", Fault::Hang, u32::MAX);
    let began = tokio::time::Instant::now();
    for replicas in 4..104 {
        target.apply(Step::StableUp { replicas }).await.expect("done");
    }
    assert!(
        fake.asked("POST").len()
            <= 16 * (1 + usize::try_from(began.elapsed().as_millis() / 500).expect("small"))
    );
    assert_eq!(fake.get(STABLE, "/spec/replicas"), 103);
}

#[test]
fn evidence_says_which_object_is_changed_how() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let mut serving = JoinSet::new();
    let target = Fake::new(3).target(&mut serving);
    for (step, expected) in [
        (OFF, "PATCH ingresses/api: canary-weight for 0 %, no header or cookie rule in spark"),
        (
            Step::Shift { share: Share(34), ready_at_least: 2 },
            "PATCH ingresses/api: canary-weight for 34 % in spark",
        ),
        (UP, "PATCH deployments/stable/scale in spark: replicas at least 3"),
        (DOWN, "PATCH deployments/canary/scale in spark: replicas 0"),
    ] {
        assert_eq!(target.describe(step), expected);
    }
}

#[tokio::test]
async fn a_step_that_met_a_conflict_is_left_once_a_later_one_was_begun() {
    let (fake, mut serving) = (Fake::new(3), JoinSet::new());
    fake.world(|world| world.foreign_changes = 1);
    let target = fake.target(&mut serving);
    let earlier = Step::Shift { share: Share(10), ready_at_least: 1 };
    let (earlier, later) = tokio::join!(target.apply(earlier), target.apply(OFF));
    assert!(matches!(earlier, Err(ActError::NotNow(_))), "{earlier:?}");
    later.expect("the later one is decided again");
    assert_eq!(fake.get(INGRESS, WEIGHT), json!("0"));
}
