//! `GET /api/v1/incidents/{id}/report`: the incident told whole, for people or for tools.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Api, ApiError, fold};
use crate::incident::IncidentId;
use crate::report::Report;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Markdown,
    Json,
}

/// Markdown is served as plain text: every browser shows that, and takes nothing in it for HTML.
pub(super) async fn report(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(Asked { format }) = asked.map_err(|_| {
        ApiError::BadRequest("the query can't be read: format is markdown or json".to_owned())
    })?;
    let incident = fold(&api, &IncidentId::new(id)).await?;
    let report = Report::of(&incident);
    let (content_type, body) = match format {
        Format::Markdown => ("text/plain; charset=utf-8", report.markdown(&api.template)),
        Format::Json => ("application/json", report.json()),
    };
    Ok(([(CONTENT_TYPE, content_type), (X_CONTENT_TYPE_OPTIONS, "nosniff")], body).into_response())
}
