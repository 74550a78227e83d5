//! An answer: what of it may be stored, and what its headers say.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Request;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};

use crate::text::kept;

/// A secret shorter than this is not looked for in answers: taking every `0` out of them would hide
/// more than it protects, and whoever chose it has not protected anything.
const MIN_REDACTED_BYTES: usize = 4;

/// An HTTP answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// As it came: it may repeat a secret that was sent. What is stored or logged of it comes from
    /// [`Reply::kept_text`] or [`Reply::kept`].
    pub body: Vec<u8>,
    /// What the sender's clock showed, by its `Date` header, to the second.
    pub date: Option<DateTime<Utc>>,
    /// How long it asks to be left alone (RFC 9110, section 10.2.3).
    pub retry_after: Option<Duration>,
    /// What the sender says that the body is.
    pub content_type: Option<String>,
    sent: SentSecrets,
}

impl Reply {
    /// An answer without headers, to a request without secrets.
    #[must_use]
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, body, date: None, retry_after: None, content_type: None, sent: SentSecrets::default() }
    }

    pub(super) fn received(status: u16, headers: &HeaderMap, body: Vec<u8>, sent: SentSecrets) -> Self {
        let date = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?));
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, date));
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Self { status, body, date, retry_after, content_type: content_type.map(str::to_owned), sent }
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text, cut to a length that may be stored, without the secrets that were sent.
    #[must_use]
    pub fn kept_text(&self) -> String {
        self.kept(&String::from_utf8_lossy(&self.body))
    }

    /// A text out of the body, cut to a length that may be stored, without the secrets that were sent.
    #[must_use]
    pub fn kept(&self, text: &str) -> String {
        // Before the cut: half a secret would not be recognised.
        kept(&self.sent.redacted(text))
    }
}

/// The secrets that a request carried. An answer may repeat them: a debugging proxy, an error page.
#[derive(Clone, Default)]
pub(super) struct SentSecrets(Vec<String>);

impl SentSecrets {
    /// Those in the request's headers, and others that are in there in another form.
    pub(super) fn of(request: &Request, others: Vec<String>) -> Self {
        let sensitive = request.headers().values().filter(|value| value.is_sensitive());
        // Of `Bearer TOKEN` the token alone is the secret.
        let last = |text: &str| text.rsplit(' ').next().unwrap_or(text).to_owned();
        let mut secrets = others;
        secrets.extend(sensitive.filter_map(|value| value.to_str().ok().map(last)));
        secrets.retain(|secret| secret.len() >= MIN_REDACTED_BYTES);
        // The longest first: a part of it that is a secret too must not break it up.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    fn redacted(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[redacted]"))
    }
}

impl fmt::Debug for SentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    httpdate::parse_http_date(text).ok().map(DateTime::from)
}

/// Seconds, or a date, which counts from the sender's own clock: ours may differ.
fn retry_after(text: &str, date: Option<DateTime<Utc>>) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some((http_date(text)? - date?).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date_by_the_senders_clock() {
        let sent = http_date("Fri, 31 Dec 1999 23:59:29 GMT");
        let seconds = |text, date| retry_after(text, date).map(|wait| wait.as_secs());
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(30)),
            ("Fri, 31 Dec 1999 23:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
        ] {
            assert_eq!(seconds(text, sent), expected, "{text}");
        }
        assert_eq!(seconds("Fri, 31 Dec 1999 23:59:59 GMT", None), None, "without a clock to compare with");
    }

    #[test]
    fn an_answer_that_repeats_a_secret_is_kept_without_it_even_where_it_is_cut() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", "Bearer s3cret-token"), ("x-api-key", "s3cret")] {
            let mut value = reqwest::header::HeaderValue::from_static(value);
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let url = reqwest::Url::parse("http://127.0.0.1/").expect("a URL");
        let mut request = Request::new(reqwest::Method::GET, url);
        *request.headers_mut() = headers;
        let sent = SentSecrets::of(&request, vec!["pass word".to_owned(), "0".to_owned()]);
        assert_eq!(format!("{sent:?}"), "[redacted]");
        let body = b"no: Bearer s3cret-token, s3cret, pass word, 0".to_vec();
        let reply = Reply::received(401, &HeaderMap::new(), body, sent);
        assert_eq!(reply.kept_text(), "no: Bearer [redacted], [redacted], [redacted], 0");
        let cut = reply.kept(&format!("{}s3cret-token", "x".repeat(crate::text::MAX_KEPT_CHARS - 3)));
        assert!(!cut.contains("s3c"), "{cut}");
    }
}
