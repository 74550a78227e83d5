//! The share in a feature-flag API's answer.

use reqwest::Url;

use crate::config::ShareScale;
use crate::execution::ReadError;
use crate::incident::Share;
use crate::outbound::Reply;

/// What a fraction that was written with two decimals may be off, in per cent.
const ROUNDING_ERROR: f64 = 1e-9;

/// Where the share is read, and how it stands in the answer.
#[derive(Debug)]
pub struct ReadRequest {
    pub url: Url,
    /// JSON pointer (RFC 6901) to the share in the answer.
    pub pointer: String,
    /// The unit that it has there.
    pub scale: ShareScale,
}

impl ReadRequest {
    /// A number, or a text that holds one. Anything else is not a reading.
    pub(super) fn share(&self, reply: &Reply) -> Result<Share, ReadError> {
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
