//! How the server lets its callers down, on demand.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

/// What happens to one call.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) reply: Reply,
    /// Whether the call takes effect, whatever is answered.
    pub(super) is_handled: bool,
    /// How late the answer is. A call that takes effect does so before.
    pub(super) delay: Duration,
}

#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// What the system itself says.
    AsUsual,
    Canned {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    Hang,
    Reset,
}

impl Answer {
    const fn new(reply: Reply, is_handled: bool) -> Self {
        Self { reply, is_handled, delay: Duration::ZERO }
    }

    /// As if nothing was scripted: for the place between others, and with [`Answer::late`].
    #[must_use]
    pub fn as_usual() -> Self {
        Self::new(Reply::AsUsual, true)
    }

    /// This status, and nothing is done.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::text(status, "not now")
    }

    /// This text, and nothing is done.
    #[must_use]
    pub fn text(status: u16, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Self::new(Reply::Canned { status, headers, body: body.to_owned() }, false)
    }

    /// This JSON, and nothing is done.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Self::new(Reply::Canned { status, headers, body: body.to_string() }, false)
    }

    /// Slack's way to refuse: 200, and `ok` is false.
    #[must_use]
    pub fn slack_error(error: &str) -> Self {
        Self::json(200, &json!({ "ok": false, "error": error }))
    }

    /// Slack's rate limit (docs.slack.dev, "Rate limits": 429 with `Retry-After` in seconds).
    #[must_use]
    pub fn slack_rate_limit(retry_after_seconds: u32) -> Self {
        let body = json!({ "ok": false, "error": "ratelimited" });
        Self::json(429, &body).with_header("retry-after", &retry_after_seconds.to_string())
    }

    /// Statuspage's rate limit: 420 (notes on notifications, section 3).
    #[must_use]
    pub fn statuspage_rate_limit() -> Self {
        Self::json(420, &json!({ "error": "You have exceeded the rate limit" }))
    }

    /// 200 with a page that is no answer, as a captive portal or a proxy sends it; nothing is done.
    #[must_use]
    pub fn garbage() -> Self {
        Self::text(200, "<html><body>it works!</body></html>").with_header("content-type", "text/html")
    }

    /// No answer for ever, and nothing is done.
    #[must_use]
    pub fn hang() -> Self {
        Self::new(Reply::Hang, false)
    }

    /// The connection is reset instead of an answer, and nothing is done.
    #[must_use]
    pub fn reset() -> Self {
        Self::new(Reply::Reset, false)
    }

    /// The call takes effect all the same, before the answer: what the caller can't know.
    #[must_use]
    pub fn handled(self) -> Self {
        Self { is_handled: true, ..self }
    }

    /// The answer comes so much later.
    #[must_use]
    pub fn late(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// With a header instead of the one of that name; only where the answer is given here.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Reply::Canned { headers, .. } = &mut self.reply {
            headers.retain(|(known, _)| known != name);
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// Which calls are meant; see [`super::People::script`].
#[derive(Debug)]
pub(super) struct Pattern {
    method: Option<String>,
    path: String,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Self {
        match text.split_once(' ') {
            Some((method, path)) => Self { method: Some(method.to_owned()), path: path.to_owned() },
            None => Self { method: None, path: text.to_owned() },
        }
    }

    pub(super) fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method.as_str()) && glob(&self.path, path)
    }
}

/// Whether a text has the pattern's parts in order, with anything in place of each `*`.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().any(|(at, _)| glob(after, &rest[at..])) || glob(after, "")
        }),
    }
}

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    next: VecDeque<Answer>,
    then: Option<Answer>,
}

/// Every script that was given.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<Rule>);

impl Script {
    pub(super) fn add(&mut self, pattern: &str, next: Vec<Answer>, then: Option<Answer>) {
        self.0.push(Rule { pattern: Pattern::parse(pattern), next: next.into(), then });
    }

    /// Takes what the next call of that kind is to be answered.
    pub(super) fn take(&mut self, method: &Method, path: &str) -> Answer {
        let mut rules = self.0.iter_mut().filter(|rule| rule.pattern.matches(method, path));
        rules
            .find_map(|rule| rule.next.pop_front().or_else(|| rule.then.clone()))
            .unwrap_or_else(Answer::as_usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_may_name_the_method_and_leave_out_any_part_of_the_path() {
        let matches = |pattern: &str, path: &str| Pattern::parse(pattern).matches(&Method::POST, path);
        for pattern in ["*", "/a/b.c", "/a/*", "/a*c", "*b.c", "POST /a/b.c", "*.*", "/a/b.c*"] {
            assert!(matches(pattern, "/a/b.c"), "{pattern}");
        }
        for pattern in ["", "/a", "/a/b", "*b", "PATCH /a/b.c", "*d*", "/a/b.c/*"] {
            assert!(!matches(pattern, "/a/b.c"), "{pattern}");
        }
    }

    #[test]
    fn scripts_are_used_up_in_order_and_one_for_always_stays() {
        let mut script = Script::default();
        let status = |script: &mut Script| match script.take(&Method::GET, "/x").reply {
            Reply::Canned { status, .. } => status,
            _ => 0,
        };
        script.add("/x", vec![Answer::status(500), Answer::status(501)], None);
        assert_eq!([(); 3].map(|()| status(&mut script)), [500, 501, 0]);
        script.add("*", Vec::new(), Some(Answer::status(502)));
        script.add("/x", vec![Answer::status(503)], None);
        assert_eq!([(); 3].map(|()| status(&mut script)), [502, 502, 502]);
    }
}
