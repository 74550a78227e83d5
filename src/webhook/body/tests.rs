//! Bodies that are slow, large, many or cut off.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Frame;
use tokio::sync::mpsc;

use super::*;

const LIMIT: usize = 1_000;

/// A body whose chunks come from a channel.
struct Fed(mpsc::UnboundedReceiver<Bytes>);

impl hyper::body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn fed(chunks: &[usize]) -> (mpsc::UnboundedSender<Bytes>, Body) {
    let (feed, chunked) = mpsc::unbounded_channel();
    for length in chunks {
        feed.send(Bytes::from(vec![b'x'; *length])).expect("heard");
    }
    (feed, Body::new(Fed(chunked)))
}

async fn read_fed(chunks: &[usize], budget: &Budget) -> Result<(Bytes, Reservation), BodyError> {
    let (feed, body) = fed(chunks);
    drop(feed);
    read(body, LIMIT, BODY_TIMEOUT, budget).await
}

fn free(budget: &Budget) -> usize {
    budget.bodies.available_permits()
}

#[tokio::test]
async fn a_body_is_read_whole_and_its_memory_is_free_again_afterwards() {
    let budget = Budget::of(1_500);
    let (bytes, reserved) = read_fed(&[400, 0, 600], &budget).await.expect("read");
    assert_eq!((bytes.len(), free(&budget)), (1_000, 500));
    drop(reserved);
    assert_eq!(free(&budget), 1_500);
    assert!(read_fed(&[], &budget).await.expect("read").0.is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_costs_no_memory() {
    let budget = Budget::of(5_000);
    let refused = read_fed(&[600, 600, 100], &budget).await.map(|_| ());
    assert_eq!((refused, free(&budget)), (Err(BodyError::TooLarge { limit: LIMIT }), 5_000));
    let declared = Body::from(vec![b'x'; LIMIT + 1]);
    let refused = read(declared, LIMIT, BODY_TIMEOUT, &budget).await.map(|_| ());
    assert_eq!(refused, Err(BodyError::TooLarge { limit: LIMIT }));
}

#[tokio::test]
async fn a_body_over_the_common_budget_is_refused_until_another_one_is_done() {
    let budget = Budget::of(1_000);
    let first = read_fed(&[700], &budget).await.expect("read");
    assert_eq!(read_fed(&[200, 200], &budget).await.map(|_| ()), Err(BodyError::OverBudget));
    assert_eq!(free(&budget), 300, "what the refused one had is free");
    drop(first);
    assert!(read_fed(&[200, 200], &budget).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up_after_the_timeout() {
    let budget = Budget::of(1_000);
    let (feed, body) = fed(&[10]);
    let read = read(body, LIMIT, BODY_TIMEOUT, &budget).await.map(|_| ());
    assert_eq!((read, free(&budget)), (Err(BodyError::TooSlow), 1_000));
    drop(feed);
}

#[tokio::test(start_paused = true)]
async fn memory_is_reserved_as_bytes_arrive_and_not_before() {
    let budget = Budget::of(1_000);
    let (feed, body) = fed(&[10]);
    let reading = read(body, LIMIT, BODY_TIMEOUT, &budget);
    tokio::pin!(reading);
    let nothing = tokio::time::timeout(Duration::from_secs(1), &mut reading).await;
    assert!(nothing.is_err() && free(&budget) == 990);
    drop(feed);
    assert_eq!(reading.await.expect("read").0.len(), 10);
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

#[test]
fn a_packed_body_is_unpacked_within_the_limit_and_the_budget_and_a_bomb_costs_neither() {
    let budget = Budget::of(1_500);
    let (bytes, reserved) = unpacked(&packed(&[b'x'; 1_000]), LIMIT, &budget).expect("unpacked");
    assert_eq!((bytes.len(), free(&budget)), (1_000, 500));
    let another = unpacked(&packed(&[b'x'; 600]), LIMIT, &budget).map(|_| ());
    assert_eq!((another, free(&budget)), (Err(BodyError::OverBudget), 500));
    drop(reserved);
    let bomb = packed(&vec![0; 50 << 20]);
    assert!(bomb.len() < 100_000);
    let mut refused = Ok(());
    let used = allocation_counter::measure(|| {
        refused = unpacked(&bomb, LIMIT, &budget).map(|_| ());
    });
    assert_eq!((refused, free(&budget)), (Err(BodyError::TooLarge { limit: LIMIT }), 1_500));
    assert!(used.bytes_max < 500_000, "{} bytes", used.bytes_max);
    for broken in [&b"{}"[..], &packed(b"cut off")[..10]] {
        assert!(matches!(unpacked(broken, LIMIT, &budget), Err(BodyError::NotGzip(_))), "{broken:?}");
    }
}
