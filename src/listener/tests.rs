//! The listener over real sockets, with limits small enough to be met.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;

mod unread;

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Small limits, with times so long that only what a test shortens can matter.
fn limits(connections: usize) -> Limits {
    Limits {
        connections,
        requests_in_flight: 100,
        head_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        answer_timeout: PATIENCE,
        spared: Duration::ZERO,
    }
}

struct Served {
    address: SocketAddr,
    metrics: Metrics,
    stop: CancellationToken,
    server: JoinSet<()>,
}

fn serve(limits: Limits, routes: Router) -> Served {
    serve_guarded(limits, routes, |guard| guard)
}

fn serve_guarded(limits: Limits, routes: Router, with: impl FnOnce(Guard) -> Guard) -> Served {
    let tcp = bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
    let address = tcp.local_addr().expect("an address");
    let metrics = Metrics::new(&[], &[]);
    let guard = Guard::new(&limits, metrics.clone(), |metrics, _| {
        metrics.webhook(crate::metrics::WebhookOutcome::Unavailable);
    });
    let stop = CancellationToken::new();
    let listener = Listener { tcp, tls: None, limits, metrics: metrics.clone() };
    let serving = listener.serve(guarded(routes, with(guard)), stop.clone());
    Served { address, metrics, stop, server: JoinSet::from_iter([serving]) }
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    fn counts(&self, line: &str) -> bool {
        self.metrics.render().contains(&format!("{line}\n"))
    }
}

/// Asks on an open connection, and returns the head and body of the answer.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("written");
    answer(stream).await
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let whole = async {
        loop {
            let mut chunk = [0; 1_024];
            let read = stream.read(&mut chunk).await.expect("read");
            text.extend_from_slice(&chunk[..read]);
            let now = String::from_utf8_lossy(&text).into_owned();
            let head = now.split_once("\r\n\r\n");
            let length = |head: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                line.and_then(|length| length.parse().ok()).unwrap_or(0)
            };
            if read == 0 || head.is_some_and(|(head, body)| body.len() >= length(head)) {
                return now;
            }
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("an answer in time")
}

/// Whether the server closes the connection; nothing else may come.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut byte)).await.expect("closed in time");
    read.map_or(true, |read| read == 0)
}

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Routes with one, `/slow`, that says when it was entered and answers when it may leave.
fn with_slow_route() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, awaited) = (entered.clone(), leave.clone());
    let slow = move || async move {
        told.notify_one();
        awaited.notified().await;
        "done"
    };
    (hello().route("/slow", get(slow)), entered, leave)
}

#[tokio::test]
async fn a_slow_head_is_cut_while_idle_and_new_connections_are_served() {
    let head_timeout = Duration::from_millis(200);
    let served = serve(Limits { head_timeout, ..limits(10) }, hello());
    let mut idle = served.connect().await;
    assert!(ask(&mut idle, GET).await.ends_with("hello"));
    let mut slow = served.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.expect("written");
    assert!(is_closed(&mut slow).await);
    // The idle one has by now waited for longer than a head may take.
    let mut silent = served.connect().await;
    tokio::time::sleep(2 * head_timeout).await;
    for stream in [&mut idle, &mut silent] {
        assert!(ask(stream, GET).await.ends_with("hello"));
    }
    // A slow head after an answered request is cut as well.
    idle.write_all(b"GET /").await.expect("written");
    assert!(is_closed(&mut idle).await);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_timeout() {
    let served = serve(Limits { idle_timeout: Duration::from_millis(200), ..limits(10) }, hello());
    let mut idle = served.connect().await;
    assert!(ask(&mut idle, GET).await.ends_with("hello"));
    assert!(is_closed(&mut idle).await);
}

#[tokio::test]
async fn over_the_limit_the_connection_that_waited_longest_makes_room_and_none_in_flight_does() {
    let (slow, entered, leave) = with_slow_route();
    let served = serve(limits(3), slow);
    let mut busy = served.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    entered.notified().await;
    let mut first = served.connect().await;
    assert!(ask(&mut first, GET).await.ends_with("hello"));
    let mut second = served.connect().await;
    assert!(ask(&mut second, GET).await.ends_with("hello"));
    assert!(ask(&mut first, GET).await.ends_with("hello"), "now the second waits longest");

    let mut third = served.connect().await;
    assert!(ask(&mut third, GET).await.ends_with("hello"));
    assert!(is_closed(&mut second).await);
    assert!(ask(&mut first, GET).await.ends_with("hello"));
    assert!(served.counts("backstop_connections_evicted_total 1"));
    leave.notify_one();
    assert!(answer(&mut busy).await.ends_with("done"));
}

#[tokio::test]
async fn with_every_connection_in_flight_a_new_one_waits_and_is_not_refused() {
    let (slow, entered, leave) = with_slow_route();
    let served = serve(limits(1), slow);
    let mut busy = served.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    entered.notified().await;
    let mut waiting = served.connect().await;
    waiting.write_all(GET.as_bytes()).await.expect("written");
    let early = tokio::time::timeout(Duration::from_millis(300), waiting.readable()).await;
    assert!(early.is_err(), "it is not answered while the only place is taken");
    leave.notify_one();
    assert!(answer(&mut busy).await.ends_with("done"));
    assert!(answer(&mut waiting).await.ends_with("hello"));
}

#[tokio::test]
async fn hundreds_of_idle_and_slow_connections_do_not_keep_a_request_out() {
    let served = serve(limits(20), hello());
    let mut held = Vec::new();
    for number in 0..300 {
        let mut stream = served.connect().await;
        if number % 2 == 0 {
            stream.write_all(b"POST / HTTP/1.1\r\n").await.expect("written");
        }
        held.push(stream);
    }
    let mut request = served.connect().await;
    assert!(ask(&mut request, GET).await.ends_with("hello"));
}

#[tokio::test]
async fn a_panic_is_answered_500_and_the_connection_serves_the_next_request() {
    async fn broken() -> &'static str {
        panic!("a broken handler")
    }
    let served = serve(limits(10), hello().route("/broken", get(broken)));
    let mut stream = served.connect().await;
    let first = ask(&mut stream, "GET /broken HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(first.starts_with("HTTP/1.1 500") && first.contains("an internal error"), "{first}");
    assert!(!first.contains("a broken handler"), "what went wrong is for the log alone");
    assert!(ask(&mut stream, GET).await.ends_with("hello"));
    assert!(served.counts("backstop_requests_panicked_total 1"));
}

#[tokio::test]
async fn requests_over_the_limit_are_answered_503_at_once_and_counted() {
    let leave = std::sync::Arc::new(Notify::new());
    let entered = std::sync::Arc::new(AtomicUsize::new(0));
    let (awaited, count) = (leave.clone(), entered.clone());
    let slow = move |_body: Json<serde_json::Value>| async move {
        count.fetch_add(1, Ordering::SeqCst);
        awaited.notified().await;
        "done"
    };
    let served = serve(Limits { requests_in_flight: 2, ..limits(10) }, Router::new().route("/", post(slow)));
    let post = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let mut busy = [served.connect().await, served.connect().await];
    for stream in &mut busy {
        stream.write_all(post.as_bytes()).await.expect("written");
    }
    while entered.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let mut third = served.connect().await;
    let refused = ask(&mut third, post).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("overloaded"), "{refused}");
    assert!(served.counts("backstop_webhook_requests_total{outcome=\"unavailable\"} 1"));
    leave.notify_waiters();
    for stream in &mut busy {
        assert!(answer(stream).await.ends_with("done"));
    }
    third.write_all(post.as_bytes()).await.expect("the connection goes on");
    leave.notify_one();
    assert!(answer(&mut third).await.ends_with("done"));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let served = serve(limits(10), hello());
    let mut stream = served.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "x".repeat(200 << 10));
    let _reset_is_fine_too = stream.write_all(head.as_bytes()).await;
    let refused = tokio::time::timeout(PATIENCE, async {
        let mut text = Vec::new();
        let _reset = stream.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    });
    let refused = refused.await.expect("in time");
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431"), "{refused}");
    assert!(ask(&mut served.connect().await, GET).await.ends_with("hello"));
}

#[tokio::test]
async fn draining_answers_what_is_in_flight_and_closes_the_rest_at_once() {
    let (slow, entered, leave) = with_slow_route();
    let mut served = serve(limits(10), slow);
    let mut idle = served.connect().await;
    assert!(ask(&mut idle, GET).await.ends_with("hello"));
    let mut head = served.connect().await;
    head.write_all(b"GET / HT").await.expect("written");
    let mut busy = served.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    entered.notified().await;
    served.stop.cancel();
    assert!(is_closed(&mut idle).await && is_closed(&mut head).await);
    leave.notify_one();
    assert!(answer(&mut busy).await.ends_with("done"));
    assert!(is_closed(&mut busy).await);
    let ended = tokio::time::timeout(PATIENCE, served.server.join_next()).await;
    assert!(ended.expect("it ends").is_some_and(|ended| ended.is_ok()));
}
