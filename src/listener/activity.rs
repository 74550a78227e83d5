//! What a connection is doing: whether a request is in flight, and since when it waits for one.
//!
//! hyper's own `header_read_timeout` starts when the previous answer ends, not at the first byte of
//! the next head: it would cut an idle keep-alive connection as early as a slow head. So bytes are
//! watched here, where the two can be distinguished.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;

/// The beginning of HTTP/2's preface; no HTTP/1 method begins so.
const HTTP2_BEGINS: &[u8] = b"PRI";

/// One connection's doings, shared by its task, its requests and the accepting loop.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    pub(super) evicted: CancellationToken,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// The answers that are not yet with the kernel, by number, each since when.
    unread: BTreeMap<u64, Instant>,
    answered: u64,
    /// Since when it waits, while nothing is in flight.
    waiting_since: Instant,
    /// Since when a head arrives: its first byte.
    head_since: Option<Instant>,
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// So many bytes were seen, all like HTTP/2's first.
    Unknown(usize),
    Http1,
    Http2,
}

impl Activity {
    pub(super) fn begun() -> Arc<Self> {
        let state = State {
            in_flight: 0,
            unread: BTreeMap::new(),
            answered: 0,
            waiting_since: Instant::now(),
            head_since: None,
            protocol: Protocol::Unknown(0),
        };
        Arc::new(Self { state: Mutex::new(state), evicted: CancellationToken::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when no request is in flight; `None` while one is.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.in_flight == 0).then_some(state.waiting_since)
    }

    pub(super) fn is_http2(&self) -> bool {
        self.state().protocol == Protocol::Http2
    }

    /// When it has waited too long, unless something happens until then.
    pub(super) fn overdue_at(&self, limits: &Limits) -> Option<Instant> {
        let state = self.state();
        let unread = state.unread.first_key_value().map(|(_, since)| *since + limits.answer_timeout);
        if state.in_flight > 0 {
            return unread;
        }
        let idle = unread.into_iter().fold(state.waiting_since + limits.idle_timeout, Instant::min);
        // Between its requests an HTTP/2 client sends frames that begin no head.
        let head = state.head_since.filter(|_| state.protocol != Protocol::Http2);
        Some(head.map_or(idle, |since| idle.min(since + limits.head_timeout)))
    }

    /// A request has begun; it ends when the answer is dropped.
    pub(super) fn request(self: &Arc<Self>) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.head_since = None;
        drop(state);
        InFlight(Arc::clone(self))
    }

    /// An answer begins to be written; it is read when this is dropped.
    pub(super) fn answer(self: &Arc<Self>) -> Unread {
        let mut state = self.state();
        state.answered += 1;
        let number = state.answered;
        state.unread.insert(number, Instant::now());
        drop(state);
        Unread { activity: Arc::clone(self), number }
    }

    fn received(&self, bytes: &[u8]) {
        let mut state = self.state();
        if let Protocol::Unknown(seen) = state.protocol {
            let rest = &HTTP2_BEGINS[seen..];
            let alike = bytes.iter().zip(rest).take_while(|(byte, wanted)| byte == wanted).count();
            state.protocol = match alike {
                _ if alike == rest.len() => Protocol::Http2,
                _ if alike == bytes.len() => Protocol::Unknown(seen + alike),
                _ => Protocol::Http1,
            };
        }
        if state.in_flight == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }
}

/// Dropped, it ends the request.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        state.waiting_since = Instant::now();
        state.head_since = None;
    }
}

/// An answer that is not yet with the kernel.
#[derive(Debug)]
pub(super) struct Unread {
    activity: Arc<Activity>,
    number: u64,
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.activity.state().unread.remove(&self.number);
    }
}

/// A stream whose received bytes are noticed.
#[derive(Debug)]
pub(super) struct Watched<I> {
    pub(super) stream: I,
    pub(super) activity: Arc<Activity>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let bytes = &buf.filled()[before..];
        if !bytes.is_empty() {
            this.activity.received(bytes);
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits = Limits {
        connections: 1,
        requests_in_flight: 1,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(360),
        answer_timeout: Duration::from_secs(60),
        spared: Duration::from_secs(1),
    };

    fn seconds_left(activity: &Activity) -> Option<u64> {
        activity.overdue_at(&LIMITS).map(|at| (at - Instant::now()).as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_of_a_head_starts_its_clock_and_the_request_ends_it() {
        let activity = Activity::begun();
        assert_eq!(seconds_left(&activity), Some(360));
        for byte in [b"P", b"O", b"S"] {
            activity.received(byte);
        }
        assert_eq!(seconds_left(&activity), Some(10));
        let request = activity.request();
        activity.received(b"a body");
        assert_eq!((seconds_left(&activity), activity.waiting_since()), (None, None));
        drop(request);
        assert_eq!(seconds_left(&activity), Some(360));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_has_its_own_clock_also_while_another_request_is_in_flight() {
        let activity = Activity::begun();
        let (first, request) = (activity.answer(), activity.request());
        tokio::time::advance(Duration::from_secs(20)).await;
        let second = activity.answer();
        assert_eq!(seconds_left(&activity), Some(40));
        drop(first);
        assert_eq!(seconds_left(&activity), Some(60));
        drop(second);
        assert_eq!(seconds_left(&activity), None);
        drop(request);
        assert_eq!(seconds_left(&activity), Some(360));
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_an_http_2_connection_begin_no_head() {
        for preface in [&[&b"PRI * HTTP/2.0\r\n"[..], &b"frames"[..]], &[&b"P"[..], &b"RI * "[..]]] {
            let activity = Activity::begun();
            preface.iter().for_each(|bytes| activity.received(bytes));
            assert_eq!((activity.is_http2(), seconds_left(&activity)), (true, Some(360)));
        }
    }
}
