//! Who else acts on the objects: seen, not seen, and not waited for.

use super::fake::AUTOSCALERS;
use super::*;

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
