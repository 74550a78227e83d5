//! What becomes of bodies that can't be accepted now.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use backstop::clock::SystemClock;
use backstop::decision::Watchdog;
use backstop::incident::SeverityMap;
use backstop::metrics::Metrics;
use backstop::pipeline::{Journal, JournalParts, Kinds, Observed, Rollouts, Severities, ShareReader};
use backstop::randomness::Randomness;
use backstop::store::{Loaded, MemoryStore};
use backstop::webhook::auth::WebhookAuth;
use backstop::webhook::body::Budget;
use backstop::webhook::{PATH, Quarantine, Receiver, router};
use hyper::body::Frame;
use tower::ServiceExt;

fn receiver(budget: usize) -> Receiver {
    let (rollouts, metrics) = (Rollouts::new(Vec::new()), Metrics::new(&[], &[]));
    let observed = Arc::new(Observed::new(Arc::new(SystemClock), Watchdog::named("Watchdog")));
    let parts = JournalParts {
        store: Arc::new(MemoryStore::default()),
        rollouts: rollouts.clone(),
        observed: Arc::clone(&observed),
        clock: Arc::new(SystemClock),
        randomness: Randomness::seeded(0),
        metrics: metrics.clone(),
    };
    let (journal, _task) = Journal::new(parts, Loaded::default());
    Receiver {
        journal,
        share_reader: ShareReader::new(&rollouts, Arc::clone(&observed), Arc::new(SystemClock)),
        rollouts,
        observed,
        watchdog: "Watchdog".to_owned(),
        auth: WebhookAuth::default(),
        reconcile: Arc::default(),
        severities: Severities::new(SeverityMap::default(), metrics.clone()),
        metrics,
        strangers: Kinds::default(),
        told: Kinds::default(),
        quarantine: Quarantine::new("/nonexistent".into()),
        clock: Arc::new(SystemClock),
        budget: Budget::of(budget),
    }
}

async fn post(receiver: Receiver, body: Body) -> (StatusCode, String) {
    let request = Request::post(PATH).body(body).expect("a request");
    let answer = router(receiver).oneshot(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let text = axum::body::to_bytes(body, 10_000).await.expect("a body");
    (head.status, String::from_utf8_lossy(&text).into_owned())
}

/// A body that begins and then never goes on.
struct Stalled(Option<Bytes>);

impl hyper::body::Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_in_time_is_answered_503_and_counted() {
    let receiver = receiver(1_000);
    let metrics = receiver.metrics.clone();
    let body = Body::new(Stalled(Some(Bytes::from_static(b"{"))));
    let (status, text) = post(receiver, body).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("the body did not arrive in time"), "{text}");
    assert!(metrics.render().contains("webhook_requests_total{outcome=\"unavailable\"} 1\n"));
}

#[tokio::test]
async fn a_body_over_the_memory_that_is_left_is_answered_503() {
    let empty = r#"{"version":"4","alerts":[]}"#;
    assert_eq!(post(receiver(empty.len()), Body::from(empty)).await.0, StatusCode::OK);
    let (status, text) = post(receiver(empty.len() - 1), Body::from(empty)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("overloaded"), "{text}");
}
