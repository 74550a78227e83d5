//! One webhook request, from its headers to its answer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::body::{BODY_TIMEOUT, BodyError, read};
use super::{MAX_BODY_BYTES, MalformedAlert, Payload, Receiver, parse};
use crate::decision::Input;
use crate::incident::{Alert, AlertStatus, Reason};
use crate::metrics::WebhookOutcome;
use crate::pipeline::{Submission, Taken, blob_ref};

/// Bodies above this are parsed on a thread of their own, so that one of eight megabytes doesn't
/// hold up a small one with a critical in it.
const PARSE_INLINE_BYTES: usize = 256 << 10;

/// How many kinds of strangers are remembered as logged. A sender with ever new labels must neither
/// fill the log nor the memory.
const MAX_STRANGERS: usize = 1_000;

/// Alerts of no known rollout that were logged already: each kind once.
#[derive(Debug, Clone, Default)]
pub struct Strangers(Arc<Mutex<HashSet<String>>>);

impl Strangers {
    /// Whether this kind is met for the first time.
    fn first(&self, alert: &Alert) -> bool {
        let rollout = alert.labels.get("rollout").map_or("", String::as_str);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.len() < MAX_STRANGERS && seen.insert(format!("{}\u{0}{rollout}", alert.name()))
    }
}

/// The answer's body: small, and without secrets, because Alertmanager logs it.
#[derive(Debug, Serialize)]
struct Answer {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn answer(receiver: &Receiver, outcome: WebhookOutcome, error: Option<String>) -> Response {
    receiver.metrics.webhook(outcome);
    let status = match outcome {
        WebhookOutcome::Stored | WebhookOutcome::Duplicate | WebhookOutcome::Irrelevant => StatusCode::OK,
        WebhookOutcome::BadRequest => StatusCode::BAD_REQUEST,
        WebhookOutcome::Unauthorized => StatusCode::UNAUTHORIZED,
        WebhookOutcome::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        WebhookOutcome::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    if let Some(error) = &error {
        tracing::warn!(outcome = outcome.as_str(), error, "webhook not accepted");
    }
    (status, Json(Answer { status: outcome.as_str(), error })).into_response()
}

/// Takes one webhook.
pub(super) async fn receive(State(receiver): State<Arc<Receiver>>, request: Request<Body>) -> Response {
    // Before the body: who may not post must not cost memory.
    if let Err(error) = receiver.auth.check(request.headers()) {
        return answer(&receiver, WebhookOutcome::Unauthorized, Some(error.to_owned()));
    }
    let read = read(request.into_body(), MAX_BODY_BYTES, BODY_TIMEOUT, &receiver.budget).await;
    // Reserved until the answer: a parsed body is in memory for as long.
    let (body, _reserved) = match read {
        Ok(read) => read,
        Err(error) => return unread(&receiver, &error),
    };
    let parsed = if body.len() > PARSE_INLINE_BYTES {
        let body = body.clone();
        tokio::task::spawn_blocking(move || (parse(&body), blob_ref(&body))).await
    } else {
        Ok((parse(&body), blob_ref(&body)))
    };
    match parsed {
        Ok((Ok(payload), blob)) => submit(&receiver, payload, (blob, Arc::from(body.as_ref()))).await,
        Ok((Err(error), _)) => answer(&receiver, WebhookOutcome::BadRequest, Some(error.to_string())),
        Err(error) => {
            receiver.metrics.request_panicked();
            answer(&receiver, WebhookOutcome::Unavailable, Some(error.to_string()))
        }
    }
}

/// Slowness and overload are 503, so that Alertmanager sends again within seconds.
fn unread(receiver: &Receiver, error: &BodyError) -> Response {
    let (outcome, remedy) = match error {
        BodyError::TooLarge { .. } => {
            (WebhookOutcome::TooLarge, ": set `max_alerts`, or group by more labels")
        }
        BodyError::TooSlow | BodyError::OverBudget => (WebhookOutcome::Unavailable, ""),
        BodyError::BrokenOff(_) => (WebhookOutcome::BadRequest, ""),
    };
    answer(receiver, outcome, Some(format!("{error}{remedy}")))
}

async fn submit(
    receiver: &Receiver,
    payload: Payload,
    (blob, bytes): (crate::incident::BlobRef, Arc<[u8]>),
) -> Response {
    quarantine(receiver, &payload.malformed);
    let mut inputs = Vec::new();
    let mut irrelevant = 0;
    let mut beats = 0;
    for alert in payload.alerts {
        if alert.status == AlertStatus::Firing && alert.name() == receiver.watchdog {
            receiver.observed.watchdog_heard(&alert.labels);
            beats += 1;
            continue;
        }
        let before = inputs.len();
        for rollout in receiver.rollouts.of_alert(&alert) {
            let input = Input::Alert { alert: alert.clone(), body: Some(blob.clone()) };
            inputs.push((rollout.name.clone(), input));
        }
        if inputs.len() == before {
            irrelevant += 1;
            if receiver.strangers.first(&alert) {
                let rollout = alert.labels.get("rollout");
                tracing::warn!(
                    alert = alert.name(),
                    rollout,
                    "an alert of no known rollout; compare its labels with `match` in the configuration (logged once)"
                );
            }
        }
    }
    receiver.metrics.alerts("irrelevant", irrelevant);
    receiver.metrics.alerts("accepted", inputs.len());
    if payload.truncated > 0 {
        tracing::warn!(
            truncated = payload.truncated,
            "Alertmanager cut the list; asking it for the rest. Set `max_alerts: 0`"
        );
        receiver.reconcile.notify_one();
    }
    if inputs.is_empty() {
        let outcome = if beats > 0 { WebhookOutcome::Stored } else { WebhookOutcome::Irrelevant };
        return answer(receiver, outcome, None);
    }
    let submission = Submission { inputs, blobs: vec![(blob, bytes)] };
    match receiver.journal.submit(submission).await {
        Ok(Taken { durable: false, .. }) => {
            let error = "decided, but it can't be stored now: send it again";
            answer(receiver, WebhookOutcome::Unavailable, Some(error.to_owned()))
        }
        Ok(Taken { rulings, durable: true }) => {
            let news = rulings.iter().any(|ruling| ruling.news || ruling.reason != Some(Reason::Duplicate));
            let outcome = if news { WebhookOutcome::Stored } else { WebhookOutcome::Duplicate };
            answer(receiver, outcome, None)
        }
        Err(error) => answer(receiver, WebhookOutcome::Unavailable, Some(error.to_string())),
    }
}

fn quarantine(receiver: &Receiver, malformed: &[MalformedAlert]) {
    receiver.metrics.alerts("malformed", malformed.len());
    for alert in malformed {
        tracing::error!(
            index = alert.index,
            error = alert.error,
            text = alert.text,
            "an alert can't be read; its neighbours were taken"
        );
    }
}
