//! A method's arguments, in whichever way they are sent.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use super::Refusal;
use crate::demo::people::form;

/// The methods that read JSON; the others ignore it, and miss their arguments (measured at slack.com by
/// the authors of backlot 0.1.0; so a client that sends JSON everywhere fails here too).
const JSON_METHODS: [&str; 3] = ["chat.postMessage", "chat.postEphemeral", "chat.update"];

/// The arguments and the token of one call.
#[derive(Debug)]
pub(super) struct Arguments {
    values: Map<String, Value>,
    token: Option<String>,
}

impl Arguments {
    /// Reads query, form or JSON (docs.slack.dev, "Using the Slack Web API"). Structured arguments in
    /// a form are JSON texts.
    pub(super) fn read(method: &str, head: &Parts, body: &[u8]) -> Result<Self, Refusal> {
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let mut values = Map::new();
        let flat =
            |text: &str| form::decode(text).into_iter().map(|(name, value)| (name, Value::String(value)));
        values.extend(flat(head.uri.query().unwrap_or_default()));
        let kind = header(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("application/json") {
            match serde_json::from_slice(body) {
                Ok(Value::Object(object)) if JSON_METHODS.contains(&method) => values.extend(object),
                Ok(Value::Object(_)) => {}
                _ => return Err("invalid_json".into()),
            }
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            values.extend(flat(&String::from_utf8_lossy(body)));
        } else if !body.is_empty() {
            return Err(if kind.is_empty() { "missing_post_type" } else { "invalid_post_type" }.into());
        }
        let bearer = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer.map(str::to_owned).or_else(|| text_of(values.get("token")?));
        Ok(Self { values, token })
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A text; none where it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).and_then(text_of).filter(|text| !text.is_empty())
    }

    /// A text that must be there; an empty one is there.
    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.values.get(name).and_then(text_of).ok_or_else(|| {
            let messages = [format!("[ERROR] missing required field: {name}")];
            let more = json!({ "response_metadata": { "messages": messages } });
            Refusal { error: "invalid_arguments", more }
        })
    }

    /// Anything but absent, empty, `0` and `false` counts.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text != "0" && !text.eq_ignore_ascii_case("false"))
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.text(name)?.parse().ok()
    }

    /// A structured argument; `error` where a form has a text that is no JSON.
    pub(super) fn structure(&self, name: &str, error: &'static str) -> Result<Option<Value>, Refusal> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(|_| error.into()),
            Some(other) => Ok(Some(other.clone())),
        }
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}
