//! Who else acts on the objects: seen, not seen, and not waited for.

use super::fake::{AUTOSCALERS, FLAGGER, ROLLOUT, canary, rollout};
use super::*;
use crate::config::OwnerPolicy;
use crate::incident::Stance;

#[tokio::test]
async fn an_autoscaler_of_stable_is_seen_and_who_may_not_look_for_one_acts_all_the_same() {
    let scaler = |target: &str| {
        let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": target });
        json!({ "metadata": { "name": "api" }, "spec": { "scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 2 } })
    };
    for (target, fault, found) in [
        ("stable", None, true),
        ("canary", None, false),
        ("stable", Some(Fault::Status(403)), false),
        ("stable", Some(Fault::Status(404)), false),
        ("stable", Some(Fault::Status(500)), false),
    ] {
        let (fake, mut serving) = (Fake::new(3), JoinSet::new());
        fake.put(AUTOSCALERS, json!({ "metadata": {}, "items": [scaler(target)] }));
        if let Some(fault) = fault.clone() {
            fake.fail("GET", AUTOSCALERS, fault, u32::MAX);
        }
        let cluster = fake.target(&mut serving);
        let observed = cluster.observe().await.expect("observed");
        let expected = (found, usize::from(found));
        assert_eq!((observed.autoscaler.is_some(), observed.warnings.len()), expected, "{target} {fault:?}");
        cluster.observe().await.expect("observed");
        let asked = fake.asked("GET").iter().filter(|(path, _)| path.ends_with(AUTOSCALERS)).count();
        assert_eq!(asked, 1, "it changes rarely");
    }
}

#[tokio::test(start_paused = true)]
async fn an_observation_waits_for_what_else_acts_no_longer_than_a_second_and_then_no_more() {
    let (fake, mut serving) = (Fake::new(3), JoinSet::new());
    fake.fail("GET", AUTOSCALERS, Fault::Hang, u32::MAX);
    let cluster = fake.target(&mut serving);
    for (longest, times) in [(1_000, "at first"), (0, "then")] {
        let began = tokio::time::Instant::now();
        cluster.observe().await.expect("observed");
        assert!(began.elapsed() <= Duration::from_millis(longest), "{times}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn what_somebody_else_owns_is_not_touched_and_who_it_is_is_said() {
    for (end, object, name, remedy) in [
        (
            ROLLOUT,
            rollout(),
            "The Argo Rollout api owns the Ingress api",
            "kubectl argo rollouts abort api -n spark",
        ),
        (
            FLAGGER,
            canary(),
            "The Flagger Canary api owns the Deployment canary and the Service canary",
            "suspend",
        ),
    ] {
        let (fake, mut serving) = (Fake::new(3), JoinSet::new());
        fake.put(end, object);
        let cluster = fake.target(&mut serving);
        let observed = cluster.observe().await.expect("observed");
        let obstacle = observed.obstacle.expect("an obstacle");
        for part in [name, remedy, "owner = \"abort\""] {
            assert!(obstacle.contains(part), "{part} in {obstacle}");
        }
        for step in [OFF, Step::TrafficOff, Step::StableUp { replicas: 9 }, DOWN, Step::StopOwner] {
            let applied = cluster.apply(step).await;
            let Err(ActError::NotNow(answer)) = applied else { panic!("{step:?}: {applied:?}") };
            assert_eq!(answer.text, obstacle, "{step:?}");
        }
        assert_eq!((writes(&fake), fake.asked("POST").len()), (0, 0), "{name}");
    }
}

#[tokio::test]
async fn an_owner_is_told_to_stop_by_what_was_read_and_what_it_becomes_is_read_back() {
    let abort = ("rollouts/api/status?fieldManager=backstop", json!({ "abort": true }));
    let suspend = ("canaries/api?fieldManager=backstop", json!({ "suspend": true }));
    for (end, object, (path, patch), after) in
        [(ROLLOUT, rollout(), abort, Some(Stance::RollsBack)), (FLAGGER, canary(), suspend, None)]
    {
        let (fake, mut serving) = (Fake::new(3), JoinSet::new());
        fake.put(end, object);
        let cluster = fake.target_with(OwnerPolicy::Abort, &mut serving);
        let observed = cluster.observe().await.expect("observed");
        let stance = |observed: &Observation| observed.owner.as_ref().map(|owner| owner.stance);
        assert_eq!((stance(&observed), &observed.obstacle), (Some(Stance::ToBeStopped), &None));
        assert!(!Step::StopOwner.is_met_by(&observed) && !observed.warnings.is_empty(), "{observed:?}");
        assert!(matches!(cluster.apply(OFF).await, Err(ActError::NotNow(_))), "not before it has stopped");
        assert!(cluster.describe(Step::StopOwner).contains(end), "{}", cluster.describe(Step::StopOwner));

        fake.world(|world| world.foreign_changes = 1);
        cluster.apply(Step::StopOwner).await.expect("told");
        let sent = fake.asked("PATCH");
        assert_eq!(sent.len(), 2, "the first met a change of its own: {sent:?}");
        for (uri, body) in &sent {
            assert!(uri.ends_with(path), "{uri}");
            assert!(body["status"] == patch || body["spec"] == patch, "{body}");
        }
        assert_eq!(sent[1].1["metadata"]["resourceVersion"], "2");
        let observed = cluster.observe().await.expect("observed");
        assert_eq!(stance(&observed), after, "{end}");
        assert!(Step::StopOwner.is_met_by(&observed));
        cluster.apply(Step::StopOwner).await.expect("so already");
        assert_eq!(fake.asked("PATCH").len(), 2);
        let applied = cluster.apply(OFF).await;
        assert_eq!(applied.is_ok(), after.is_none(), "what stands aside leaves it to us: {applied:?}");
    }
}

#[tokio::test]
async fn pods_that_an_owner_runs_itself_are_seen_without_any_deployment() {
    let (fake, mut serving) = (Fake::new(2), JoinSet::new());
    let mut owner = rollout();
    owner["spec"]["replicas"] = json!(4);
    fake.put(ROLLOUT, owner);
    for deployment in [STABLE, CANARY] {
        fake.fail("GET", deployment, Fault::Status(404), u32::MAX);
    }
    let observed = fake.target_with(OwnerPolicy::Abort, &mut serving).observe().await.expect("observed");
    let known = observed.workloads.expect("workloads");
    assert_eq!(known.stable, Pods { wanted: 4, available: 2, ready_endpoints: 2 });
    assert!(!observed.warnings.iter().any(|text| text.contains("no Deployment")), "{observed:?}");
}

#[tokio::test]
async fn who_may_not_list_owners_acts_and_an_answer_that_doesnt_come_forgets_none() {
    let (fake, mut serving) = (Fake::new(3), JoinSet::new());
    fake.put(ROLLOUT, rollout());
    fake.fail("GET", "rollouts", Fault::Status(403), u32::MAX);
    apply_on(&fake.target(&mut serving), OFF).await.expect("moved");

    let (fake, mut serving) = (Fake::new(3), JoinSet::new());
    fake.put(ROLLOUT, rollout());
    let cluster = fake.target(&mut serving);
    assert!(cluster.observe().await.expect("observed").owner.is_some());
    fake.fail("GET", "rollouts", Fault::Status(500), u32::MAX);
    cluster.surroundings.changed();
    assert!(cluster.observe().await.expect("observed").owner.is_some(), "as it was");
}

async fn apply_on(target: &KubernetesTarget, step: Step) -> Result<Answer, ActError> {
    target.observe().await.expect("observed");
    target.apply(step).await
}
