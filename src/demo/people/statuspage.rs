//! A page of Atlassian Statuspage (developer.statuspage.io, "Incidents"; enumerations as in the client
//! `atlassian-statuspage`; notes on notifications, section 3).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use axum::{Json, Router};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Shared, now};

/// The key that is accepted.
pub const API_KEY: &str = "statuspage-backstop-demo";
/// The page that there is.
pub const PAGE: &str = "kctbh9vrtdwd";
/// Its components.
pub const COMPONENTS: [&str; 2] = ["8kbf7d35c070", "vtnh60py4yd7"];

const STATUSES: [&str; 4] = ["investigating", "identified", "monitoring", "resolved"];
const IMPACTS: [&str; 4] = ["none", "minor", "major", "critical"];
const COMPONENT_STATUSES: [&str; 5] =
    ["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"];

/// One update of an incident, as the public reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    pub at: DateTime<Utc>,
    pub status: String,
    pub body: String,
}

/// An incident on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicIncident {
    pub id: String,
    pub name: String,
    pub status: String,
    pub impact: String,
    pub metadata: Value,
    /// Whether subscribers were told, of the last call.
    pub deliver_notifications: bool,
    /// Oldest first.
    pub updates: Vec<Update>,
}

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct Statuspage {
    /// In the order in which they were opened.
    pub incidents: Vec<PublicIncident>,
    /// The status of each component that was set.
    pub components: BTreeMap<String, String>,
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/pages/{page}", get(page))
        .route("/v1/pages/{page}/components", get(components))
        .route("/v1/pages/{page}/incidents", get(list).post(open))
        .route("/v1/pages/{page}/incidents/unresolved", get(unresolved))
        .route("/v1/pages/{page}/incidents/{id}", patch(update).put(update).get(one))
}

/// Why a call is refused: the status and what is wrong.
type Refused = (StatusCode, Json<Value>);

fn refused(status: StatusCode, error: impl Into<Value>) -> Refused {
    (status, Json(json!({ "error": error.into() })))
}

fn authorize(page: &str, headers: &HeaderMap) -> Result<(), Refused> {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given != format!("OAuth {API_KEY}") {
        return Err(refused(StatusCode::UNAUTHORIZED, "Could not authenticate"));
    }
    if page != PAGE {
        return Err(refused(StatusCode::NOT_FOUND, "Not found"));
    }
    Ok(())
}

async fn page(Path(page): Path<String>, headers: HeaderMap) -> Result<Response, Refused> {
    authorize(&page, &headers)?;
    Ok(Json(json!({ "id": PAGE, "name": "Backstop demo", "url": "https://status.example" })).into_response())
}

async fn components(
    State(shared): State<Arc<Shared>>,
    Path(page): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    authorize(&page, &headers)?;
    let world = shared.world();
    let of =
        |id: &str| world.statuspage.components.get(id).cloned().unwrap_or_else(|| "operational".to_owned());
    let all = COMPONENTS.map(|id| json!({ "id": id, "page_id": PAGE, "name": id, "status": of(id) }));
    Ok(Json(all).into_response())
}

async fn list(
    State(shared): State<Arc<Shared>>,
    Path(page): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    authorize(&page, &headers)?;
    Ok(shown(&shared, |_| true))
}

async fn unresolved(
    State(shared): State<Arc<Shared>>,
    Path(page): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    authorize(&page, &headers)?;
    Ok(shown(&shared, |incident| incident.status != "resolved"))
}

async fn one(
    State(shared): State<Arc<Shared>>,
    Path((page, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    authorize(&page, &headers)?;
    let world = shared.world();
    let found = world.statuspage.incidents.iter().find(|incident| incident.id == id);
    found
        .map(|incident| Json(incident.json()).into_response())
        .ok_or_else(|| refused(StatusCode::NOT_FOUND, "Not found"))
}

/// Newest first.
fn shown(shared: &Shared, wanted: impl Fn(&&PublicIncident) -> bool) -> Response {
    let world = shared.world();
    let incidents = world.statuspage.incidents.iter().rev().filter(wanted);
    Json(incidents.map(PublicIncident::json).collect::<Vec<_>>()).into_response()
}

async fn open(
    State(shared): State<Arc<Shared>>,
    Path(page): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    authorize(&page, &headers)?;
    let wanted = read(&body)?;
    if wanted["name"].as_str().is_none_or(str::is_empty) {
        return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, json!(["Name can't be blank"])));
    }
    let answer = shared.change(|world| {
        let page = &mut world.statuspage;
        let mut incident = PublicIncident {
            id: format!("incident{}", page.incidents.len() + 1),
            name: String::new(),
            status: "investigating".to_owned(),
            impact: "none".to_owned(),
            metadata: json!({}),
            deliver_notifications: true,
            updates: Vec::new(),
        };
        incident.change(&wanted);
        page.set_components(&wanted);
        let answer = incident.json();
        page.incidents.push(incident);
        answer
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

async fn update(
    State(shared): State<Arc<Shared>>,
    Path((page, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    authorize(&page, &headers)?;
    let wanted = read(&body)?;
    shared.change(|world| {
        let page = &mut world.statuspage;
        let found = page.incidents.iter_mut().find(|incident| incident.id == id);
        let incident = found.ok_or_else(|| refused(StatusCode::NOT_FOUND, "Not found"))?;
        incident.change(&wanted);
        let answer = incident.json();
        page.set_components(&wanted);
        Ok(Json(answer).into_response())
    })
}

/// `{ "incident": { … } }` with known values only.
fn read(body: &[u8]) -> Result<Value, Refused> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|_| refused(StatusCode::BAD_REQUEST, "The JSON could not be read"))?;
    let incident = body["incident"].clone();
    if !incident.is_object() {
        return Err(refused(StatusCode::BAD_REQUEST, "incident is missing"));
    }
    let is_known = |value: &Value, known: &[&str]| {
        value.is_null() || value.as_str().is_some_and(|value| known.contains(&value))
    };
    let mut problems = Vec::new();
    if !is_known(&incident["status"], &STATUSES) {
        problems.push("Status is not included in the list");
    }
    if !is_known(&incident["impact_override"], &IMPACTS) {
        problems.push("Impact override is not included in the list");
    }
    for (id, status) in incident["components"].as_object().into_iter().flatten() {
        if !COMPONENTS.contains(&id.as_str()) || !is_known(status, &COMPONENT_STATUSES) {
            problems.push("Components are invalid");
        }
    }
    for id in incident["component_ids"].as_array().into_iter().flatten() {
        if !COMPONENTS.iter().any(|known| id == known) {
            problems.push("Component ids are invalid");
        }
    }
    if problems.is_empty() {
        Ok(incident)
    } else {
        Err(refused(StatusCode::UNPROCESSABLE_ENTITY, json!(problems)))
    }
}

impl Statuspage {
    fn set_components(&mut self, wanted: &Value) {
        for (id, status) in wanted["components"].as_object().into_iter().flatten() {
            self.components.insert(id.clone(), status.as_str().unwrap_or_default().to_owned());
        }
    }
}

impl PublicIncident {
    fn change(&mut self, wanted: &Value) {
        let set = |member: &mut String, name: &str| {
            if let Some(value) = wanted[name].as_str() {
                value.clone_into(member);
            }
        };
        set(&mut self.name, "name");
        set(&mut self.status, "status");
        set(&mut self.impact, "impact_override");
        if wanted["metadata"].is_object() {
            self.metadata = wanted["metadata"].clone();
        }
        self.deliver_notifications = wanted["deliver_notifications"] != false;
        let body = wanted["body"].as_str().unwrap_or_default().to_owned();
        self.updates.push(Update { at: now(), status: self.status.clone(), body });
    }

    fn json(&self) -> Value {
        let time = |at: &DateTime<Utc>| at.to_rfc3339();
        let updates: Vec<Value> = self.updates.iter().rev().enumerate().map(|(index, update)| json!({
            "id": format!("{}update{}", self.id, self.updates.len() - index), "incident_id": self.id,
            "status": update.status, "body": update.body, "created_at": time(&update.at), "display_at": time(&update.at),
        })).collect();
        json!({
            "id": self.id, "page_id": PAGE, "name": self.name, "status": self.status, "impact": self.impact,
            "impact_override": self.impact, "metadata": self.metadata, "incident_updates": updates, "components": [],
            "shortlink": format!("https://stspg.io/{}", self.id),
            "created_at": self.updates.first().map(|first| time(&first.at)),
            "updated_at": self.updates.last().map(|last| time(&last.at)),
            "resolved_at": if self.status == "resolved" { self.updates.last().map(|last| time(&last.at)) } else { None },
        })
    }
}
