//! What a change of traffic is decided upon: the observation before it, or what is read for it.

use super::*;

fn reads(fake: &Fake) -> usize {
    fake.asked("GET").len()
}

#[tokio::test(start_paused = true)]
async fn traffic_moves_by_what_was_observed_a_moment_ago_and_by_nothing_older() {
    for (milliseconds, read_again) in [(0, 0), (200, 0), (300, 2)] {
        let fake = Fake::new(3);
        let mut serving = JoinSet::new();
        let target = fake.target(&mut serving);
        target.observe().await.expect("observed");
        let before = reads(&fake);
        tokio::time::advance(Duration::from_millis(milliseconds)).await;
        target.apply(OFF).await.expect("done");
        assert_eq!((reads(&fake) - before, writes(&fake)), (read_again, 1), "{milliseconds} ms");
        assert_eq!(fake.get(INGRESS, WEIGHT), "0");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changed_since_the_observation_is_a_conflict_and_read_again() {
    let fake = Fake::new(3);
    let mut serving = JoinSet::new();
    let target = fake.target(&mut serving);
    target.observe().await.expect("observed");
    let mut changed = ingress("50");
    changed["metadata"]["resourceVersion"] = json!("7");
    fake.put(INGRESS, changed);
    let answer = target.apply(OFF).await.expect("done");
    assert!(answer.text.contains("50 -> 0"), "{answer:?}");
    assert_eq!((fake.get(INGRESS, WEIGHT), writes(&fake)), (json!("0"), 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_found_done_or_refused_by_an_observation_that_holds_no_longer() {
    let fake = Fake::new(3);
    let mut serving = JoinSet::new();
    let target = fake.target(&mut serving);
    fake.put(INGRESS, ingress("0"));
    target.observe().await.expect("observed");
    fake.put(INGRESS, ingress("25"));
    target.apply(OFF).await.expect("done");
    assert_eq!(fake.get(INGRESS, WEIGHT), "0", "a late change is set again");

    fake.put(INGRESS, ingress("25"));
    fake.put(SLICES, slices(0));
    target.observe().await.expect("observed");
    fake.put(SLICES, slices(3));
    target.apply(OFF).await.expect("they are ready by now");
}

#[tokio::test(start_paused = true)]
async fn a_glance_reads_what_the_change_depends_on_and_the_revision_and_nothing_else() {
    let fake = Fake::new(3);
    let mut serving = JoinSet::new();
    let target = fake.target(&mut serving);
    let glance = target.glance().await.expect("a cluster has one").expect("read");
    let observed = target.observe().await.expect("observed");
    assert_eq!((glance.share, glance.revision), (observed.share, observed.revision));

    tokio::time::advance(Duration::from_secs(1)).await;
    let before = reads(&fake);
    target.glance().await.expect("a cluster has one").expect("read");
    let asked: Vec<_> = fake.asked("GET").into_iter().skip(before).map(|(path, _)| path).collect();
    let cached = asked.iter().filter(|path| path.ends_with("?resourceVersion=1")).count();
    let by_name = asked.iter().filter(|path| path.ends_with(SLICE)).count();
    assert_eq!((asked.len(), cached, by_name), (3, 2, 1), "who is ready isn't asked of a cache: {asked:?}");
    target.apply(OFF).await.expect("done");
    assert_eq!((reads(&fake) - before, writes(&fake)), (3, 1), "the change rests on it");
}

#[tokio::test(start_paused = true)]
async fn after_its_own_change_a_glance_asks_etcd_and_no_memory_that_may_not_know_of_it_yet() {
    let fake = Fake::new(3);
    let mut serving = JoinSet::new();
    let target = fake.target(&mut serving);
    let in_memory = |before: usize| {
        let asked = fake.asked("GET").into_iter().skip(before).map(|(path, _)| path);
        asked.filter(|path| path.contains("resourceVersion=")).collect::<Vec<_>>()
    };
    target.observe().await.expect("observed");
    target.apply(OFF).await.expect("done");
    let before = reads(&fake);
    let glance = target.glance().await.expect("a cluster has one").expect("read");
    let asked = in_memory(before);
    assert_eq!(glance.share, Share::ZERO);
    assert!(asked.iter().all(|path| path.contains("deployments/canary")), "{asked:?}");

    target.observe().await.expect("observed");
    let before = reads(&fake);
    target.glance().await.expect("a cluster has one").expect("read");
    assert!(
        in_memory(before).contains(
            &"/apis/networking.k8s.io/v1/namespaces/spark/ingresses/api?resourceVersion=2".to_owned()
        )
    );
}
