//! PagerDuty's Events API v2 (PagerDuty/api-schema, reference/events-v2; developer.pagerduty.com,
//! "Events API v2"; notes on notifications, section 2).
//!
//! Stricter than PagerDuty: what is over a documented length is refused, also where it would be cut.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Shared, now};

/// An integration key of the right form.
pub const ROUTING_KEY: &str = "e93facc04764012d7bfb002500d5d1a6";

const ROUTING_KEY_CHARS: usize = 32;
const MAX_DEDUP_KEY_CHARS: usize = 255;
const MAX_SUMMARY_CHARS: usize = 1_024;
const MAX_BODY_BYTES: usize = 512 << 10;
const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    Triggered,
    Acknowledged,
    Resolved,
}

/// One event that was accepted for an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertEvent {
    pub at: DateTime<Utc>,
    /// `trigger`, `acknowledge` or `resolve`.
    pub action: String,
    /// As sent.
    pub body: Value,
}

/// An alert: everything with its key until it is resolved. A trigger after that opens another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub routing_key: String,
    pub dedup_key: String,
    pub state: AlertState,
    /// Of the first trigger: later ones change neither.
    pub severity: String,
    pub summary: String,
    /// Oldest first.
    pub events: Vec<AlertEvent>,
}

/// Everything that PagerDuty knows.
#[derive(Debug, Clone, Default)]
pub struct PagerDuty {
    /// In the order in which they were opened.
    pub alerts: Vec<Alert>,
    /// Bodies of change events.
    pub changes: Vec<Value>,
    /// Accepted events without effect: there was no open alert with that key of that integration.
    pub dropped: Vec<Value>,
}

impl PagerDuty {
    /// The alerts with that key, oldest first.
    pub fn alerts_of<'a>(&'a self, dedup_key: &'a str) -> impl Iterator<Item = &'a Alert> {
        self.alerts.iter().filter(move |alert| alert.dedup_key == dedup_key)
    }

    /// Those that are not resolved.
    pub fn open(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.state != AlertState::Resolved)
    }

    fn accept(&mut self, body: Value, dedup_key: &str) {
        let (routing_key, action) = (text(&body["routing_key"]), text(&body["event_action"]));
        let event = AlertEvent { at: now(), action: action.clone(), body: body.clone() };
        let mut open = self.alerts.iter_mut().filter(|alert| alert.state != AlertState::Resolved);
        let alert = open.find(|alert| alert.routing_key == routing_key && alert.dedup_key == dedup_key);
        match (alert, action.as_str()) {
            (None, "trigger") => self.alerts.push(Alert {
                routing_key,
                dedup_key: dedup_key.to_owned(),
                state: AlertState::Triggered,
                severity: text(&body["payload"]["severity"]),
                summary: text(&body["payload"]["summary"]),
                events: vec![event],
            }),
            (None, _) => self.dropped.push(body),
            (Some(alert), action) => {
                match action {
                    "acknowledge" => alert.state = AlertState::Acknowledged,
                    "resolve" => alert.state = AlertState::Resolved,
                    _ => {}
                }
                alert.events.push(event);
            }
        }
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/v2/enqueue", post(enqueue)).route("/v2/change/enqueue", post(enqueue_change))
}

async fn enqueue(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Refused> {
    let event = read(&body, problems_of_event)?;
    Ok(shared.change(|world| {
        let own = format!("dedup-{}", world.pagerduty.alerts.len() + 1);
        let dedup_key = event["dedup_key"].as_str().unwrap_or(&own).to_owned();
        world.pagerduty.accept(event, &dedup_key);
        let answer = json!({ "status": "success", "message": "Event processed", "dedup_key": dedup_key });
        (StatusCode::ACCEPTED, Json(answer)).into_response()
    }))
}

async fn enqueue_change(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Refused> {
    let change = read(&body, problems_of_change)?;
    shared.change(|world| world.pagerduty.changes.push(change));
    let answer = json!({ "status": "success", "message": "Change event processed" });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Why an event is refused: the status and what is wrong.
type Refused = (StatusCode, Json<Value>);

fn read(body: &[u8], problems: impl Fn(&Value) -> Vec<String>) -> Result<Value, Refused> {
    let refused = |status, errors: Vec<String>| {
        let answer =
            json!({ "status": "invalid event", "message": "Event object is invalid", "errors": errors });
        (status, Json(answer))
    };
    if body.len() > MAX_BODY_BYTES {
        return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, vec!["Event is larger than 512 KB".to_owned()]));
    }
    let event: Option<Value> = serde_json::from_slice(body).ok().filter(Value::is_object);
    let event = event.ok_or_else(|| refused(StatusCode::BAD_REQUEST, vec!["JSON is invalid".to_owned()]))?;
    let errors = problems(&event);
    if errors.is_empty() { Ok(event) } else { Err(refused(StatusCode::BAD_REQUEST, errors)) }
}

fn problems_of_event(event: &Value) -> Vec<String> {
    let mut problems = problems_of_key(event);
    let action = event["event_action"].as_str().unwrap_or_default();
    if !["trigger", "acknowledge", "resolve"].contains(&action) {
        problems.push(
            "'event_action' is missing or invalid (must be one of 'trigger', 'acknowledge' or 'resolve')"
                .to_owned(),
        );
    }
    let dedup_key = event["dedup_key"].as_str().unwrap_or_default();
    if action != "trigger" && dedup_key.is_empty() {
        problems.push("'dedup_key' is missing or blank".to_owned());
    }
    if dedup_key.chars().count() > MAX_DEDUP_KEY_CHARS {
        problems.push(format!("'dedup_key' is longer than {MAX_DEDUP_KEY_CHARS} characters"));
    }
    if action == "trigger" {
        let payload = &event["payload"];
        problems.extend(problems_of_summary(payload));
        if payload["source"].as_str().is_none_or(str::is_empty) {
            problems.push("'payload.source' is missing or blank".to_owned());
        }
        if !SEVERITIES.contains(&payload["severity"].as_str().unwrap_or_default()) {
            problems.push(
                "'payload.severity' is invalid (must be one of 'critical', 'warning', 'error' or 'info')"
                    .to_owned(),
            );
        }
    }
    let images = event["images"].as_array().into_iter().flatten();
    problems.extend(
        images
            .filter(|image| !image["src"].as_str().is_some_and(|src| src.starts_with("https://")))
            .map(|_| "'images.src' must be served by HTTPS".to_owned()),
    );
    problems
}

fn problems_of_change(change: &Value) -> Vec<String> {
    let mut problems = problems_of_key(change);
    if change["routing_key"].as_str().is_some_and(|key| key.starts_with('R')) {
        problems.push("'routing_key' of a ruleset takes no change events".to_owned());
    }
    problems.extend(problems_of_summary(&change["payload"]));
    problems
}

fn problems_of_key(event: &Value) -> Vec<String> {
    let length = event["routing_key"].as_str().map_or(0, |key| key.chars().count());
    match length {
        ROUTING_KEY_CHARS => Vec::new(),
        _ => vec![format!("Length of 'routing_key' is incorrect (should be {ROUTING_KEY_CHARS} characters)")],
    }
}

fn problems_of_summary(payload: &Value) -> Vec<String> {
    if !payload.is_object() {
        return vec!["'payload' is missing or blank".to_owned()];
    }
    match payload["summary"].as_str().unwrap_or_default().chars().count() {
        0 => vec!["'payload.summary' is missing or blank".to_owned()],
        1..=MAX_SUMMARY_CHARS => Vec::new(),
        _ => vec![format!("'payload.summary' is longer than {MAX_SUMMARY_CHARS} characters")],
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
