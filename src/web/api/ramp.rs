//! `/api/v1/rollouts/{name}/ramp`: how the ramp stands, and what people may ask of it.

mod start;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Api, ApiError, named, read_body, text};
use crate::decision::{Input, RampRequest, Request};
use crate::incident::RolloutName;
use crate::pipeline::Rollout;
use crate::web::RampView;

pub(super) fn routes() -> Router<Arc<Api>> {
    const RAMP: &str = "/api/v1/rollouts/{name}/ramp";
    let at = |verb: &str| format!("{RAMP}/{verb}");
    Router::new()
        .route(RAMP, get(show).post(start::start))
        .route(&at("pause"), post(pause))
        .route(&at("resume"), post(resume))
        .route(&at("approve"), post(approve))
        .route(&at("promote"), post(promote))
        .route(&at("abort"), post(abort))
}

/// Through what a person asks; it stands in the record.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Through {
    #[default]
    Api,
    CommandLine,
}

impl Through {
    fn words(self) -> String {
        match self {
            Self::Api => "API",
            Self::CommandLine => "command line",
        }
        .to_owned()
    }
}

/// The ramp that runs, or the last that ran.
pub(super) fn ramp_view(api: &Api, rollout: &RolloutName) -> Option<RampView> {
    let states = api.worker.journal.states();
    let ramp = states.get(rollout)?.ramp.as_ref()?;
    let latest = api.worker.rounds.of(rollout, &ramp.id, ramp.stage);
    let latest = latest.map(|round| round.judgements()).unwrap_or_default();
    Some(RampView::new(rollout, ramp, &latest, api.worker.clock.now()))
}

fn found(api: &Api, rollout: &RolloutName) -> Result<RampView, ApiError> {
    let none = || ApiError::NotFound(format!("no ramp of {rollout} was ever started"));
    ramp_view(api, rollout).ok_or_else(none)
}

async fn show(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Result<Json<RampView>, ApiError> {
    let rollout = named(&api, &RolloutName::new(name))?;
    found(&api, &rollout.name).map(Json)
}

/// A person's request, as it was understood.
struct Asked<T> {
    rollout: Arc<Rollout>,
    body: T,
}

/// `form`: what is expected, for whoever sent something else.
async fn understood<T: DeserializeOwned>(
    api: &Api,
    name: String,
    body: Body,
    form: &str,
) -> Result<Asked<T>, ApiError> {
    let body = read_body(api, body).await?;
    let rollout = named(api, &RolloutName::new(name))?;
    let body = serde_json::from_slice(&body)
        .map_err(|error| ApiError::BadRequest(format!("expected {form}: {error}")))?;
    Ok(Asked { rollout, body })
}

async fn ask(
    api: &Api,
    rollout: &Rollout,
    actor: &str,
    request: RampRequest,
) -> Result<Json<RampView>, ApiError> {
    let actor = text("actor", actor)?;
    let input = Input::Person { actor, request: Request::Ramp(request) };
    let (ruling, durable) = api.worker.journal.ask(&rollout.name, input).await?;
    if let Some(refusal) = ruling.refusal {
        return Err(ApiError::Refused(refusal));
    }
    found(api, &rollout.name).map(|view| Json(RampView { durable, ..view }))
}

fn words(reason: Option<&str>) -> Result<Option<String>, ApiError> {
    reason.map(|reason| text("reason", reason)).transpose()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    actor: String,
    reason: Option<String>,
}

async fn pause(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<RampView>, ApiError> {
    let Asked { rollout, body } = understood::<Pause>(&api, name, body, "{\"actor\", \"reason\"?}").await?;
    let words = words(body.reason.as_deref())?;
    ask(&api, &rollout, &body.actor, RampRequest::Pause { words }).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    actor: String,
    #[serde(default)]
    through: Through,
}

async fn resume(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<RampView>, ApiError> {
    let Asked { rollout, body } = understood::<Who>(&api, name, body, "{\"actor\"}").await?;
    ask(&api, &rollout, &body.actor, RampRequest::Resume).await
}

async fn approve(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<RampView>, ApiError> {
    let Asked { rollout, body } = understood::<Who>(&api, name, body, "{\"actor\", \"through\"?}").await?;
    let through = body.through.words();
    ask(&api, &rollout, &body.actor, RampRequest::Approve { through }).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Promote {
    actor: String,
    #[serde(default)]
    full: bool,
    #[serde(default)]
    force: bool,
    reason: Option<String>,
}

async fn promote(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<RampView>, ApiError> {
    let form = "{\"actor\", \"full\"?, \"force\"?, \"reason\"?}";
    let Asked { rollout, body } = understood::<Promote>(&api, name, body, form).await?;
    let words = words(body.reason.as_deref())?;
    let request = RampRequest::Promote { is_full: body.full, is_forced: body.force, words };
    ask(&api, &rollout, &body.actor, request).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Abort {
    actor: String,
    reason: String,
}

/// Answered as it begins; the rollback's incident says how it goes on.
async fn abort(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<(StatusCode, Json<RampView>), ApiError> {
    let Asked { rollout, body } = understood::<Abort>(&api, name, body, "{\"actor\", \"reason\"}").await?;
    let words = text("reason", &body.reason)?;
    // Read first, as for every rollback: what it rests on is to be of now.
    api.worker.read_share(&rollout).await;
    let view = ask(&api, &rollout, &body.actor, RampRequest::Abort { words }).await?;
    let status = if view.incident.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, view))
}
