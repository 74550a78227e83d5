//! Why a monitoring system can't be relied upon now.

use reqwest::Url;
use serde::de::DeserializeOwned;

use chrono::{DateTime, Utc};

use crate::outbound::{Outbound, OutboundError, Reply};
use crate::text::kept;

/// Why there is no reading; each variant says what a caller, or a person, can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Nobody answered, or the answer was "not now": ask again.
    #[error("{0}")]
    NoAnswer(String),
    /// It answered that it does not accept this question, and will not: ask another way, or not at all.
    #[error("{0}")]
    Refused(String),
    /// It wants other credentials: asking goes on, since they are read anew each time, but a person
    /// has to mend it.
    #[error("{0}: check the token")]
    Denied(String),
    /// Something else answers at this address: a person has to look at the configuration.
    #[error("{0}: is the address right?")]
    NotTheSystem(String),
}

/// A GET of JSON, with what the sender's clock showed.
pub(super) async fn get<T: DeserializeOwned>(
    outbound: &Outbound,
    url: Url,
) -> Result<(T, Option<DateTime<Utc>>), SignalError> {
    let place = url.path().to_owned();
    answered(place, outbound.get(url).await)
}

/// The JSON of a reply, with what the sender's clock showed. `place` is the path that was asked.
pub(super) fn answered<T: DeserializeOwned>(
    place: String,
    reply: Result<Reply, OutboundError>,
) -> Result<(T, Option<DateTime<Utc>>), SignalError> {
    let reply = reply.map_err(|error| SignalError::NoAnswer(format!("{place}: {error}")))?;
    if !reply.is_success() {
        return Err(refused(&place, &reply));
    }
    let json = serde_json::from_slice(&reply.body).map_err(|error| {
        SignalError::NotTheSystem(format!("{place}: not the JSON expected: {}", kept(&error.to_string())))
    })?;
    Ok((json, reply.date))
}

pub(super) fn refused(place: &str, reply: &Reply) -> SignalError {
    let words = format!("{place}: status {}: {}", reply.status, reply.kept_text());
    match reply.status {
        400 | 422 => SignalError::Refused(words),
        401 | 403 => SignalError::Denied(words),
        300..=399 | 404 | 405 | 410 => SignalError::NotTheSystem(words),
        _ => SignalError::NoAnswer(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_to_ask_again() {
        let error = |status| refused("/x", &Reply::new(status, b"why".to_vec()));
        let words = |status: u16| format!("/x: status {status}: why");
        assert_eq!(error(503), SignalError::NoAnswer(words(503)));
        assert_eq!(error(429), SignalError::NoAnswer(words(429)));
        assert_eq!(error(400), SignalError::Refused(words(400)));
        assert_eq!(error(422), SignalError::Refused(words(422)));
        assert_eq!(error(403), SignalError::Denied(words(403)));
        assert_eq!(error(404), SignalError::NotTheSystem(words(404)));
    }
}
