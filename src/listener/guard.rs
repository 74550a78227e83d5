//! Around the routes: no more requests at once than can be served, and a panic harms only its own.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};

use super::Limits;
use crate::metrics::Metrics;
use crate::supervision::panic_message;

/// What is still read of a request that is turned away: closing on unread bytes resets the
/// connection, and the client would never see the answer. A usual webhook is a few kilobytes.
const DISCARDED_BYTES: usize = 64 << 10;
const DISCARDING: Duration = Duration::from_secs(1);

/// What stands around the routes.
#[derive(Debug)]
pub struct Guard {
    requests: Semaphore,
    metrics: Metrics,
    /// Counts a request that was turned away.
    turned_away: fn(&Metrics, &Uri),
}

impl Guard {
    /// A guard with the listener's limits; `turned_away` counts who is turned away by them.
    #[must_use]
    pub fn new(limits: &Limits, metrics: Metrics, turned_away: fn(&Metrics, &Uri)) -> Self {
        Self { requests: Semaphore::new(limits.requests_in_flight), metrics, turned_away }
    }
}

/// Puts the guard around the routes.
pub fn guarded(routes: Router, guard: Guard) -> Router {
    let panicked = Panicked(guard.metrics.clone());
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::new(guard), within_the_limit))
}

async fn within_the_limit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let Ok(_in_flight) = guard.requests.try_acquire() else {
        (guard.turned_away)(&guard.metrics, request.uri());
        discard(request.into_body()).await;
        let error = "overloaded: too many requests at once; send it again";
        return refusal(StatusCode::SERVICE_UNAVAILABLE, error);
    };
    next.run(request).await
}

fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(serde_json::json!({ "status": "unavailable", "error": error }))).into_response()
}

async fn discard(mut body: Body) {
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
            if bytes > DISCARDED_BYTES {
                return;
            }
        }
    };
    let _answered_anyway = tokio::time::timeout(DISCARDING, reading).await;
}

/// Answers for a request that panicked.
#[derive(Debug, Clone)]
struct Panicked(Metrics);

impl ResponseForPanic for Panicked {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send + 'static>) -> Response {
        self.0.request_panicked();
        tracing::error!(panic = panic_message(panic.as_ref()), "a request panicked; please report it");
        refusal(StatusCode::INTERNAL_SERVER_ERROR, "an internal error; the log has it")
    }
}
