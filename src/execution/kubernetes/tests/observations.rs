//! What is seen of a cluster, and what without a part of it.

use super::*;

#[tokio::test]
async fn an_observation_says_all_that_a_plan_decides_by() {
    let (fake, mut serving) = (Fake::new(2), JoinSet::new());
    let observed = fake.target(&mut serving).observe().await.expect("read");
    assert_eq!((observed.share, observed.obstacle.as_deref()), (Share(25), None));
    let known = observed.workloads.expect("workloads");
    assert_eq!(known.stable, Pods { wanted: 3, available: 2, ready_endpoints: 2 });
    assert_eq!(known.canary, Pods { wanted: 3, available: 3, ready_endpoints: 2 });
    assert_eq!(observed.revision.expect("a tag").as_str(), "v1.4.0");
}

#[tokio::test]
async fn without_the_canarys_deployment_its_service_says_what_serves() {
    for ready in [0, 2] {
        let (fake, mut serving) = (Fake::new(ready), JoinSet::new());
        fake.fail("GET", CANARY, Fault::Status(404), 1);
        let observed = fake.target(&mut serving).observe().await.expect("the rest is there");
        let count = u16::try_from(ready).expect("few");
        let pods = Pods { wanted: count, available: count, ready_endpoints: count };
        assert_eq!(observed.workloads.expect("pods").canary, pods);
        assert_eq!((observed.share, observed.revision), (Share(25), None));
    }
}

#[tokio::test]
async fn a_service_of_stable_that_is_missing_is_an_obstacle_and_one_without_pods_is_none() {
    let (fake, mut serving) = (Fake::new(0), JoinSet::new());
    let target = fake.target(&mut serving);
    assert_eq!(target.observe().await.expect("read").obstacle, None);
    fake.put(SLICES, json!({ "items": [] }));
    let obstacle = target.observe().await.expect("read").obstacle.expect("an obstacle");
    assert!(obstacle.contains("no Service stable with a selector in the namespace spark"), "{obstacle}");
}
