//! `/api/v1`: incidents, rollouts, and what people may ask for.

mod close;
mod doctor;
mod ramp;
mod report;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;

pub use doctor::{AboutView, TestAlertView};

use super::auth::{Access, authorize};
use super::listing::{Listings, incidents};
use super::{GivenUpView, IncidentView, RolloutView};
use crate::decision::{Input, Refusal, Request};
use crate::incident::{Incident, IncidentId, Reason, RolloutName, Stage};
use crate::pipeline::{JournalError, Rollout, Worker};
use crate::report::Template;
use crate::text::kept;
use crate::webhook::body::{BODY_TIMEOUT, BodyError, Budget, read};

/// The longest hold: a hold that outlives its canary protects nobody.
const MAX_HOLD: Duration = Duration::from_secs(24 * 3_600);

/// The longest name and reason that are stored.
const MAX_TEXT_CHARS: usize = 500;

/// The longest request of a person: a name and a reason of 500 characters, escaped.
const MAX_BODY_BYTES: usize = 64 << 10;

/// Bytes of such requests in memory together: apart from the webhooks', since a storm of those is
/// when people roll back by hand.
const BUDGET_BYTES: usize = 1 << 20;

/// What every handler of the API shares.
#[derive(Debug, Clone)]
pub struct Api {
    pub worker: Worker,
    pub access: Arc<Access>,
    /// The memory that people's bodies share.
    pub budget: Budget,
    pub listings: Listings,
    /// The form of incident reports.
    pub template: Arc<Template>,
    pub about: AboutView,
}

impl Api {
    /// With a budget of its own, apart from the webhooks'.
    #[must_use]
    pub fn new(worker: Worker, access: Arc<Access>, template: Template, about: AboutView) -> Self {
        let (budget, template) = (Budget::of(BUDGET_BYTES), Arc::new(template));
        Self { worker, access, budget, listings: Listings::default(), template, about }
    }
}

/// Every route asks for access. One that is added after the `route_layer` would not.
pub fn api_router(api: Api) -> Router {
    Router::new()
        .route("/api/v1/incidents", get(incidents))
        .route("/api/v1/incidents/{id}", get(incident))
        .route("/api/v1/incidents/{id}/report", get(report::report))
        .route("/api/v1/incidents/{id}/hold", post(hold))
        .route("/api/v1/incidents/{id}/resume", post(resume))
        .route("/api/v1/incidents/{id}/acknowledge", post(acknowledge))
        .route("/api/v1/incidents/{id}/close", post(close::close))
        .route("/api/v1/about", get(doctor::about))
        .route("/api/v1/test-alerts/{test}", get(doctor::test_alert))
        .route("/api/v1/rollouts", get(rollouts))
        .route("/api/v1/rollouts/{name}", get(rollout))
        .route("/api/v1/rollouts/{name}/rollback", post(rollback))
        .merge(ramp::routes())
        .route_layer(from_fn_with_state(Arc::clone(&api.access), authorize))
        .fallback(nothing_there)
        .with_state(Arc::new(api))
}

/// An answer in words too: the commands take one without for that of another server.
async fn nothing_there(uri: Uri) -> ApiError {
    ApiError::NotFound(format!("there is nothing at {}", kept(uri.path())))
}

/// Why a request was not served, one status each.
pub(super) enum ApiError {
    NotFound(String),
    BadRequest(String),
    TooLarge(String),
    Refused(Refusal),
    Unavailable(String),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::NotFound(error) => (StatusCode::NOT_FOUND, json!({ "error": error })),
            Self::BadRequest(error) => (StatusCode::BAD_REQUEST, json!({ "error": error })),
            Self::TooLarge(error) => (StatusCode::PAYLOAD_TOO_LARGE, json!({ "error": error })),
            Self::Refused(refusal) => {
                let body = json!({ "error": refusal.to_string(), "refusal": refusal.as_str() });
                (StatusCode::CONFLICT, body)
            }
            Self::Unavailable(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": error })),
        };
        let answer = (status, Json(body));
        match status {
            StatusCode::SERVICE_UNAVAILABLE => ([(RETRY_AFTER, "1")], answer).into_response(),
            _ => answer.into_response(),
        }
    }
}

impl From<JournalError> for ApiError {
    fn from(error: JournalError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            BodyError::TooSlow | BodyError::OverBudget => Self::Unavailable(error.to_string()),
            BodyError::BrokenOff(_) | BodyError::NotGzip(_) | BodyError::Encoding => {
                Self::BadRequest(error.to_string())
            }
        }
    }
}

impl From<crate::store::StoreError> for ApiError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Unavailable(crate::logging::chain(&error))
    }
}

async fn incident(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<IncidentView>, ApiError> {
    find(&api, &IncidentId::new(id)).await.map(Json)
}

async fn find(api: &Api, id: &IncidentId) -> Result<IncidentView, ApiError> {
    fold(api, id).await.map(|incident| IncidentView::from(incident.as_ref()))
}

/// The incident as it stands.
async fn fold(api: &Api, id: &IncidentId) -> Result<Arc<Incident>, ApiError> {
    // What is in memory is as new as the store, or newer while that can't be written.
    let states = api.worker.journal.states();
    if let Some(incident) = states.values().find_map(|state| state.known_incident(id)) {
        return Ok(Arc::clone(incident));
    }
    let found = api.worker.store.incident(id).await?;
    let missing = || ApiError::NotFound(format!("no incident {id}; list them with GET /api/v1/incidents"));
    found.map(Arc::new).ok_or_else(missing)
}

async fn rollouts(State(api): State<Arc<Api>>) -> Json<Vec<RolloutView>> {
    Json(api.worker.rollouts.iter().map(|rollout| view(&api, rollout)).collect())
}

async fn rollout(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
) -> Result<Json<RolloutView>, ApiError> {
    named(&api, &RolloutName::new(name)).map(|rollout| Json(view(&api, &rollout)))
}

fn named(api: &Api, name: &RolloutName) -> Result<Arc<Rollout>, ApiError> {
    let known =
        || api.worker.rollouts.iter().map(|rollout| rollout.name.to_string()).collect::<Vec<_>>().join(", ");
    let found = api.worker.rollouts.get(name).cloned();
    found.ok_or_else(|| ApiError::NotFound(format!("no rollout {name}; configured: {}", known())))
}

fn view(api: &Api, rollout: &Rollout) -> RolloutView {
    let states = api.worker.journal.states();
    let state = states.get(&rollout.name).map(|state| state.as_ref().clone()).unwrap_or_default();
    let now = api.worker.clock.now();
    let (reading, _) = api.worker.observed.reading(&rollout.name, now);
    let age = api.worker.observed.watchdog_silent_seconds(&rollout.policy.matching);
    let unrecorded = api.worker.metrics.unrecorded_events();
    let evidence_healthy = api.worker.metrics.is_evidence_healthy();
    let store_healthy = api.worker.metrics.is_store_healthy();
    let trying = api.worker.observed.trying(&rollout.name);
    let target = api.worker.observed.observation(&rollout.name, now).map(|(_, seen)| seen.as_ref().clone());
    let view = RolloutView::new(rollout, &state, reading, target.as_ref(), age, now);
    let target = target.filter(|seen| seen.workloads.is_some());
    let configured: Vec<_> = rollout.policy.recipients.iter().map(|to| &to.channel).collect();
    let mut refusals = state.refusals(states.values().map(Arc::as_ref));
    refusals.retain(|(channel, _)| configured.contains(channel));
    let given_up = refusals.into_iter().map(GivenUpView::from).collect();
    let ramp = ramp::ramp_view(api, &rollout.name);
    RolloutView {
        ramp,
        unrecorded_events: unrecorded,
        evidence_healthy,
        store_healthy,
        given_up,
        trying,
        target,
        ..view
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    actor: Option<String>,
    /// For a hold: its length, such as `30m`.
    #[serde(rename = "for")]
    span: Option<String>,
}

async fn hold(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<IncidentView>, ApiError> {
    let (actor, span) = who(&api, body).await?;
    let until = match span {
        None => None,
        Some(text) => {
            let span = humantime::parse_duration(&text)
                .map_err(|error| ApiError::BadRequest(format!("\"for\": {error}; write such as \"30m\"")))?;
            if span > MAX_HOLD {
                return Err(ApiError::BadRequest("\"for\" is at most 24h".to_owned()));
            }
            TimeDelta::from_std(span).ok().map(|span| api.worker.clock.now() + span)
        }
    };
    let id = IncidentId::new(id);
    ask(&api, &id, actor, Request::Hold { incident: id.clone(), until }).await
}

async fn resume(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<IncidentView>, ApiError> {
    let (actor, _) = who(&api, body).await?;
    let id = IncidentId::new(id);
    ask(&api, &id, actor, Request::Resume { incident: id.clone() }).await
}

async fn acknowledge(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<IncidentView>, ApiError> {
    let (actor, _) = who(&api, body).await?;
    let id = IncidentId::new(id);
    ask(&api, &id, actor, Request::Acknowledge { incident: id.clone() }).await
}

/// The body of somebody who was let in: who was not must not cost memory.
async fn read_body(api: &Api, body: Body) -> Result<Bytes, ApiError> {
    let (bytes, _reserved) = read(body, MAX_BODY_BYTES, BODY_TIMEOUT, &api.budget).await?;
    Ok(bytes)
}

async fn who(api: &Api, body: Body) -> Result<(String, Option<String>), ApiError> {
    let body = read_body(api, body).await?;
    let who: Who = if body.trim_ascii().is_empty() {
        Who::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| ApiError::BadRequest(format!("expected {{\"actor\": \"…\"}}: {error}")))?
    };
    Ok((text("actor", who.actor.as_deref().unwrap_or("operator"))?, who.span))
}

/// A person's text: not empty, not endless. Control characters could forge lines of evidence.
fn text(member: &str, text: &str) -> Result<String, ApiError> {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.trim();
    if clean.is_empty() || clean.chars().count() > MAX_TEXT_CHARS {
        return Err(ApiError::BadRequest(format!("\"{member}\" needs 1 to {MAX_TEXT_CHARS} characters")));
    }
    Ok(clean.to_owned())
}

async fn ask(
    api: &Api,
    id: &IncidentId,
    actor: String,
    request: Request,
) -> Result<Json<IncidentView>, ApiError> {
    let found = find(api, id).await?;
    let rollout = RolloutName::new(found.rollout);
    let (ruling, durable) = api.worker.journal.ask(&rollout, Input::Person { actor, request }).await?;
    if let Some(refusal) = ruling.refusal {
        return Err(ApiError::Refused(refusal));
    }
    find(api, id).await.map(|view| Json(IncidentView { durable, ..view }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RollBack {
    reason: String,
    #[serde(default)]
    stage: Option<u8>,
    actor: String,
}

async fn rollback(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<(StatusCode, Json<IncidentView>), ApiError> {
    let body = read_body(&api, body).await?;
    let body: RollBack = serde_json::from_slice(&body).map_err(|error| {
        ApiError::BadRequest(format!("expected {{\"reason\", \"actor\", \"stage\"?}}: {error}"))
    })?;
    let rollout = named(&api, &RolloutName::new(name))?;
    let stage = body.stage.map(Stage::try_from).transpose();
    let stage = stage.map_err(|error| ApiError::BadRequest(error.to_string()))?;
    let (reason, actor) = (text("reason", &body.reason)?, text("actor", &body.actor)?);
    // Read first: with nothing on the canary there is nothing to roll back, and the answer says so.
    api.worker.read_share(&rollout).await;
    let request = Request::RollBack { reason, stage };
    let (ruling, durable) = api.worker.journal.ask(&rollout.name, Input::Person { actor, request }).await?;
    let id = ruling.incident.ok_or_else(|| ApiError::Unavailable("no incident was opened".to_owned()))?;
    let status = match ruling.reason {
        Some(Reason::NoCanary) => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    find(&api, &id).await.map(|view| (status, Json(IncidentView { durable, ..view })))
}
