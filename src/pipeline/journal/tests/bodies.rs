//! Raw bodies: readable while they wait for the store, and bounded in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::scene::{Scene, firing, name, seconds};
use crate::decision::Input;
use crate::incident::BlobRef;
use crate::logging::fixtures::page;
use crate::pipeline::journal::{JournalError, Receipt, Submission};
use crate::store::{Blobs, IncidentStore};

const MIB: usize = 1 << 20;

/// A webhook with one alert for each body.
fn webhook(scene: &Scene, bodies: &[(&str, usize)]) -> JoinHandle<Result<Receipt, JournalError>> {
    let (mut inputs, mut blobs) = (Vec::new(), Blobs::new());
    for (alert, bytes) in bodies {
        let blob = BlobRef { sha256: (*alert).to_owned(), bytes: *bytes as u64 };
        let Input::Alert { alert, .. } = firing(alert, "warning") else { unreachable!("an alert fires") };
        inputs.push((name(), Input::Alert { alert, body: Some(blob.clone()) }));
        blobs.push((blob, Arc::from(vec![0; *bytes])));
    }
    let (journal, submission) = (scene.journal.clone(), Submission { inputs, blobs });
    tokio::spawn(async move { journal.submit(submission).await })
}

fn held(scene: &Scene, alerts: &[&str]) -> Vec<Option<usize>> {
    alerts.iter().map(|alert| scene.journal.held_blob(alert).map(|body| body.len())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_body_can_be_read_while_it_waits_for_the_store_and_is_let_go_once_it_is_there() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let taken = webhook(&scene, &[("One", 7), ("Two", 8)]);
    seconds(0.1).await;
    assert_eq!(held(&scene, &["One", "Two", "Three"]), [Some(7), Some(8), None]);
    scene.store.hang(false);
    assert!(taken.await.expect("answered").expect("taken").durable);
    assert_eq!(held(&scene, &["One", "Two"]), [None, None]);
    assert_eq!(scene.store.inner.blob("Two").await.expect("read"), Some(vec![0; 8]));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_keeps_up_is_given_every_body_however_large_they_are_together() {
    let (page, _logged_here) = page();
    let scene = Scene::new().await;
    let taken = webhook(&scene, &[("One", 40 * MIB), ("Two", 40 * MIB)]);
    assert!(taken.await.expect("answered").expect("taken").durable);
    for body in ["One", "Two"] {
        assert!(scene.store.inner.blob(body).await.expect("read").is_some(), "{body}");
    }
    assert!(!page.text().contains("too much to hold"), "{}", page.text());
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_out_64_mib_of_bodies_are_held_and_alerts_are_held_without_the_rest() {
    for writes_fail in [true, false] {
        let (page, _logged_here) = page();
        let scene = Scene::new().await;
        scene.store.inner.fail_writes(writes_fail);
        scene.store.hang(!writes_fail);
        let _first = webhook(&scene, &[("First", 40 * MIB)]);
        // By then the store is known not to keep up.
        seconds(0.9).await;
        let _small = webhook(&scene, &[("Small", MIB)]);
        seconds(0.01).await;
        assert!(!page.text().contains("too much to hold"), "{}", page.text());
        let _large = webhook(&scene, &[("Large", 30 * MIB)]);
        let _another = webhook(&scene, &[("Another", 2 * MIB)]);
        seconds(0.01).await;
        let bodies = held(&scene, &["First", "Small", "Large", "Another"]);
        assert_eq!(bodies, [Some(40 * MIB), Some(MIB), None, Some(2 * MIB)], "{writes_fail}");
        assert_eq!(page.text().matches("too much to hold").count(), 1, "{}", page.text());

        scene.store.inner.fail_writes(false);
        scene.store.hang(false);
        seconds(2.0).await;
        assert_eq!(scene.alerts(), ["First", "Small", "Large", "Another"]);
        assert_eq!(scene.store.inner.blob("Large").await.expect("read"), None);
    }
}

/// Lets all that can run do so, while no time goes by.
async fn without_delay() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_takes_less_than_half_a_second_makes_nobody_leave_bodies_out() {
    for (millis, bodies) in [(499, [Some(40 * MIB); 2]), (500, [Some(40 * MIB), None])] {
        let scene = Scene::new().await;
        scene.store.hang(true);
        let _first = webhook(&scene, &[("First", 7)]);
        without_delay().await;
        tokio::time::advance(Duration::from_millis(millis)).await;
        let _webhook = webhook(&scene, &[("One", 40 * MIB), ("Two", 40 * MIB)]);
        without_delay().await;
        assert_eq!(held(&scene, &["One", "Two"]), bodies, "after {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_of_what_is_forgotten_are_let_go() {
    let scene = Scene::new().await;
    scene.store.hang(true);
    let forgotten = webhook(&scene, &[("One", 7)]);
    seconds(0.1).await;
    scene.somebody_else_writes().await;
    scene.store.hang(false);
    assert!(forgotten.await.expect("answered").is_err());
    assert_eq!(held(&scene, &["One"]), [None]);
}
