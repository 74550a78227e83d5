//! The protocol's feature-flag API: `POST {"feature": F, "percentage": N}` (protocol, "Traffic
//! Stages"), and optionally a place where the percentage can be read.

use async_trait::async_trait;
use reqwest::{Method, Url};

use super::{ActError, ReadError, TrafficRouter};
use crate::config::{BodyTemplate, FlagMethod, ShareScale};
use crate::incident::{Answer, Share};
use crate::outbound::{MAX_SMALL_ANSWER_BYTES, Outbound, Reply};

/// What a fraction that was written with two decimals may be off, in per cent.
const ROUNDING_ERROR: f64 = 1e-9;

/// How a flag is set.
#[derive(Debug)]
pub struct SetRequest {
    /// POST, PUT or PATCH.
    pub method: FlagMethod,
    /// Where.
    pub url: Url,
    /// What is sent, with places for the next two and the share.
    pub body: BodyTemplate,
    /// The flag's name there.
    pub feature: String,
    /// The revision on canary.
    pub revision: String,
}

/// How a flag is read.
#[derive(Debug)]
pub struct ReadRequest {
    /// Where, by GET.
    pub url: Url,
    /// JSON pointer (RFC 6901) to the share in the answer.
    pub pointer: String,
    /// The unit that it has there.
    pub scale: ShareScale,
}

/// A feature flag that moves the traffic.
#[derive(Debug)]
pub struct FeatureFlag {
    outbound: Outbound,
    set: SetRequest,
    read: Option<ReadRequest>,
}

impl FeatureFlag {
    /// A flag that is set, and perhaps read, like this.
    #[must_use]
    pub fn new(outbound: Outbound, set: SetRequest, read: Option<ReadRequest>) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_SMALL_ANSWER_BYTES), set, read }
    }

    fn body(&self, share: Share) -> String {
        self.set.body.fill(&self.set.feature, &self.set.revision, share.0)
    }
}

impl ReadRequest {
    /// A number, or a text that holds one. Anything else is not a reading.
    fn share(&self, reply: &Reply) -> Result<Share, ReadError> {
        if !reply.is_success() {
            return Err(ReadError::Refused { status: reply.status, text: reply.kept_text() });
        }
        let pointer = &self.pointer;
        let json: serde_json::Value = serde_json::from_slice(&reply.body)
            .map_err(|error| ReadError::NotUnderstood(format!("not JSON: {error}")))?;
        let nothing = || ReadError::NotUnderstood(format!("nothing at {pointer} in {}", reply.kept_text()));
        let value = json.pointer(pointer).ok_or_else(nothing)?;
        let number = match value {
            serde_json::Value::Number(number) => number.as_f64(),
            serde_json::Value::String(text) => self.without_sign(text).parse().ok(),
            _ => None,
        };
        number.and_then(|number| self.percent(number)).ok_or_else(|| {
            let unit = match self.scale {
                ShareScale::Percent => "percentage",
                ShareScale::Fraction => "fraction between 0 and 1",
            };
            ReadError::NotUnderstood(format!(
                "{} at {pointer} is not a {unit}",
                reply.kept(&value.to_string())
            ))
        })
    }

    fn without_sign<'a>(&self, text: &'a str) -> &'a str {
        match self.scale {
            ShareScale::Percent => text.trim().trim_end_matches('%').trim_end(),
            // A fraction with a per-cent sign is neither.
            ShareScale::Fraction => text.trim(),
        }
    }

    /// Rounded up, because a canary with 0.2 % of the traffic is not off; only nothing at all is
    /// 0 %. What is within a rounding error of a whole per cent is that: 0.07 * 100 is above 7.
    fn percent(&self, number: f64) -> Option<Share> {
        let percent = match self.scale {
            ShareScale::Percent => number,
            ShareScale::Fraction => number * 100.0,
        };
        if !(0.0..=100.0).contains(&percent) {
            return None;
        }
        let whole = (percent - ROUNDING_ERROR).ceil().max(if number > 0.0 { 1.0 } else { 0.0 });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100, by the guard")]
        Some(Share(whole as u8))
    }
}

/// An address for evidence: a query's values may be secrets, its names are not.
fn without_query_values(url: &Url) -> String {
    let Some(query) = url.query() else { return url.to_string() };
    let names = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        // A value without a name.
        None => "…".to_owned(),
    });
    let mut address = url.clone();
    address.set_query(None);
    address.set_fragment(None);
    format!("{address}?{}", names.collect::<Vec<_>>().join("&"))
}

#[async_trait]
impl TrafficRouter for FeatureFlag {
    fn describe_set(&self, share: Share) -> String {
        let method = self.set.method.as_str();
        format!("{method} {} {}", without_query_values(&self.set.url), self.body(share))
    }

    async fn set_share(&self, share: Share) -> Result<Answer, ActError> {
        let method = match self.set.method {
            FlagMethod::Post => Method::POST,
            FlagMethod::Put => Method::PUT,
            FlagMethod::Patch => Method::PATCH,
        };
        let sent = self.outbound.send_json(method, self.set.url.clone(), self.body(share)).await;
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
        let Some(read) = &self.read else { return Err(ReadError::NotConfigured) };
        let reply = self.outbound.get(read.url.clone()).await.map_err(ReadError::NoAnswer)?;
        read.share(&reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(scale: ShareScale) -> ReadRequest {
        let url = Url::parse("http://127.0.0.1/").expect("a URL");
        ReadRequest { url, pointer: "/percentage".to_owned(), scale }
    }

    #[test]
    fn a_fraction_is_read_as_the_per_cent_that_was_set_and_anything_above_nothing_is_not_off() {
        let read = |text: &str| {
            let body = format!(r#"{{"percentage":{text}}}"#).into_bytes();
            reading(ShareScale::Fraction).share(&Reply::new(200, body)).map(|share| share.0).ok()
        };
        for percent in 0..=100_u8 {
            assert_eq!(read(&(f64::from(percent) / 100.0).to_string()), Some(percent));
        }
        for (text, expected) in [
            ("0.001", Some(1)),
            ("1e-300", Some(1)),
            ("0.251", Some(26)),
            ("\"0.25\"", Some(25)),
            ("25", None),
            ("\"25 %\"", None),
            ("-0.1", None),
            ("1.01", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn evidence_shows_which_request_was_made_without_the_values_of_its_query() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        for (given, shown) in [
            ("http://flags/api/set", "http://flags/api/set"),
            ("http://flags/api/set?apikey=s3cret&f=v1", "http://flags/api/set?apikey=…&f=…"),
            ("http://flags/set?s3cret#s3cret", "http://flags/set?…"),
        ] {
            assert_eq!(without_query_values(&url(given)), shown);
        }
    }

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
                match reading(ShareScale::Percent).share(&Reply::new(200, body)) {
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
                reading(ShareScale::Percent).share(&reply).map(|share| share.0).map_err(|_| ()),
                expected,
                "{status} {body}"
            );
        }
    }
}
