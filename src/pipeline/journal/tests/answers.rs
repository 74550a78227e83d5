//! Who is answered when, and who is woken before whom.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::scene::{Scene, firing, name, person, seconds};
use crate::decision::Input;
use crate::pipeline::journal::Submission;

#[tokio::test(start_paused = true)]
async fn a_person_waits_for_a_commit_that_hangs_as_long_as_their_rollback_does() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let asked = Instant::now();
    let (ruling, durable) = scene.journal.ask(&name(), person()).await.expect("taken");
    assert!(ruling.incident.is_some() && !durable);
    let took = asked.elapsed().as_secs_f64();
    assert!((0.45..0.6).contains(&took), "{took} s");
    assert_eq!(scene.phase(), "rolling_back");
}

#[tokio::test(start_paused = true)]
async fn what_led_to_nothing_is_called_durable_only_if_all_before_it_is() {
    let scene = Scene::new().await;
    let (ruling, durable) = scene.journal.ask(&name(), Input::Tick).await.expect("taken");
    assert!(durable && !ruling.news);
    let both = async || {
        let warning = scene.webhook("Warning", "warning");
        let journal = scene.journal.clone();
        let tick = tokio::spawn(async move { journal.ask(&name(), Input::Tick).await });
        (warning, tick.await.expect("answered").expect("taken"))
    };
    scene.store.hang(true);
    let (warning, (_, durable)) = both().await;
    assert!(!durable, "decided with something that is not on disk yet");
    let asked = Instant::now();
    let (_, durable) = scene.journal.ask(&name(), Input::Tick).await.expect("taken");
    assert!(!durable, "decided after it");
    assert!(asked.elapsed().as_secs_f64() < 0.1, "there is nothing to wait for: {:?}", asked.elapsed());
    scene.store.hang(false);
    let news = warning.await.expect("answered").expect("taken").rulings.iter().any(|ruling| ruling.news);
    assert!(news, "an incident was opened");
    let (_, durable) = scene.journal.ask(&name(), Input::Tick).await.expect("taken");
    assert!(durable);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_is_repeated_waits_with_its_original_for_the_store() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let original = scene.webhook("Warning", "warning");
    seconds(0.1).await;
    let repeated = scene.webhook("Warning", "warning");
    seconds(1.0).await;
    assert!(!repeated.is_finished(), "a 503 would bring it once more for nothing");
    scene.store.hang(false);
    assert!(original.await.expect("answered").expect("taken").durable);
    assert!(repeated.await.expect("answered").expect("taken").durable);
}

#[tokio::test(start_paused = true)]
async fn whoever_acts_is_woken_before_whoever_waits_for_the_answer_and_after_if_it_is_not_urgent() {
    for (severity, expected) in [("critical", ["acted", "answered"]), ("warning", ["answered", "acted"])] {
        let scene = Scene::new().await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut states = scene.journal.subscribe();
        states.mark_unchanged();
        let (acts, answers) = (Arc::clone(&order), Arc::clone(&order));
        let acting = tokio::spawn(async move {
            states.changed().await.expect("the journal lives");
            acts.lock().expect("locked").push("acted");
        });
        let journal = scene.journal.clone();
        let inputs = vec![(name(), firing("Alert", severity))];
        let answered = tokio::spawn(async move {
            let taken = journal.submit(Submission { inputs, blobs: Vec::new() }).await.expect("taken");
            assert!(taken.durable);
            answers.lock().expect("locked").push("answered");
        });
        seconds(0.1).await;
        assert!(acting.is_finished() && answered.is_finished(), "{severity}");
        assert_eq!(*order.lock().expect("locked"), expected, "{severity}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_acted_upon_while_the_store_was_out_wakes_nobody_again_when_it_is_stored() {
    let scene = Scene::new().await;
    scene.store.inner.fail_writes(true);
    let mut states = scene.journal.subscribe();
    assert!(!scene.webhook("Critical", "critical").await.expect("answered").expect("taken").durable);
    assert!(states.has_changed().expect("the journal lives"));
    states.mark_unchanged();
    scene.store.inner.fail_writes(false);
    seconds(2.0).await;
    assert!(scene.metrics.is_store_healthy() && scene.store.names().contains(&"rollback_started"));
    assert!(!states.has_changed().expect("the journal lives"), "nothing is new to who acts");
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_the_store_was_out_tries_it_at_once() {
    let scene = Scene::new().await;
    scene.store.inner.fail_writes(true);
    assert!(!scene.webhook("First", "warning").await.expect("answered").expect("taken").durable);
    scene.store.inner.fail_writes(false);
    let sent = Instant::now();
    assert!(scene.webhook("Second", "warning").await.expect("answered").expect("taken").durable);
    assert!(sent.elapsed().as_secs_f64() < 0.1, "{:?}", sent.elapsed());
    assert_eq!(scene.alerts(), ["First", "Second"]);
}

#[tokio::test(start_paused = true)]
async fn a_critical_that_waits_for_its_first_reading_of_the_share_waits_for_no_disk() {
    let nobody_waits = |severity: &'static str| async move {
        let scene = Scene::over(crate::store::MemoryStore::default(), true).await;
        scene.store.hang(true);
        let _webhook = scene.webhook("Alert", severity);
        seconds(1.0).await;
        scene.journal.states()[&name()].triage.is_empty()
    };
    assert!(!nobody_waits("critical").await, "the share is read at once");
    assert!(nobody_waits("warning").await, "a warning has minutes");
}
