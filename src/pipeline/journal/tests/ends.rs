//! The process ends while the store can't be written.

use tokio::time::Instant;

use super::scene::{DRAIN, Scene, seconds};

#[tokio::test(start_paused = true)]
async fn a_store_that_can_be_written_again_before_the_drain_ends_keeps_what_was_held() {
    let scene = Scene::new().await;
    let inner = scene.store.inner.clone();
    inner.fail_writes(true);
    assert!(!scene.webhook("Critical", "critical").await.expect("answered").expect("taken").durable);
    let stopped = tokio::spawn(scene.stop());
    seconds(DRAIN.as_secs_f64() - 2.0).await;
    assert!(!stopped.is_finished(), "there is time left to try");
    inner.fail_writes(false);
    seconds(1.0).await;
    assert!(stopped.is_finished(), "nothing is held any more");
    let names = stopped.await.expect("ended").names();
    assert!(names.contains(&"rollback_started"), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_out_is_tried_until_the_drain_ends_and_not_longer() {
    let scene = Scene::new().await;
    scene.store.inner.fail_writes(true);
    assert!(!scene.webhook("Critical", "critical").await.expect("answered").expect("taken").durable);
    seconds(5.0).await;
    let begun = Instant::now();
    let tried = scene.store.appends.lock().expect("locked").len();
    let store = scene.stop().await;
    let (took, tried) = (begun.elapsed(), store.appends.lock().expect("locked").len() - tried);
    assert!(took <= DRAIN && took >= DRAIN / 2, "{took:?}");
    assert!((10..=30).contains(&tried), "{tried} tries in {took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_with_nothing_held_waits_for_nothing() {
    let scene = Scene::new().await;
    assert!(scene.webhook("Warning", "warning").await.expect("answered").expect("taken").durable);
    let begun = Instant::now();
    scene.stop().await;
    assert!(begun.elapsed().as_secs() < 1, "{:?}", begun.elapsed());
}
