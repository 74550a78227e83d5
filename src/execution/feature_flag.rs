//! The protocol's feature-flag API: `POST {"feature": F, "percentage": N}` (protocol, "Traffic
//! Stages"), and optionally a place where the percentage can be read.

use async_trait::async_trait;
use reqwest::Url;

use super::{ActError, ReadError, TrafficRouter};
use crate::incident::{Answer, Share};
use crate::outbound::{MAX_SMALL_ANSWER_BYTES, Outbound, Reply};

/// Where and how a feature flag is set and read.
#[derive(Debug)]
pub struct FeatureFlag {
    outbound: Outbound,
    url: Url,
    feature: String,
    read: Option<(Url, String)>,
}

impl FeatureFlag {
    /// A flag set by POST to `url`; `read` is where it is read and the JSON pointer into the answer.
    #[must_use]
    pub fn new(outbound: Outbound, url: Url, feature: String, read: Option<(Url, String)>) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_SMALL_ANSWER_BYTES), url, feature, read }
    }

    fn body(&self, share: Share) -> String {
        serde_json::json!({ "feature": self.feature, "percentage": share.0 }).to_string()
    }
}

/// A percentage, as a number or as a text that holds one. Anything else is not a reading.
fn percentage(reply: &Reply, pointer: &str) -> Result<Share, ReadError> {
    if !reply.is_success() {
        return Err(ReadError::Refused { status: reply.status, text: reply.kept_text() });
    }
    let not_understood = |text: String| ReadError::NotUnderstood(text);
    let json: serde_json::Value =
        serde_json::from_slice(&reply.body).map_err(|error| not_understood(format!("not JSON: {error}")))?;
    let nothing = || not_understood(format!("nothing at {pointer} in {}", reply.kept_text()));
    let value = json.pointer(pointer).ok_or_else(nothing)?;
    let number = match value {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().trim_end_matches('%').trim().parse().ok(),
        _ => None,
    };
    match number {
        // Rounded up: a canary with 0.2 % of the traffic is not off.
        Some(number) if (0.0..=100.0).contains(&number) =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 100, by the guard"
            )]
            Ok(Share(number.ceil() as u8))
        }
        _ => Err(not_understood(format!(
            "{} at {pointer} is not a percentage",
            reply.kept(&value.to_string())
        ))),
    }
}

#[async_trait]
impl TrafficRouter for FeatureFlag {
    fn describe_set(&self, share: Share) -> String {
        format!("POST {} {}", self.url, self.body(share))
    }

    async fn set_share(&self, share: Share) -> Result<Answer, ActError> {
        let sent = self.outbound.post_json(self.url.clone(), self.body(share)).await;
        let reply = sent.map_err(|error| {
            let answer = Answer { status: None, text: error.to_string() };
            if error.may_have_arrived() {
                ActError::Unknown(answer)
            } else {
                ActError::Retry { answer, after: None }
            }
        })?;
        let answer = Answer { status: Some(reply.status), text: reply.kept_text() };
        match reply.status {
            200..=299 => Ok(answer),
            // A gateway's time-out says nothing about what happened behind it.
            408 | 502 | 504 => Err(ActError::Unknown(answer)),
            425 | 429 | 500..=599 => Err(ActError::Retry { answer, after: reply.retry_after }),
            _ => Err(ActError::Refused(answer)),
        }
    }

    fn can_read(&self) -> bool {
        self.read.is_some()
    }

    async fn read_share(&self) -> Result<Share, ReadError> {
        let Some((url, pointer)) = &self.read else { return Err(ReadError::NotConfigured) };
        let reply = self.outbound.get(url.clone()).await.map_err(ReadError::NoAnswer)?;
        percentage(&reply, pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_answer_is_a_share_or_an_error_of_bounded_length() {
        bolero::check!().with_iterations(2_000).with_type::<(u8, Vec<u8>, f64)>().for_each(
            |(shape, bytes, number)| {
                let text = serde_json::Value::from(String::from_utf8_lossy(bytes).repeat(100));
                let body = match shape % 4 {
                    0 => bytes.clone(),
                    1 => format!(r#"{{"percentage":{text}}}"#).into_bytes(),
                    2 => format!(r#"{{"percentage":{number}}}"#).into_bytes(),
                    _ => format!(r#"{{"percentage":"{number} %"}}"#).into_bytes(),
                };
                match percentage(&Reply::new(200, body), "/percentage") {
                    Ok(share) => assert!(share.0 <= 100),
                    Err(error) => assert!(error.to_string().len() < 4_096, "{error}"),
                }
            },
        );
    }

    #[test]
    fn a_percentage_is_read_from_numbers_and_texts_and_from_nothing_else() {
        let cases: [(u16, &str, Result<u8, ()>); 12] = [
            (200, r#"{"percentage":0}"#, Ok(0)),
            (200, r#"{"percentage":25}"#, Ok(25)),
            (200, r#"{"percentage":0.2}"#, Ok(1)),
            (200, r#"{"percentage":"5 %"}"#, Ok(5)),
            (200, r#"{"percentage":101}"#, Err(())),
            (200, r#"{"percentage":-1}"#, Err(())),
            (200, r#"{"percentage":null}"#, Err(())),
            (200, r#"{"percentage":"off"}"#, Err(())),
            (200, r#"{"share":0}"#, Err(())),
            (200, "ok", Err(())),
            (404, r#"{"percentage":0}"#, Err(())),
            (500, "", Err(())),
        ];
        for (status, body, expected) in cases {
            let reply = Reply::new(status, body.as_bytes().to_vec());
            assert_eq!(
                percentage(&reply, "/percentage").map(|share| share.0).map_err(|_| ()),
                expected,
                "{status} {body}"
            );
        }
    }
}
