//! Whether Slack has signed a request, and lately: what is old may have been overheard.

use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::config::SecretFile;

/// How far Slack's time may be from this machine's, either way (Slack, verifying requests).
const MOST_APART: TimeDelta = TimeDelta::minutes(5);

/// Why a request is not Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsigned {
    #[error("it carries no signature of Slack")]
    Missing,
    #[error(
        "it was signed more than 5 minutes before or after this machine's time: set the clock, if it is wrong"
    )]
    Stale,
    #[error("its signature is wrong: check slack.signing_secret_file, if it is Slack's")]
    Wrong,
}

/// What a request says of its signature, before its body is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature<'a> {
    timestamp: &'a str,
    hash: &'a str,
}

impl<'a> Signature<'a> {
    /// # Errors
    /// Where there is none, or it is too old: then nobody need read the body.
    pub(super) fn of(headers: &'a HeaderMap, now: DateTime<Utc>) -> Result<Self, Unsigned> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (timestamp, hash) =
            header("x-slack-request-timestamp").zip(header("x-slack-signature")).ok_or(Unsigned::Missing)?;
        let at = timestamp.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let at = at.ok_or(Unsigned::Missing)?;
        if (now - at).abs() > MOST_APART { Err(Unsigned::Stale) } else { Ok(Self { timestamp, hash }) }
    }

    /// # Errors
    /// Where no line of the secret has made it.
    pub(super) fn check(&self, body: &[u8], secret: &SecretFile) -> Result<(), Unsigned> {
        let hash = self.hash.strip_prefix("v0=").and_then(bytes).ok_or(Unsigned::Wrong)?;
        let is_made_by = |key: &str| {
            // A key may have any length.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
            [b"v0:", self.timestamp.as_bytes(), b":", body].into_iter().for_each(|part| mac.update(part));
            mac.verify_slice(&hash).is_ok()
        };
        if secret.any_convinces(is_made_by) { Ok(()) } else { Err(Unsigned::Wrong) }
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}
