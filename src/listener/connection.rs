//! One connection, from its handshake to its end.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Limits;
use super::activity::{Activity, Watched};
use super::answers::tied;
use super::limits::{
    HEAD_BYTES, HEADERS, HTTP2_PENDING_RESETS, HTTP2_PING_EVERY, HTTP2_PING_TIMEOUT, HTTP2_SEND_BYTES,
    HTTP2_STREAMS,
};

/// How often a connection's clock is looked at: a slow head is cut this much late at most, and an
/// idle connection wakes no oftener.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long an HTTP/2 client may take to learn that the connection ends, so that a request on its
/// way is still answered. One round trip on one site.
const GOING_AWAY: Duration = Duration::from_millis(100);

/// What all connections of a listener share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) http: auto::Builder<TokioExecutor>,
    pub(super) limits: Limits,
    pub(super) routes: Router,
    pub(super) stop: CancellationToken,
}

/// HTTP/1 and HTTP/2 within their limits.
pub(super) fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    // Heads and rests are timed in `Activity`.
    http.http1().timer(TokioTimer::new()).header_read_timeout(None);
    http.http1().max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS)
        .max_header_list_size(HEAD_BYTES as u32)
        .max_send_buf_size(HTTP2_SEND_BYTES)
        .keep_alive_interval(HTTP2_PING_EVERY)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT);
    http
}

/// Serves one connection until it ends, waits too long, has to make room, or everything stops.
pub(super) async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    activity: Arc<Activity>,
    shared: Arc<Shared>,
) {
    // Answers are one small write; waiting to fill a packet would only delay them.
    let _without_it_is_slower = stream.set_nodelay(true);
    let Some(tls) = tls else { return requests(stream, &activity, &shared).await };
    let handshake = tokio::time::timeout(shared.limits.head_timeout, tls.accept(stream));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = activity.evicted.cancelled() => return,
        () = shared.stop.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => requests(stream, &activity, &shared).await,
        // Somebody without the right certificate, or no TLS client at all: said, but not shouted,
        // since anybody can cause it.
        Ok(Err(error)) => tracing::info!(%error, "a TLS handshake failed"),
        Err(_elapsed) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn requests<I>(stream: I, activity: &Arc<Activity>, shared: &Shared)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let in_flight = activity.request();
        let answer = shared.routes.clone().oneshot(request);
        let activity = Arc::clone(activity);
        async move {
            let answer = answer.await;
            let unread = activity.answer();
            drop(in_flight);
            answer.map(|answer| tied(answer, unread))
        }
    });
    let stream = TokioIo::new(Watched { stream, activity: Arc::clone(activity) });
    let mut connection = pin!(shared.http.serve_connection(stream, service));
    let ending = async {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = activity.evicted.cancelled() => {}
        }
    };
    tokio::select! {
        ended = connection.as_mut() => return log_end(ended),
        () = overdue(activity, &shared.limits) => {
            return tracing::debug!("a connection without a request was closed");
        }
        () = ending => {}
    }
    // Answers what has arrived, and accepts nothing new.
    connection.as_mut().graceful_shutdown();
    let ended = std::future::poll_fn(|cx| match connection.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(ended) = ended.await {
        return log_end(ended);
    }
    if activity.is_http2() {
        tokio::select! {
            ended = connection.as_mut() => return log_end(ended),
            () = tokio::time::sleep(GOING_AWAY) => {}
        }
    }
    if activity.waiting_since().is_none() {
        tokio::select! {
            ended = connection.as_mut() => log_end(ended),
            () = overdue(activity, &shared.limits) => {}
        }
    }
}

fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        // The client's doing: a reset, a head over the limit, a broken frame.
        tracing::debug!(error = crate::logging::chain(error.as_ref()), "a connection broke off");
    }
}

/// Returns once the connection has waited for too long.
async fn overdue(activity: &Activity, limits: &Limits) {
    let look_every = LOOK_EVERY.min(limits.head_timeout / 2);
    loop {
        let now = Instant::now();
        let next = match activity.overdue_at(limits) {
            Some(deadline) if deadline <= now => return,
            Some(deadline) => deadline.min(now + look_every),
            None => now + look_every,
        };
        tokio::time::sleep_until(next).await;
    }
}
