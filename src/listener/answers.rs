//! Answers on their way out: what they hold in memory, and for how long nobody reads them.
//!
//! An answer is in memory until its bytes are with the kernel, which a client that doesn't read can
//! put off for ever. So the bytes themselves carry what ends with them: their share of the memory
//! that answers may have, and the clock of the connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// What ends when the last byte of an answer is gone.
type Tied = Arc<dyn Send + Sync>;

/// Ties something to every byte of an answer.
pub(super) fn tied<T: Send + Sync + 'static>(answer: Response, to: T) -> Response {
    let to: Tied = Arc::new(to);
    answer.map(|body| Body::new(TiedBody { body, to }))
}

struct TiedBody {
    body: Body,
    to: Tied,
}

impl hyper::body::Body for TiedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let to = &self.to;
        frame.map_ok(|frame| frame.map_data(|bytes| Bytes::from_owner(TiedBytes { bytes, _to: to.clone() })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct TiedBytes {
    bytes: Bytes,
    _to: Tied,
}

impl AsRef<[u8]> for TiedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;
    use hyper::body::Body as _;

    use super::*;

    #[tokio::test]
    async fn what_is_tied_to_an_answer_ends_with_its_last_byte_and_not_before() {
        let held = Arc::new(());
        let answer = tied("an answer".into_response(), Arc::clone(&held));
        assert_eq!(answer.size_hint().exact(), Some(9));
        let mut body = answer.into_body();
        let bytes = body.frame().await.expect("a frame").expect("read").into_data().expect("data");
        drop(body);
        assert_eq!((&bytes[..], Arc::strong_count(&held)), (&b"an answer"[..], 2));
        let rest = bytes.slice(3..);
        drop(bytes);
        assert_eq!((&rest[..], Arc::strong_count(&held)), (&b"answer"[..], 2));
        drop(rest);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
