//! A store that refuses what can never be stored, and one that somebody else has written.

use super::scene::{Scene, name, seconds, waiting};
use crate::decision::Input;
use crate::incident::Share;
use crate::store::{Batch, IncidentStore, MemoryStore};

#[tokio::test(start_paused = true)]
async fn what_can_never_be_stored_is_set_aside_and_its_neighbours_are_stored() {
    let scene = Scene::new().await;
    *scene.store.refused.lock().expect("locked") = Some("Poison");
    scene.store.hang(true);
    let before = scene.webhook("Before", "warning");
    seconds(0.01).await;
    let (poison, after) = (scene.webhook("Poison", "critical"), scene.webhook("After", "warning"));
    seconds(0.01).await;
    scene.store.hang(false);
    assert!(before.await.expect("answered").expect("taken").durable);
    assert!(!poison.await.expect("answered").expect("taken").durable, "it is not stored");
    assert!(after.await.expect("answered").expect("taken").durable);
    assert_eq!(scene.phase(), "rolling_back", "a bug in storing stops no rollback");
    assert!(!scene.store.inner.events_set_aside().is_empty());
    let rendered = scene.metrics.render();
    assert!(rendered.contains("backstop_store_rejected_submissions_total 1\n"), "{rendered}");
    assert!(scene.metrics.is_store_healthy(), "the disk is well");
    assert!(scene.webhook("Next", "warning").await.expect("answered").expect("taken").durable);
    let store = scene.stop().await;
    assert!(store.checkpoints.lock().expect("locked").is_empty(), "the state is not the fold of the store");
    let text = serde_json::to_string(&store.inner.events()).expect("JSON");
    assert!(text.contains("Before") && text.contains("After") && !text.contains("Poison"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_events_count_but_what_was_acted_upon_is_kept_and_stored_after_them() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let critical = scene.webhook("Critical", "critical");
    seconds(1.0).await;
    let warning = scene.webhook("Late", "warning");
    seconds(0.1).await;
    scene.somebody_else_writes().await;
    scene.store.hang(false);
    seconds(0.1).await;
    assert!(critical.await.expect("answered").expect("it has happened").durable, "it is stored by now");
    let refused = warning.await.expect("answered").expect_err("nothing of it has happened");
    assert!(refused.to_string().contains("another writer appended first"), "{refused}");
    let names = scene.store.names();
    assert_eq!(names.first(), Some(&"triage_started"), "{names:?}");
    assert!(names.contains(&"rollback_started") && !names.contains(&"alert_attached"), "{names:?}");
    assert_eq!((scene.phase(), scene.alerts()), ("rolling_back", vec!["Critical".to_owned()]));
    let stored = scene.store.load().await.expect("loaded");
    assert_eq!(stored.rollouts[&name()], *scene.journal.states()[&name()], "memory is the fold of the store");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_was_wedged_by_two_waiting_alerts_at_zero_per_cent_works_again() {
    let stored = MemoryStore::default();
    let events = vec![waiting("One"), waiting("Two")];
    stored.append(Batch { expected_seq: 0, events, blobs: Vec::new() }).await.expect("appended");
    let scene = Scene::over(stored, true).await;
    for _ in 0..3 {
        scene.observed.share(&name(), scene.observed.moment(), Some(Share::ZERO));
        let _ruling = scene.journal.submit_one(&name(), Input::ShareRead).await.expect("decided");
        let taken = scene.webhook("Warning", "warning").await.expect("answered").expect("taken");
        assert!(taken.durable, "the next webhook is stored");
        seconds(2.0).await;
    }
    assert!(scene.journal.states()[&name()].triage.is_empty(), "those that waited are dealt with");
}
