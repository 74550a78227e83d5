//! Reads a request's body within bounds of size, time and memory.
//!
//! Whoever is turned away has the rest of the body read and thrown away first: closing a connection
//! on unread bytes resets it, and the client would see a broken connection instead of the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;

/// How long a whole body may take. Alertmanager's flush gives up after 10 s at least (reference
/// notes, section 2); a body of 8 MB takes less than a second on one site.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of all webhook bodies in memory together: two of the largest, or a storm of tens of
/// thousands of usual ones. Parsed they take a multiple, and the unit file's `MemoryMax` is 1 GiB.
pub const BUDGET_BYTES: usize = 64 << 20;

/// Memory that bodies share. Clones share it too.
#[derive(Debug, Clone)]
pub struct Budget(Arc<AtomicUsize>);

impl Default for Budget {
    fn default() -> Self {
        Self::of(BUDGET_BYTES)
    }
}

impl Budget {
    /// So many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// A reservation of nothing yet.
    fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }
}

/// Reserved bytes; dropped, they are free again.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: usize,
}

impl Reservation {
    fn grow(&mut self, bytes: usize) -> bool {
        let taken =
            self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(bytes));
        self.bytes += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Why a body was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than may be. Sending it again won't help.
    #[error("the body is over {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It took too long. Sending it again may help.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// Too many others are in memory. Sending it again helps.
    #[error("overloaded: the bodies under way fill the memory that they may have; send it again")]
    OverBudget,
    /// The client went away in the middle of it.
    #[error("the body broke off: {0}")]
    BrokenOff(String),
}

/// Reads a body of at most `limit` bytes within `timeout`, and keeps its bytes reserved in the
/// budget until the reservation is dropped.
///
/// # Errors
/// See [`BodyError`].
pub async fn read(
    body: Body,
    limit: usize,
    timeout: Duration,
    budget: &Budget,
) -> Result<(Bytes, Reservation), BodyError> {
    let mut reading = Reading { chunks: Vec::new(), reserved: budget.reservation(), refused: None };
    if body.size_hint().lower() > limit as u64 {
        reading.refuse(BodyError::TooLarge { limit });
    }
    let in_time = tokio::time::timeout(timeout, reading.all_of(body, limit)).await;
    match (reading.refused, in_time) {
        (Some(refused), _) => Err(refused),
        (None, Err(_elapsed)) => Err(BodyError::TooSlow),
        (None, Ok(Err(error))) => Err(BodyError::BrokenOff(error.to_string())),
        (None, Ok(Ok(()))) => Ok((joined(reading.chunks), reading.reserved)),
    }
}

struct Reading {
    chunks: Vec<Bytes>,
    reserved: Reservation,
    refused: Option<BodyError>,
}

impl Reading {
    async fn all_of(&mut self, mut body: Body, limit: usize) -> Result<(), axum::Error> {
        let mut discarded = 0;
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame?.into_data() else { continue };
            if self.refused.is_none() {
                self.take(chunk, limit);
            } else if discarded > limit {
                // It has no end in sight.
                return Ok(());
            } else {
                discarded += chunk.len();
            }
        }
        Ok(())
    }

    fn take(&mut self, chunk: Bytes, limit: usize) {
        if self.reserved.bytes + chunk.len() > limit {
            self.refuse(BodyError::TooLarge { limit });
        } else if !self.reserved.grow(chunk.len()) {
            self.refuse(BodyError::OverBudget);
        } else {
            self.chunks.push(chunk);
        }
    }

    fn refuse(&mut self, why: BodyError) {
        self.refused = Some(why);
        self.chunks = Vec::new();
        self.reserved = self.reserved.budget.reservation();
    }
}

/// One piece of memory: the usual body arrives as one, and is not copied.
fn joined(mut chunks: Vec<Bytes>) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
    whole.freeze()
}

#[cfg(test)]
mod tests;
