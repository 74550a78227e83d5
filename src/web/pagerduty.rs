//! What PagerDuty posts: that a person acknowledged a page there, which acknowledges the incident here.
//!
//! A signature proves who sent it, not when: the same delivery can be sent again. So ids are remembered,
//! and what was acknowledged before the rollback began, as of an earlier incident with the same page, is
//! left alone. What can't be used is answered 200 all the same: PagerDuty switches off a subscription
//! that keeps failing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::config::SigningSecret;
use crate::decision::{Input, Request};
use crate::incident::{Incident, IncidentId, RolloutName};
use crate::notification::{is_paged_as, of_pagerduty};
use crate::pipeline::Worker;
use crate::text::{kept, shown};
use crate::webhook::body::{BODY_TIMEOUT, BodyError, Budget, read};

/// Where PagerDuty posts.
pub const PAGERDUTY_PATH: &str = "/pagerduty/webhook";

/// Its signatures, several while its secret is rotated: `v1=<hex>,v1=<hex>`.
const SIGNATURE: &str = "x-pagerduty-signature";

/// The longest body: an event takes some kilobytes.
const MAX_BODY_BYTES: usize = 256 << 10;

/// Bytes of such bodies in memory together.
const BUDGET_BYTES: usize = 1 << 20;

/// The deliveries that are remembered. PagerDuty tries one again for some hours.
const REMEMBERED: usize = 1_000;

/// The longest name that is stored.
const MAX_NAME_CHARS: usize = 200;

/// By so much its clock may be behind ours.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(2);

/// What a delivery may do.
#[derive(Debug, Clone)]
pub struct PagerDutyInbound {
    worker: Worker,
    secret: SigningSecret,
    budget: Budget,
    /// The ids of deliveries that are done, or being done.
    seen: Arc<Mutex<VecDeque<String>>>,
}

/// A delivery (PagerDuty webhooks v3, `event`).
#[derive(Debug, Deserialize)]
struct Delivery {
    event: Event,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    event_type: String,
    occurred_at: DateTime<Utc>,
    #[serde(default)]
    agent: Option<Agent>,
    #[serde(default)]
    data: serde_json::Value,
}

/// Who did it: a person, an integration, or nobody.
#[derive(Debug, Deserialize)]
struct Agent {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    summary: Option<String>,
}

impl PagerDutyInbound {
    /// With a memory of its own.
    #[must_use]
    pub fn new(worker: Worker, secret: SigningSecret) -> Self {
        Self { worker, secret, budget: Budget::of(BUDGET_BYTES), seen: Arc::default() }
    }

    fn is_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let values = headers.get_all(SIGNATURE).iter().filter_map(|value| value.to_str().ok());
        let mut signatures = values.flat_map(|value| value.split(',')).take(10);
        signatures.any(|one| {
            one.trim().strip_prefix("v1=").is_some_and(|signature| self.secret.accepts(body, signature))
        })
    }

    /// Whether the id is new; from now on it is not.
    fn remember(&self, id: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.iter().any(|known| known == id) {
            return false;
        }
        if seen.len() >= REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(id.to_owned());
        true
    }

    fn forget(&self, id: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known != id);
    }

    /// The incident that the page is about, if its rollback had begun by then. It may have closed: its
    /// page stays until its alerts have ended.
    fn incident(&self, dedup_key: &str, at: DateTime<Utc>) -> Option<(RolloutName, IncidentId)> {
        let states = self.worker.journal.states();
        states.iter().find_map(|(rollout, state)| {
            let known = state.incident.iter().chain(state.unfinished.values());
            let is_it = |incident: &&Arc<Incident>| {
                let had_begun =
                    incident.rollback_started_at.is_some_and(|began_at| at + CLOCKS_DIFFER >= began_at);
                had_begun && !incident.is_followed && is_paged_as(incident, dedup_key)
            };
            known.into_iter().find(is_it).map(|incident| (rollout.clone(), incident.id.clone()))
        })
    }
}

/// The one route. It checks the signature by itself.
pub fn pagerduty_router(inbound: PagerDutyInbound) -> Router {
    Router::new().route(PAGERDUTY_PATH, post(receive)).with_state(Arc::new(inbound))
}

fn answer(status: StatusCode, outcome: &'static str) -> Response {
    (status, Json(serde_json::json!({ "status": outcome }))).into_response()
}

async fn receive(State(inbound): State<Arc<PagerDutyInbound>>, headers: HeaderMap, body: Body) -> Response {
    let (body, _reserved) = match read(body, MAX_BODY_BYTES, BODY_TIMEOUT, &inbound.budget).await {
        Ok(read) => read,
        Err(BodyError::TooLarge { .. }) => return answer(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        Err(BodyError::TooSlow | BodyError::OverBudget) => {
            return answer(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
        }
        Err(BodyError::BrokenOff(_) | BodyError::NotGzip(_) | BodyError::Encoding) => {
            return answer(StatusCode::BAD_REQUEST, "unreadable");
        }
    };
    if !inbound.is_signed(&headers, &body) {
        tracing::warn!("a message to {PAGERDUTY_PATH} is not signed with `pagerduty.webhook_secret_file`");
        return answer(StatusCode::UNAUTHORIZED, "not_signed");
    }
    match serde_json::from_slice::<Delivery>(&body) {
        Ok(Delivery { event }) => take(&inbound, event).await,
        Err(error) => {
            tracing::warn!(error = shown(&error.to_string()), "a message of PagerDuty can't be understood");
            answer(StatusCode::OK, "not_understood")
        }
    }
}

async fn take(inbound: &PagerDutyInbound, event: Event) -> Response {
    let Event { id, event_type, occurred_at, agent, data } = event;
    if event_type != "incident.acknowledged" {
        return answer(StatusCode::OK, "ignored");
    }
    // What an integration acknowledged was told there by us: taken for a person's it would go round.
    let Some(name) = agent.as_ref().and_then(person) else { return answer(StatusCode::OK, "ignored") };
    let dedup_key = data.get("incident_key").and_then(serde_json::Value::as_str).unwrap_or_default();
    let Some((rollout, incident)) = inbound.incident(dedup_key, occurred_at) else {
        return answer(StatusCode::OK, "not_ours");
    };
    if !inbound.remember(&id) {
        return answer(StatusCode::OK, "duplicate");
    }
    let input = Input::Person { actor: of_pagerduty(&name), request: Request::Acknowledge { incident } };
    match inbound.worker.journal.ask(&rollout, input).await {
        Ok((ruling, _)) if ruling.refusal.is_none() => answer(StatusCode::OK, "acknowledged"),
        // It closed a moment ago.
        Ok(_) => answer(StatusCode::OK, "refused"),
        Err(error) => {
            inbound.forget(&id);
            tracing::warn!(%error, "an acknowledgement of PagerDuty can't be taken now; it is sent again");
            answer(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
    }
}

/// The person's name, if it is a person.
fn person(agent: &Agent) -> Option<String> {
    if !agent.kind.starts_with("user") {
        return None;
    }
    let name: String = kept(agent.summary.as_deref().unwrap_or_default())
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_NAME_CHARS)
        .collect();
    Some(if name.trim().is_empty() { "somebody".to_owned() } else { name.trim().to_owned() })
}
