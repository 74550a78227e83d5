//! Grafana's annotations (grafana.com/docs, "Annotations HTTP API" and "Organization HTTP API"; notes on
//! notifications, section 4).

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use super::rendering::{Renderer, render};
use super::{Shared, form, now};

/// The service account's token that is accepted.
pub const TOKEN: &str = "glsa_backstop_demo";

/// Without a limit a query returns no more, and doesn't say so (grafana issue 55296).
const DEFAULT_LIMIT: usize = 100;

/// One annotation; with an end it is a region.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    pub id: u64,
    pub dashboard_uid: Option<String>,
    pub time_milliseconds: i64,
    pub time_end_milliseconds: Option<i64>,
    pub tags: Vec<String>,
    pub text: String,
    /// How often it was changed.
    pub changes: u32,
}

/// Everything that Grafana shows.
#[derive(Debug, Clone, Default)]
pub struct Grafana {
    /// In the order in which they were made.
    pub annotations: Vec<Annotation>,
    /// What its image renderer is up to.
    pub renderer: Renderer,
}

impl Annotation {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "alertId": 0, "dashboardId": 0, "dashboardUID": self.dashboard_uid, "panelId": 0,
            "userId": 0, "newState": "", "prevState": "", "created": self.time_milliseconds,
            "updated": self.time_milliseconds, "time": self.time_milliseconds,
            "timeEnd": self.time_end_milliseconds.unwrap_or(self.time_milliseconds), "text": self.text,
            "tags": self.tags, "login": "sa-backstop", "email": "", "avatarUrl": "", "data": {},
        })
    }

    fn change(&mut self, body: &Value) {
        self.changes += 1;
        if let Some(time) = body["time"].as_i64() {
            self.time_milliseconds = time;
        }
        self.time_end_milliseconds = body["timeEnd"].as_i64().or(self.time_end_milliseconds);
        if let Some(text) = body["text"].as_str() {
            self.text = text.to_owned();
        }
        if body["tags"].is_array() {
            self.tags = tags(body);
        }
    }
}

fn tags(body: &Value) -> Vec<String> {
    body["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/org", get(organization))
        .route("/api/annotations", get(find).post(add))
        .route("/api/annotations/{id}", patch(change))
        .route("/render/d/{uid}/{slug}", get(render))
}

pub(super) fn message(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

pub(super) fn is_allowed(headers: &HeaderMap) -> bool {
    headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes() == format!("Bearer {TOKEN}").as_bytes())
}

async fn organization(headers: HeaderMap) -> Response {
    if !is_allowed(&headers) {
        return message(StatusCode::UNAUTHORIZED, "Invalid API key");
    }
    Json(json!({ "id": 1, "name": "Main Org." })).into_response()
}

async fn add(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_allowed(&headers) {
        return message(StatusCode::UNAUTHORIZED, "Invalid API key");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return message(StatusCode::BAD_REQUEST, "bad request data");
    };
    let text = body["text"].as_str().unwrap_or_default();
    if text.is_empty() {
        return message(StatusCode::BAD_REQUEST, "Failed to save annotation");
    }
    let id = shared.change(|world| {
        let id = world.grafana.annotations.len() as u64 + 1;
        world.grafana.annotations.push(Annotation {
            id,
            dashboard_uid: body["dashboardUID"].as_str().map(str::to_owned),
            time_milliseconds: body["time"].as_i64().unwrap_or_else(|| now().timestamp_millis()),
            time_end_milliseconds: body["timeEnd"].as_i64(),
            tags: tags(&body),
            text: text.to_owned(),
            changes: 0,
        });
        id
    });
    Json(json!({ "message": "Annotation added", "id": id })).into_response()
}

async fn change(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_allowed(&headers) {
        return message(StatusCode::UNAUTHORIZED, "Invalid API key");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return message(StatusCode::BAD_REQUEST, "bad request data");
    };
    shared.change(|world| match world.grafana.annotations.iter_mut().find(|annotation| annotation.id == id) {
        Some(annotation) => {
            annotation.change(&body);
            message(StatusCode::OK, "Annotation patched")
        }
        None => message(StatusCode::NOT_FOUND, "Annotation not found"),
    })
}

/// Newest first, those with all of the tags, or with any if `matchAny` says so.
async fn find(State(shared): State<Arc<Shared>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if !is_allowed(&headers) {
        return message(StatusCode::UNAUTHORIZED, "Invalid API key");
    }
    let query = form::decode(&query.unwrap_or_default());
    let wanted: Vec<&str> =
        query.iter().filter(|(name, _)| name == "tags").map(|(_, value)| value.as_str()).collect();
    let is_any = form::first(&query, "matchAny") == Some("true");
    let has = |annotation: &Annotation, tag: &&str| annotation.tags.iter().any(|known| known == tag);
    let number = |name| form::first(&query, name).and_then(|value| value.parse::<i64>().ok());
    let (from, to) = (number("from").unwrap_or(i64::MIN), number("to").unwrap_or(i64::MAX));
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT);
    let world = shared.world();
    let found = world.grafana.annotations.iter().rev().filter(|annotation| {
        let by_tags = match is_any {
            true => wanted.is_empty() || wanted.iter().any(|tag| has(annotation, tag)),
            false => wanted.iter().all(|tag| has(annotation, tag)),
        };
        let end = annotation.time_end_milliseconds.unwrap_or(annotation.time_milliseconds);
        by_tags && end >= from && annotation.time_milliseconds <= to
    });
    Json(found.take(limit).map(Annotation::json).collect::<Vec<_>>()).into_response()
}
