//! Receivers without a meaning of their own: a plain webhook, a Teams workflow, a status page that is
//! driven by plain HTTP. What they got is among [`super::People::calls`].

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Shared;

/// A Teams message holds no more (learn.microsoft.com, "Limits and specifications for Microsoft
/// Teams": about 28 KB for a message by webhook).
const MAX_TEAMS_BYTES: usize = 28 << 10;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/webhook", any(webhook))
        .route("/webhook/{*rest}", any(webhook))
        .route("/teams/{*rest}", post(teams))
        .route("/status/{*rest}", any(status_page))
}

async fn webhook() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// A workflow answers 202 before it has done anything.
async fn teams(body: Bytes) -> Response {
    let refused = |status, code: &str| {
        (status, Json(json!({ "error": { "code": code, "message": "The request was not accepted." } })))
            .into_response()
    };
    if body.len() > MAX_TEAMS_BYTES {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge");
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(message) if message.is_object() => StatusCode::ACCEPTED.into_response(),
        _ => refused(StatusCode::BAD_REQUEST, "InvalidRequestContent"),
    }
}

/// Says the id of what was made, as most do.
async fn status_page(method: Method) -> Response {
    let status = if method == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(json!({ "id": "1" }))).into_response()
}
