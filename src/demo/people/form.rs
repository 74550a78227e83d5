//! `application/x-www-form-urlencoded`, as queries and Slack's requests are.

use reqwest::Url;

/// The pairs of a query or a form, decoded, in order.
pub(super) fn decode(text: &str) -> Vec<(String, String)> {
    let Ok(mut url) = Url::parse("http://127.0.0.1/") else { return Vec::new() };
    url.set_query(Some(text));
    url.query_pairs().into_owned().collect()
}

/// The reverse.
pub(super) fn encode(pairs: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("http://127.0.0.1/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

/// The first value of that name.
pub(super) fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}
