//! A commit that takes for ever: nothing urgent waits for it, nothing is called durable before it is.

use super::scene::{Scene, name, person, seconds};
use crate::pipeline::journal::Wants;
use crate::store::IncidentStore;

#[tokio::test(start_paused = true)]
async fn a_critical_behind_a_commit_that_hung_before_it_came_is_acted_upon_at_once() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let warning = scene.webhook("Warning", "warning");
    seconds(60.0).await;
    assert!(!warning.await.expect("answered").expect("taken").durable);
    let critical = scene.webhook("Critical", "critical");
    seconds(0.01).await;
    assert_eq!(scene.phase(), "rolling_back");
    assert!(!critical.await.expect("answered").expect("taken").durable, "it must not be called stored");
    assert!(scene.store.names().is_empty() && !scene.metrics.is_store_healthy());

    scene.store.hang(false);
    seconds(0.01).await;
    let names = scene.store.names();
    let place = |wanted: &str| names.iter().position(|name| *name == wanted).expect("stored");
    assert!(place("grace_started") < place("rollback_started"), "{names:?}");
    assert!(scene.metrics.is_store_healthy());
}

#[tokio::test(start_paused = true)]
async fn what_is_urgent_waits_half_a_second_for_a_commit_and_not_longer() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let critical = scene.webhook("Critical", "critical");
    seconds(0.49).await;
    assert_eq!(scene.phase(), "none");
    seconds(0.02).await;
    assert_eq!(scene.phase(), "rolling_back");
    seconds(4.4).await;
    assert!(!critical.is_finished(), "a webhook waits for its commit as long as Alertmanager does");
    seconds(0.1).await;
    assert!(!critical.await.expect("answered").expect("taken").durable);
}

#[tokio::test(start_paused = true)]
async fn a_second_critical_that_is_decided_while_the_first_ones_append_is_in_flight_is_acted_upon_too() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let first = scene.webhook("First", "critical");
    seconds(0.3).await;
    let second = scene.webhook("Second", "critical");
    seconds(0.49).await;
    assert_eq!(scene.alerts(), ["First"]);
    scene.store.hang(false);
    assert!(first.await.expect("answered").expect("taken").durable);
    assert!(second.await.expect("answered").expect("taken").durable);
    assert_eq!(scene.alerts(), ["First", "Second"]);
    let appends = scene.store.appends.lock().expect("locked").len();
    assert_eq!(appends, 2, "what came meanwhile went with the next append");
}

#[tokio::test(start_paused = true)]
async fn a_persons_rollback_is_answered_as_soon_as_it_is_acted_upon() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let _warning = scene.webhook("Warning", "warning");
    seconds(60.0).await;
    let asked = tokio::time::Instant::now();
    let ruling = scene.journal.submit_one(&name(), person()).await.expect("taken");
    assert!(ruling.incident.is_some() && asked.elapsed().as_secs_f64() < 0.5);
    assert_eq!(scene.phase(), "rolling_back");
}

#[tokio::test(start_paused = true)]
async fn a_warning_is_not_acted_upon_before_it_is_durable_however_long_that_takes() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let warning = scene.webhook("Warning", "warning");
    seconds(30.0).await;
    assert_eq!(scene.phase(), "none");
    assert!(!warning.await.expect("answered").expect("taken").durable);
    let repeated = scene.webhook("Warning", "warning");
    seconds(1.0).await;
    let taken = repeated.await.expect("answered at once: the store is known to hang").expect("taken");
    assert!(!taken.durable, "a duplicate is not stored before its original");
    scene.store.hang(false);
    seconds(0.01).await;
    assert_eq!(scene.phase(), "grace");
    assert!(scene.webhook("Warning", "warning").await.expect("answered").expect("taken").durable);
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_bounded_and_a_critical_finds_room_in_the_reserve() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let _first = scene.webhook("First", "warning");
    seconds(1.0).await;
    let mut refused = 0;
    for number in 0..21_000 {
        let name = format!("Warning{number}");
        let (reply, answer) = tokio::sync::oneshot::channel();
        let inputs = vec![(super::scene::name(), super::scene::firing(&name, "warning"))];
        let submission = super::super::Submission { inputs, blobs: Vec::new() };
        scene.journal.queue.send((submission, Wants::Durability, reply)).await.expect("sent");
        drop(answer);
        if number % 1_000 == 0 {
            seconds(0.001).await;
            refused = usize::from(scene.webhook(&name, "warning").await.expect("answered").is_err());
        }
    }
    assert_eq!(refused, 1);
    let critical = scene.webhook("Critical", "critical");
    seconds(0.1).await;
    assert!(critical.await.expect("answered").is_ok());
    assert_eq!(scene.phase(), "rolling_back");
}

#[tokio::test(start_paused = true)]
async fn the_fold_of_what_is_not_stored_is_never_saved_and_a_quiet_stop_saves_what_a_kill_left() {
    let scene = Scene::new().await;
    assert!(scene.webhook("Before", "warning").await.expect("answered").expect("taken").durable);
    let inner = scene.store.inner.clone();
    scene.store.inner.fail_writes(true);
    assert!(!scene.webhook("Critical", "critical").await.expect("answered").expect("taken").durable);
    let store = scene.stop().await;
    let stored = inner.load().await.expect("loaded");
    let saved = store.checkpoints.lock().expect("locked").pop().expect("saved");
    assert_eq!((saved.0, saved.1[&name()].as_ref()), (stored.seq, &stored.rollouts[&name()]));

    // Nothing happens in the next process; its store has no fold that is saved.
    inner.fail_writes(false);
    let quiet = Scene::over(inner, false).await.stop().await;
    let saved = quiet.checkpoints.lock().expect("locked").pop().expect("saved");
    assert_eq!(saved.0, stored.seq);
}

#[tokio::test(start_paused = true)]
async fn the_fold_of_a_durable_prefix_is_saved_without_what_was_decided_while_it_was_in_flight() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let first = scene.webhook("First", "warning");
    seconds(0.1).await;
    let second = scene.webhook("Second", "critical");
    seconds(0.1).await;
    *scene.store.left.lock().expect("locked") = Some(1);
    scene.store.hang(false);
    assert!(first.await.expect("answered").expect("taken").durable);
    assert!(!second.await.expect("answered").expect("taken").durable);
    let store = scene.stop().await;
    let stored = store.load().await.expect("loaded");
    let saved = store.checkpoints.lock().expect("locked").pop().expect("saved");
    assert_eq!((saved.0, saved.1[&name()].as_ref()), (stored.seq, &stored.rollouts[&name()]));
}
