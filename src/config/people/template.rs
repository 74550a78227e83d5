//! Texts and addresses with places that are filled in as a request is sent.

use reqwest::Url;
use serde_json::Value;

use crate::config::flag_request::{escaped, places};

/// The longest template.
const MAX_BYTES: usize = 16 << 10;

/// Why a template is refused when the configuration is read; in an incident it would be too late.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// The page would show its name.
    #[error("has {{{0}}}, which nothing fills")]
    UnknownPlace(String),
    #[error("is not JSON once it is filled in: {0}")]
    NotJson(String),
    #[error("is no address once it is filled in")]
    NoAddress,
}

/// A text of JSON with places such as `{title}` between its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTemplate(String);

impl TextTemplate {
    /// Tries the text with every place filled.
    pub(super) fn new(text: String, known: &[&str]) -> Result<Self, TemplateError> {
        if text.len() > MAX_BYTES {
            return Err(TemplateError::TooLong);
        }
        check_places(&text, known)?;
        let template = Self(text);
        let filled = template.filled(|_| Some("\"x\"\\"));
        let json = serde_json::from_str::<Value>(&filled);
        json.map(|_| template).map_err(|error| TemplateError::NotJson(error.to_string()))
    }

    /// With what `value` says for each place, escaped as JSON wants it. What is filled in is never looked
    /// at for places again.
    #[must_use]
    pub fn filled<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> String {
        fill(&self.0, |name| value(name).map(escaped))
    }
}

/// An address with places such as `{id}` in its path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate(String);

impl UrlTemplate {
    /// Tries the address with every place filled.
    pub(super) fn new(text: String, known: &[&str]) -> Result<Self, TemplateError> {
        if text.len() > MAX_BYTES {
            return Err(TemplateError::TooLong);
        }
        check_places(&text, known)?;
        let template = Self(text);
        // A place in the host would let an answer choose where the key is sent.
        let hosts = ["x", "y"].map(|word| template.filled(|_| Some(word)).map(|url| url.origin()));
        match hosts {
            [Some(one), Some(other)] if one == other => Ok(template),
            _ => Err(TemplateError::NoAddress),
        }
    }

    /// With what `value` says for each place, as part of an address; `None`: the result is none.
    #[must_use]
    pub fn filled<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Option<Url> {
        Url::parse(&fill(&self.0, |name| value(name).map(percent_encoded))).ok()
    }
}

fn check_places(text: &str, known: &[&str]) -> Result<(), TemplateError> {
    match places(text).find(|name| !known.contains(name)) {
        Some(unknown) => Err(TemplateError::UnknownPlace(unknown.to_owned())),
        None => Ok(()),
    }
}

fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(name) = places(rest).next() {
        let place = format!("{{{name}}}");
        let Some((before, after)) = rest.split_once(&place) else { break };
        filled.push_str(before);
        filled.push_str(&value(name).unwrap_or(place));
        rest = after;
    }
    filled + rest
}

/// What RFC 3986 leaves as it is, and nothing else: neither a slash nor a question mark of an answer may
/// choose another address.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_filled_with_what_is_said_escaped_and_looked_at_once() {
        let template =
            TextTemplate::new(r#"{"name":"{title}","n":[{"m":"{text}"}]}"#.to_owned(), &["title", "text"]);
        let filled = template.expect("a template").filled(|name| match name {
            "title" => Some("\"{text}\"\n"),
            _ => Some("t"),
        });
        let filled: Value = serde_json::from_str(&filled).expect("JSON");
        assert_eq!(filled, serde_json::json!({"name": "\"{text}\"\n", "n": [{"m": "t"}]}));
    }

    #[test]
    fn an_address_takes_what_an_answer_said_as_one_part_of_its_path() {
        let template = UrlTemplate::new("https://page.example/v1/{id}/updates?i={id}".to_owned(), &["id"]);
        let template = template.expect("an address");
        let filled = |id| template.filled(|_| Some(id)).map(|url| url.to_string());
        assert_eq!(filled("42").as_deref(), Some("https://page.example/v1/42/updates?i=42"));
        assert_eq!(
            filled("../x?a=b#ç").as_deref(),
            Some("https://page.example/v1/..%2Fx%3Fa%3Db%23%C3%A7/updates?i=..%2Fx%3Fa%3Db%23%C3%A7")
        );
    }

    #[test]
    fn what_could_not_be_sent_is_refused() {
        let text = |text: &str| TextTemplate::new(text.to_owned(), &["title"]).expect_err(text);
        let url = |text: &str| UrlTemplate::new(text.to_owned(), &["id"]).expect_err(text);
        assert_eq!(text(r#"{"a":"{name}"}"#), TemplateError::UnknownPlace("name".to_owned()));
        assert!(matches!(text(r#"{"a":{title}}"#), TemplateError::NotJson(_)));
        assert_eq!(text(&"x".repeat(MAX_BYTES + 1)), TemplateError::TooLong);
        assert_eq!(url("https://page.example/{page}"), TemplateError::UnknownPlace("page".to_owned()));
        assert_eq!(url("page/{id}"), TemplateError::NoAddress);
        assert_eq!(url("https://{id}.example/"), TemplateError::NoAddress);
    }
}
