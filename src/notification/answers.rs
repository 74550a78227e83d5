//! What an answer means for the message: sent, to be sent again, to be looked for, or of no use.

use std::time::Duration;

use super::SendError;
use crate::outbound::{OutboundError, Reply};

/// Why no answer came. A secret that can't be read is tried again: somebody is rotating it, and a page
/// that is given up for that is lost.
pub(super) fn unanswered(error: &OutboundError) -> SendError {
    if error.may_have_arrived() {
        SendError::Unknown { error: error.to_string() }
    } else {
        SendError::Failed { error: error.to_string(), retry_after: None }
    }
}

/// An answer of 2xx, or what any other one means. `limits` are the statuses by which this system says
/// that it is asked too often.
pub(super) fn accepted(reply: Result<Reply, OutboundError>, limits: &[u16]) -> Result<Reply, SendError> {
    let reply = reply.map_err(|error| unanswered(&error))?;
    if reply.is_success() {
        return Ok(reply);
    }
    let error = in_words(&reply);
    let failed = |retry_after: Option<Duration>| SendError::Failed { error: error.clone(), retry_after };
    Err(match reply.status {
        limit if limits.contains(&limit) => failed(reply.retry_after),
        // Too early (RFC 8470): it was not carried out.
        425 => failed(reply.retry_after),
        // A gateway's answer, or a server's that broke down, says nothing about what happened behind it.
        408 | 500..=599 => SendError::Unknown { error },
        _ => SendError::Refused { error },
    })
}

/// A question that did not get its answer leaves what it was about as unknown as it was.
pub(super) fn still_unknown(error: SendError) -> SendError {
    match error {
        SendError::Failed { error, .. } | SendError::Unknown { error } => SendError::Unknown {
            error: format!("it may have arrived before, and can't be looked for: {error}"),
        },
        refused @ SendError::Refused { .. } => refused,
    }
}

/// Such as `status 400: Event object is invalid`, without secrets.
pub(super) fn in_words(reply: &Reply) -> String {
    let text = reply.kept_text();
    if text.is_empty() {
        format!("status {}", reply.status)
    } else {
        format!("status {}: {text}", reply.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16) -> &'static str {
        match accepted(Ok(Reply::new(status, b"why".to_vec())), &[420, 429]) {
            Ok(_) => "sent",
            Err(SendError::Failed { .. }) => "again",
            Err(SendError::Unknown { .. }) => "look for it",
            Err(SendError::Refused { .. }) => "of no use",
        }
    }

    #[test]
    fn each_status_says_what_is_done_next() {
        for (statuses, expected) in [
            (&[200, 201, 202, 204][..], "sent"),
            (&[420, 425, 429], "again"),
            (&[408, 500, 502, 503, 504, 599], "look for it"),
            (&[301, 302, 400, 401, 403, 404, 409, 410, 413, 422], "of no use"),
        ] {
            for status in statuses {
                assert_eq!(meaning(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn what_was_not_sent_is_sent_again_and_what_may_have_arrived_is_looked_for() {
        let timeout = Duration::from_secs(10);
        for (error, unknown) in [
            (OutboundError::NotReady("no secret".to_owned()), false),
            (OutboundError::Unreachable("refused".to_owned()), false),
            (OutboundError::TimedOut { timeout }, true),
            (OutboundError::Broken("reset".to_owned()), true),
            (OutboundError::TooLong { limit_bytes: 1 }, true),
        ] {
            let meant = accepted(Err(error.clone()), &[429]);
            assert_eq!(matches!(meant, Err(SendError::Unknown { .. })), unknown, "{error}");
            assert!(!matches!(meant, Err(SendError::Refused { .. })), "{error}");
        }
    }
}
