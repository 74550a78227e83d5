//! Reads a request's body within bounds of size, time and memory.
//!
//! Whoever is turned away has the rest of the body read and thrown away first: closing a connection
//! on unread bytes resets it, and the client would see a broken connection instead of the answer.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a whole body may take. Alertmanager's flush gives up after 10 s at least (reference
/// notes, section 2); a body of 8 MB takes less than a second on one site.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of all webhook bodies in memory together: two of the largest, or a storm of tens of
/// thousands of usual ones. The unit file's `MemoryMax` is 1 GiB.
pub const BUDGET_BYTES: usize = 64 << 20;

/// Memory of the alerts that were read of them, while they wait to be stored. Short labels take many
/// times what they take as text: 64 MiB of bodies can hold a gigabyte of alerts.
const ALERTS_BYTES: usize = 192 << 20;

/// Large bodies that are parsed at once, before it is known what they hold.
const LARGE_AT_ONCE: usize = 2;

/// Memory that bodies share. Clones share it too.
#[derive(Debug, Clone)]
pub struct Budget {
    bodies: Arc<Semaphore>,
    alerts: Arc<Semaphore>,
    pub(super) large: Arc<Semaphore>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(BUDGET_BYTES)
    }
}

impl Budget {
    /// `bytes` for bodies; what alerts and large bodies may have is fixed.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits));
        Self { bodies: semaphore(bytes), alerts: semaphore(ALERTS_BYTES), large: semaphore(LARGE_AT_ONCE) }
    }

    /// Reserves the memory of alerts that were read.
    pub(super) fn of_alerts(&self, bytes: usize) -> Result<Reservation, BodyError> {
        let mut reserved = Reservation::in_pool(&self.alerts);
        if reserved.grow(bytes) { Ok(reserved) } else { Err(BodyError::OverBudget) }
    }
}

/// Reserved bytes; dropped, they are free again.
#[derive(Debug)]
pub struct Reservation {
    pool: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    fn in_pool(pool: &Arc<Semaphore>) -> Self {
        Self { pool: Arc::clone(pool), held: None }
    }

    fn bytes(&self) -> usize {
        self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let more = u32::try_from(bytes).ok();
        let Some(more) = more.and_then(|more| Arc::clone(&self.pool).try_acquire_many_owned(more).ok())
        else {
            return false;
        };
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        true
    }
}

/// Why a body was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than may be. Sending it again won't help.
    #[error("the body is over {limit} bytes")]
    TooLarge { limit: usize },
    /// It took too long. Sending it again may help.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// Too many others are in memory. Sending it again helps.
    #[error("overloaded: the bodies under way fill the memory that they may have; send it again")]
    OverBudget,
    #[error("the body says `Content-Encoding: gzip` and can't be unpacked: {0}")]
    NotGzip(String),
    /// Only gzip and none are understood.
    #[error("the body's `Content-Encoding` is not understood: send it plain, or as gzip")]
    Encoding,
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
    let mut reading =
        Reading { chunks: Vec::new(), reserved: Reservation::in_pool(&budget.bodies), refused: None };
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

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Plain,
    /// Packed by the sender or a proxy.
    Gzip,
}

impl Encoding {
    /// By the request's `Content-Encoding`.
    ///
    /// # Errors
    /// [`BodyError::Encoding`] for any other.
    pub fn of(headers: &HeaderMap) -> Result<Self, BodyError> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(Self::Plain) };
        match value.to_str().map(|value| value.trim().to_ascii_lowercase()).as_deref() {
            Ok("" | "identity") => Ok(Self::Plain),
            Ok("gzip" | "x-gzip") => Ok(Self::Gzip),
            Ok(_) | Err(_) => Err(BodyError::Encoding),
        }
    }
}

/// Pieces in which a packed body is unpacked and its memory reserved.
const UNPACKED_AT_ONCE: usize = 64 << 10;

/// Unpacks a gzip body of at most `limit` bytes. Blocking: a body of 32 MiB takes a tenth of a second.
///
/// # Errors
/// [`BodyError::TooLarge`] as soon as the limit is passed, whatever a bomb would still unpack to;
/// [`BodyError::OverBudget`]; [`BodyError::NotGzip`].
pub fn unpacked(body: &[u8], limit: usize, budget: &Budget) -> Result<(Bytes, Reservation), BodyError> {
    let mut packed = flate2::read::MultiGzDecoder::new(body);
    let (mut whole, mut reserved) = (BytesMut::new(), Reservation::in_pool(&budget.bodies));
    let mut piece = vec![0; UNPACKED_AT_ONCE];
    loop {
        let read = packed.read(&mut piece).map_err(|error| BodyError::NotGzip(error.to_string()))?;
        match read {
            0 => return Ok((whole.freeze(), reserved)),
            _ if whole.len() + read > limit => return Err(BodyError::TooLarge { limit }),
            _ if !reserved.grow(read) => return Err(BodyError::OverBudget),
            _ => whole.extend_from_slice(&piece[..read]),
        }
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
        if self.reserved.bytes() + chunk.len() > limit {
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
        self.reserved = Reservation::in_pool(&self.reserved.pool);
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
