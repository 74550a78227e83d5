//! Answers that nobody reads, and requests that are served all the same.

use axum::http::Method;
use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

/// A client on HTTP/2 that reads no more of an answer than its head.
async fn http2(
    address: SocketAddr,
    connections: &mut JoinSet<()>,
) -> hyper::client::conn::http2::SendRequest<axum::body::Body> {
    let stream = TokioIo::new(TcpStream::connect(address).await.expect("connected"));
    let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1)
        .initial_connection_window_size(1)
        .handshake(stream);
    let (requests, connection) = handshake.await.expect("HTTP/2");
    connections.spawn(async move { drop(connection.await) });
    requests
}

#[tokio::test]
async fn answers_that_nobody_reads_are_bounded_and_end_with_their_connection() {
    const LARGE: usize = 4 << 20;
    static LIVING: AtomicUsize = AtomicUsize::new(0);
    struct Large(Vec<u8>);
    impl AsRef<[u8]> for Large {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Large {
        fn drop(&mut self) {
            LIVING.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let large = || async {
        LIVING.fetch_add(1, Ordering::SeqCst);
        Bytes::from_owner(Large(vec![b'x'; LARGE]))
    };
    let answer_timeout = Duration::from_secs(2);
    let served = serve(Limits { answer_timeout, ..limits(10) }, hello().route("/large", get(large)));
    let mut connections = JoinSet::new();
    let mut unread = Vec::new();
    let mut refused = 0;
    for _ in 0..2 {
        let mut client = http2(served.address, &mut connections).await;
        for _ in 0..50 {
            let request = axum::http::Request::get(format!("http://{}/large", served.address));
            let request = request.body(axum::body::Body::empty()).expect("a request");
            client.ready().await.expect("ready");
            let answer = client.send_request(request).await.expect("an answer");
            refused += usize::from(answer.status() == 503 && answer.headers().contains_key("retry-after"));
            unread.push(answer);
        }
    }
    let most = crate::listener::limits::ANSWERS_BYTES / LARGE;
    assert_eq!((LIVING.load(Ordering::SeqCst), refused), (most, 100 - most), "the others are refused");
    assert!(ask(&mut served.connect().await, GET).await.ends_with("hello"), "small answers always go");
    let gone = async {
        while LIVING.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the connections are closed, their memory is free");
    drop(unread);
}

#[tokio::test]
async fn what_is_reserved_is_served_although_every_other_place_is_taken() {
    let (slow, entered, leave) = with_slow_route();
    let one = Limits { requests_in_flight: 1, ..limits(10) };
    let served = serve_guarded(one, slow.route("/person", post(|| async { "done" })), |guard| {
        guard.reserving(|method, uri| *method == Method::POST && uri.path() == "/person")
    });
    let mut busy = served.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    entered.notified().await;
    let mut other = served.connect().await;
    assert!(ask(&mut other, GET).await.starts_with("HTTP/1.1 503"));
    let person = "POST /person HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    assert!(ask(&mut other, person).await.ends_with("done"));
    leave.notify_one();
    assert!(answer(&mut busy).await.ends_with("done"));
}
