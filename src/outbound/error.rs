//! Why an answer did not come, or could not be used.

use std::time::Duration;

use super::Reply;

/// Why no answer came; each variant says what can have happened on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// A secret or header that the request needs can't be had. Nothing happened there, and nothing
    /// will until a person mends the file that is named.
    #[error("not sent: {0}")]
    NotReady(String),
    /// No connection. Nothing happened there: safe to try again.
    #[error("not sent: {0}")]
    Unreachable(String),
    /// It may have been carried out: read before believing.
    #[error("sent, but no answer within {}", humantime::format_duration(*.timeout))]
    TimedOut {
        /// For the whole request, its answer included.
        timeout: Duration,
    },
    /// The connection ended first. It may have been carried out: read before believing.
    #[error("sent, but no answer: {0}")]
    Broken(String),
    /// It was probably carried out, and the answer is not worth its memory.
    #[error("sent, but the answer is longer than {limit_bytes} bytes")]
    TooLong {
        /// The client's limit; the answer was not read beyond it.
        limit_bytes: usize,
    },
}

impl OutboundError {
    /// Whether the other side may have acted on the request.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::NotReady(_) | Self::Unreachable(_) => false,
            Self::TimedOut { .. } | Self::Broken(_) | Self::TooLong { .. } => true,
        }
    }

    pub(super) fn of(error: &reqwest::Error, timeout: Duration) -> Self {
        if error.is_connect() || error.is_builder() {
            Self::Unreachable(words(error))
        } else if error.is_timeout() {
            Self::TimedOut { timeout }
        } else {
            Self::Broken(words(error))
        }
    }
}

/// Why there is nothing to use in the answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Worth another try; a question that arrived twice does no harm.
    #[error("{place}: {error}")]
    NoReply {
        /// The path that was asked, without its query.
        place: String,
        error: OutboundError,
    },
    /// The other side answered that it will not or can't say.
    #[error("{place}: status {status}: {text}")]
    Refused {
        /// The path that was asked, without its query.
        place: String,
        /// HTTP status, not 2xx.
        status: u16,
        /// The answer's beginning, free of the secrets that were sent.
        text: String,
    },
    /// It is not the system that it should be, or one of another version.
    #[error("{place}: not the JSON expected: {reason}")]
    NotUnderstood {
        /// The path that was asked, without its query.
        place: String,
        /// Where reading stopped, and why.
        reason: String,
    },
}

impl FetchError {
    pub(super) fn not_understood(place: String, error: &serde_json::Error, reply: &Reply) -> Self {
        // It may quote the answer.
        Self::NotUnderstood { place, reason: reply.kept(&error.to_string()) }
    }
}

/// The error with its causes, without the URL: a URL's query may carry what nobody should read.
fn words(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { String::from("failed") };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
