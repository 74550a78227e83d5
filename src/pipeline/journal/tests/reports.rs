//! What log and metrics say of the store, and of what was decided.

use std::time::Duration;

use super::scene::{Scene, seconds};
use crate::logging::fixtures::{Page, page};

fn lines(page: &Page, sentence: &str) -> usize {
    page.text().matches(sentence).count()
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cant_be_written_is_said_at_once_and_every_half_minute_and_its_return_once() {
    let (page, _logged_here) = page();
    let scene = Scene::new().await;
    assert!(scene.webhook("Before", "warning").await.expect("answered").expect("taken").durable);
    assert_eq!(lines(&page, "the store can be written again"), 0, "it always could");
    scene.store.inner.fail_writes(true);
    let _held = scene.webhook("Warning", "warning");
    for (after, reminded) in [(0.1, 1), (28.0, 1), (4.0, 2), (26.0, 2), (4.0, 3)] {
        seconds(after).await;
        assert_eq!(lines(&page, "the store can't be written; alerts"), reminded, "{}", page.text());
    }
    scene.store.inner.fail_writes(false);
    seconds(30.0).await;
    assert_eq!(lines(&page, "the store can be written again"), 1);
    assert_eq!(lines(&page, "the store can't be written; alerts"), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_acted_upon_before_it_is_stored_is_counted_and_logged_then_and_not_again() {
    let (page, _logged_here) = page();
    let scene = Scene::new().await;
    let seen = || {
        let rollbacks = scene.metrics.render();
        let rollbacks = rollbacks.lines().find(|line| line.starts_with("backstop_rollbacks_total{"));
        let rollbacks = rollbacks.and_then(|line| line.rsplit(' ').next()).map(str::to_owned);
        (rollbacks.expect("a number"), lines(&page, "event=\"rollback_started\""))
    };
    scene.store.hang(true);
    let critical = scene.webhook("Critical", "critical");
    seconds(0.4).await;
    assert_eq!(seen(), ("0".to_owned(), 0));
    assert!(scene.metrics.is_store_healthy());
    seconds(0.2).await;
    assert_eq!(seen(), ("1".to_owned(), 1));
    assert!(!scene.metrics.is_store_healthy(), "an operator sees that it hangs when it first matters");
    seconds(6.0).await;
    assert_eq!(seen(), ("1".to_owned(), 1));
    scene.store.hang(false);
    seconds(1.0).await;
    assert_eq!(seen(), ("1".to_owned(), 1));
    assert!(!critical.await.expect("answered").expect("taken").durable);
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_at_once_is_counted_and_logged_once() {
    let (page, _logged_here) = page();
    let scene = Scene::new().await;
    assert!(scene.webhook("Critical", "critical").await.expect("answered").expect("taken").durable);
    let metrics = scene.metrics.clone();
    scene.stop().await;
    let rendered = metrics.render();
    assert!(rendered.contains("backstop_rollbacks_total{rollout=\"spark-trading\"} 1\n"), "{rendered}");
    assert_eq!(lines(&page, "event=\"rollback_started\""), 1, "{}", page.text());
}

#[tokio::test(start_paused = true)]
async fn the_last_lines_are_logged_before_the_process_ends() {
    let (page, _logged_here) = page();
    let scene = Scene::new().await;
    scene.store.hang(true);
    let _warning = scene.webhook("Warning", "warning");
    seconds(0.1).await;
    let store = scene.store.clone();
    let ended = tokio::spawn(scene.stop());
    seconds(0.1).await;
    store.hang(false);
    ended.await.expect("ended");
    assert_eq!(lines(&page, "event=\"grace_started\""), 1, "{}", page.text());
    assert_eq!(lines(&page, "these events are lost"), 0, "{}", page.text());
}

#[tokio::test(start_paused = true)]
async fn what_cant_be_written_until_the_end_is_said_to_be_lost() {
    let (page, _logged_here) = page();
    let scene = Scene::new().await;
    scene.store.inner.fail_writes(true);
    assert!(!scene.webhook("Warning", "warning").await.expect("answered").expect("taken").durable);
    scene.stop().await;
    assert_eq!(lines(&page, "could not be written until the end: these events are lost"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_at_the_end_is_said_to_after_the_drain_and_after_a_second_at_least() {
    for (drain, silent_for) in [(20, 19.5), (0, 0.8)] {
        let (page, _logged_here) = page();
        let scene = Scene::ending_within(Duration::from_secs(drain));
        scene.store.hang(true);
        let _warning = scene.webhook("Warning", "warning");
        seconds(0.1).await;
        let store = scene.store.clone();
        let ended = tokio::spawn(scene.stop());
        seconds(silent_for).await;
        assert_eq!(lines(&page, "the store doesn't answer"), 0, "{drain}: {}", page.text());
        seconds(1.0).await;
        assert_eq!(lines(&page, "the store doesn't answer"), 1, "{drain}: {}", page.text());
        store.hang(false);
        ended.await.expect("ended");
        assert!(store.names().contains(&"grace_started"), "it still came back");
    }
}
