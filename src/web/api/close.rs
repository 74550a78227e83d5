//! A person closes an incident.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::{Api, ApiError, ask, read_body, text};
use crate::decision::Request;
use crate::incident::IncidentId;
use crate::web::IncidentView;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    actor: String,
    reason: String,
}

pub(super) async fn close(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<IncidentView>, ApiError> {
    let body: Close = serde_json::from_slice(&read_body(&api, body).await?)
        .map_err(|error| ApiError::BadRequest(format!("expected {{\"actor\", \"reason\"}}: {error}")))?;
    let (actor, words) = (text("actor", &body.actor)?, text("reason", &body.reason)?);
    let id = IncidentId::new(id);
    ask(&api, &id, actor, Request::Close { incident: id.clone(), words }).await
}
