//! Around the routes: no more requests at once than can be served, and a panic harms only its own.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::Semaphore;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};

use super::Limits;
use super::answers::tied;
use super::limits::{ANSWERS_BYTES, RESERVED_REQUESTS, SMALL_ANSWER_BYTES};
use crate::metrics::Metrics;
use crate::supervision::panic_message;

/// What is still read of a request that is turned away: closing on unread bytes resets the
/// connection, and the client would never see the answer. A usual webhook is a few kilobytes.
const DISCARDED_BYTES: usize = 64 << 10;
const DISCARDING: Duration = Duration::from_secs(1);

/// One listener's limits on requests and answers, and what to do beyond them.
#[derive(Debug)]
pub struct Guard {
    requests: Semaphore,
    /// For what must be served in any storm.
    reserved: Semaphore,
    is_reserved: fn(&Method, &Uri) -> bool,
    /// Bytes of answers under way.
    answers: Arc<Semaphore>,
    metrics: Metrics,
    /// Counts a request that was turned away.
    turned_away: fn(&Metrics, &Uri),
}

impl Guard {
    /// A guard with the listener's limits; `turned_away` counts who is turned away by them.
    #[must_use]
    pub fn new(limits: &Limits, metrics: Metrics, turned_away: fn(&Metrics, &Uri)) -> Self {
        Self {
            requests: Semaphore::new(limits.requests_in_flight),
            reserved: Semaphore::new(RESERVED_REQUESTS),
            is_reserved: |_, _| false,
            answers: Arc::new(Semaphore::new(ANSWERS_BYTES)),
            metrics,
            turned_away,
        }
    }

    /// The same, which serves these requests also when all others are turned away.
    #[must_use]
    pub fn reserving(self, is_reserved: fn(&Method, &Uri) -> bool) -> Self {
        Self { is_reserved, ..self }
    }
}

/// Routes with the guard around them. A panic is caught inside, and answered 500.
pub fn guarded(routes: Router, guard: Guard) -> Router {
    let panicked = Panicked(guard.metrics.clone());
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::new(guard), within_the_limit))
}

async fn within_the_limit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let is_reserved = (guard.is_reserved)(request.method(), request.uri());
    let place = guard.requests.try_acquire().ok();
    let place = place.or_else(|| guard.reserved.try_acquire().ok().filter(|_| is_reserved));
    let Some(_in_flight) = place else {
        (guard.turned_away)(&guard.metrics, request.uri());
        discard(request.into_body()).await;
        let error = "overloaded: too many requests at once; send it again";
        return refusal(StatusCode::SERVICE_UNAVAILABLE, error);
    };
    // What changed something is answered, whatever it takes: the client must not believe that it didn't.
    let is_read = request.method() == Method::GET;
    let answer = next.run(request).await;
    if is_read { guard.within_memory(answer) } else { answer }
}

impl Guard {
    /// The answer with its share of the memory for answers, or a small one that says to come again.
    fn within_memory(&self, answer: Response) -> Response {
        // An answer of unknown length is made piece by piece, as it is read.
        let bytes = answer.body().size_hint().exact().unwrap_or(0);
        if bytes <= SMALL_ANSWER_BYTES as u64 {
            return answer;
        }
        let permits = u32::try_from(bytes).ok();
        match permits.and_then(|permits| Arc::clone(&self.answers).try_acquire_many_owned(permits).ok()) {
            Some(share) => tied(answer, share),
            None => {
                let error = "overloaded: too many answers are waiting to be read; ask again";
                refusal(StatusCode::SERVICE_UNAVAILABLE, error)
            }
        }
    }
}

fn refusal(status: StatusCode, error: &str) -> Response {
    let answer = (status, Json(serde_json::json!({ "status": "unavailable", "error": error })));
    match status {
        StatusCode::SERVICE_UNAVAILABLE => ([(RETRY_AFTER, "1")], answer).into_response(),
        _ => answer.into_response(),
    }
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
