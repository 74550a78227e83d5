//! The process starts while the store can't be read.

use super::scene::{Scene, name, seconds};
use crate::store::{IncidentStore, MemoryStore};

/// A store in which a warning's grace is open.
async fn with_a_grace() -> MemoryStore {
    let stored = MemoryStore::default();
    let scene = Scene::over(stored.clone(), false).await;
    assert!(scene.webhook("Warning", "warning").await.expect("answered").expect("taken").durable);
    scene.stop().await;
    stored
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_goes_on_once_it_can_be_read_and_nobody_waits_for_it() {
    let stored = with_a_grace().await;
    let before = stored.events().len();
    stored.set_unavailable(true);
    let scene = Scene::unloaded(stored.clone());
    assert_eq!(scene.phase(), "none");
    // Its clock began with the first one's; an incident's id has the second in which it opened.
    seconds(5.0).await;
    assert!(!scene.webhook("Critical", "critical").await.expect("answered").expect("taken").durable);
    assert_eq!((scene.phase(), scene.metrics.is_store_healthy()), ("rolling_back", false));

    stored.set_unavailable(false);
    seconds(3.0).await;
    assert!(scene.metrics.is_store_healthy());
    assert_eq!(scene.phase(), "rolling_back", "it has begun, and is recorded after what was stored");
    let names: Vec<_> = stored.events().iter().skip(before).map(|stored| stored.event.name()).collect();
    assert!(names.contains(&"rollback_started"), "{names:?}");
    let folded = stored.load().await.expect("loaded");
    assert_eq!(folded.rollouts[&name()], *scene.journal.states()[&name()], "memory is the fold of the store");
    assert!(scene.webhook("Another", "critical").await.expect("answered").expect("taken").durable);
}

#[tokio::test(start_paused = true)]
async fn with_nothing_decided_meanwhile_a_grace_is_there_again_within_a_second_or_two() {
    let stored = with_a_grace().await;
    stored.set_unavailable(true);
    let scene = Scene::unloaded(stored.clone());
    let known_until = tokio::spawn({
        let journal = scene.journal.clone();
        async move { journal.known_until().await }
    });
    seconds(60.0).await;
    assert!(!scene.metrics.is_store_healthy(), "it is known although nothing came");
    assert!(!known_until.is_finished());
    stored.set_unavailable(false);
    seconds(2.0).await;
    assert_eq!(scene.phase(), "grace");
    assert!(known_until.is_finished() && scene.metrics.is_store_healthy());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_at_the_start_keeps_no_critical_waiting() {
    let stored = with_a_grace().await;
    let scene = Scene::unloaded(stored);
    scene.store.hang(true);
    seconds(5.0).await;
    let webhook = scene.webhook("Critical", "critical");
    seconds(0.6).await;
    assert_eq!(scene.phase(), "rolling_back");
    scene.store.hang(false);
    seconds(2.0).await;
    assert_eq!(scene.phase(), "rolling_back");
    webhook.abort();
}
