//! When the fold of what is durable is saved, and that nothing else is.

use super::scene::{Scene, name, seconds, start};
use crate::incident::{Event, StoredAs};
use crate::logging::fixtures::page;
use crate::store::{Batch, IncidentStore, MemoryStore};

const AN_HOUR: f64 = 3_600.0;

/// A store with so many events.
async fn with_events(count: usize) -> MemoryStore {
    let stored = MemoryStore::default();
    let event = StoredAs { at: start(), rollout: name(), incident: None, event: Event::WatchdogBack };
    let batch = Batch { expected_seq: 0, events: vec![event; count], blobs: Vec::new() };
    stored.append(batch).await.expect("appended");
    stored
}

fn saved(scene: &Scene) -> Vec<u64> {
    scene.store.checkpoints.lock().expect("locked").iter().map(|(seq, _)| *seq).collect()
}

#[tokio::test(start_paused = true)]
async fn the_fold_is_saved_an_hour_after_something_was_stored_and_not_again_before_there_is_more() {
    let scene = Scene::new().await;
    assert!(scene.webhook("First", "warning").await.expect("answered").expect("taken").durable);
    seconds(AN_HOUR - 10.0).await;
    assert!(saved(&scene).is_empty(), "a few events are replayed in no time");
    seconds(20.0).await;
    let first = scene.store.inner.events().len() as u64;
    assert_eq!(saved(&scene), [first]);
    seconds(2.0 * AN_HOUR).await;
    assert_eq!(saved(&scene), [first], "there is nothing new");
    assert!(scene.webhook("Second", "warning").await.expect("answered").expect("taken").durable);
    seconds(2.0).await;
    assert_eq!(saved(&scene), [first, scene.store.inner.events().len() as u64]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_had_to_replay_five_thousand_events_spares_the_next_one_that() {
    let scene = Scene::over(with_events(4_999).await, false).await;
    seconds(60.0).await;
    assert!(saved(&scene).is_empty());
    let scene = Scene::over(with_events(5_000).await, false).await;
    seconds(60.0).await;
    assert_eq!(saved(&scene), [5_000]);
    assert!(scene.webhook("First", "warning").await.expect("answered").expect("taken").durable);
    seconds(60.0).await;
    assert_eq!(saved(&scene), [5_000], "counted from where the last one ends");
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_takes_long_to_save_is_not_saved_a_second_time_meanwhile() {
    let scene = Scene::over(with_events(5_000).await, false).await;
    scene.store.hang_checkpoints(true);
    for number in 0..5 {
        let alert = format!("Warning{number}");
        assert!(scene.webhook(&alert, "warning").await.expect("answered").expect("taken").durable);
    }
    assert_eq!(saved(&scene), [5_000], "one at a time");
    scene.store.hang_checkpoints(false);
    seconds(1.0).await;
    assert_eq!(saved(&scene), [5_000]);
}

#[tokio::test(start_paused = true)]
async fn what_led_to_nothing_leaves_the_fold_that_is_saved_as_it_was() {
    let scene = Scene::new().await;
    assert!(scene.webhook("Warning", "warning").await.expect("answered").expect("taken").durable);
    assert!(scene.webhook("Warning", "warning").await.expect("answered").expect("taken").durable);
    let store = scene.stop().await;
    let stored = store.load().await.expect("loaded");
    let saved = store.checkpoints.lock().expect("locked").pop().expect("saved");
    assert_eq!((saved.0, saved.1[&name()].as_ref()), (stored.seq, &stored.rollouts[&name()]));
}

#[tokio::test(start_paused = true)]
async fn after_somebody_else_wrote_their_fold_is_saved_with_what_was_kept_on_top() {
    for acted_upon in [false, true] {
        let scene = Scene::new().await;
        scene.store.hang(true);
        let severity = if acted_upon { "critical" } else { "warning" };
        let taken = scene.webhook("Alert", severity);
        seconds(1.0).await;
        scene.somebody_else_writes().await;
        scene.store.hang(false);
        assert_eq!(taken.await.expect("answered").is_ok(), acted_upon);
        seconds(1.0).await;
        let store = scene.stop().await;
        let stored = store.load().await.expect("loaded");
        let saved = store.checkpoints.lock().expect("locked").pop().expect("saved");
        assert_eq!((saved.0, saved.1[&name()].as_ref()), (stored.seq, &stored.rollouts[&name()]));
    }
}

#[tokio::test(start_paused = true)]
async fn that_no_fold_is_saved_after_something_was_set_aside_is_said_once_and_ends_with_a_new_load() {
    let (page, _logged_here) = page();
    let scene = Scene::new().await;
    let said = || page.text().matches("no fold is saved any more").count();
    for (poison, times) in [("Poison1", 1), ("Poison2", 1)] {
        *scene.store.refused.lock().expect("locked") = Some("Poison");
        assert!(!scene.webhook(poison, "critical").await.expect("answered").expect("taken").durable);
        assert_eq!(said(), times, "{}", page.text());
    }
    scene.somebody_else_writes().await;
    assert!(scene.webhook("Next", "warning").await.expect("answered").is_err(), "it is decided anew");
    let store = scene.stop().await;
    let saved = store.checkpoints.lock().expect("locked").pop().expect("the state is the store's fold again");
    assert_eq!(saved.0, 1);
}
