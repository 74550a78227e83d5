//! Somebody else changes the same objects at the same time.

use std::sync::atomic::{AtomicBool, Ordering};

use backstop::execution::ActError;
use backstop::incident::{Share, Step};

use crate::controlplane::{shared, wait_for};
use crate::rollouts::{Rollout, Router};

/// Between our reading and our writing nothing can be timed on a real server, so somebody changes the
/// Ingress without a pause until we have met a conflict.
#[tokio::test]
async fn a_change_between_reading_and_writing_is_a_conflict_and_loses_nothing() {
    let rollout = Rollout::new("conflicts", Router::Nginx, 3).await;
    let met = || async {
        let events = shared().await.audit("conflicts").into_iter();
        let mut ours = events.filter(|event| event.request_uri.contains("fieldManager=backstop"));
        ours.any(|event| event.response_status.as_ref().is_some_and(|status| status.code == 409))
            .then_some(())
    };
    let over = AtomicBool::new(false);
    let somebody = async {
        let mut count = 0_u32;
        while !over.load(Ordering::Relaxed) {
            count += 1;
            let text = count.to_string();
            rollout.annotate(&[("team/note", text.as_str()), ("x/canary-weight", "25")]).await;
        }
        count
    };
    let ours = async {
        wait_for("a conflict", || async {
            let applied = rollout.apply(Step::TrafficOff).await;
            assert!(matches!(applied, Ok(_) | Err(ActError::Retry { .. })), "{applied:?}");
            met().await
        })
        .await;
        over.store(true, Ordering::Relaxed);
    };
    let (count, ()) = tokio::join!(somebody, ours);
    rollout.apply(Step::TrafficOff).await.expect("nobody is in the way now");
    assert_eq!(rollout.observe().await.share, Share::ZERO);
    assert_eq!(rollout.annotation("team/note").await, Some(count.to_string()), "nobody's change is lost");
}
