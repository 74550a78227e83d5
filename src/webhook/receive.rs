//! One webhook request, from its headers to its answer.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use super::body::{BODY_TIMEOUT, BodyError, Encoding, Reservation, read, unpacked};
use super::{MAX_BODY_BYTES, Payload, PayloadError, Receiver, parse};
use crate::decision::Input;
use crate::incident::{Alert, AlertStatus, BlobRef, Reason, Severity};
use crate::metrics::{AlertOutcome, WebhookOutcome};
use crate::pipeline::{Submission, blob_ref};
use crate::text::{kept, shown};

/// Bodies above this, and compressed ones of any size, are parsed on a thread of their own, so that
/// one of eight megabytes doesn't hold up a small one with a critical in it.
const PARSE_INLINE_BYTES: usize = 256 << 10;

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
        // Sent again it could be read no better; a rule pages instead.
        WebhookOutcome::Unreadable => StatusCode::OK,
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

pub(super) async fn receive(State(receiver): State<Arc<Receiver>>, request: Request<Body>) -> Response {
    // Before the body: who may not post must not cost memory.
    if let Err(error) = receiver.auth.check(request.headers()) {
        return answer(&receiver, WebhookOutcome::Unauthorized, Some(error.to_owned()));
    }
    match taken(&receiver, request).await {
        Ok(Receipt { payload, blob, body, _reserved }) => submit(&receiver, payload, (blob, body)).await,
        Err(Refused::Body(error)) => unread(&receiver, &error),
        Err(Refused::Payload(error)) => {
            answer(&receiver, WebhookOutcome::BadRequest, Some(error.to_string()))
        }
        Err(Refused::BrokeOff(error)) => {
            receiver.metrics.request_panicked();
            answer(&receiver, WebhookOutcome::Unavailable, Some(error.to_string()))
        }
    }
}

struct Receipt {
    payload: Payload,
    blob: BlobRef,
    body: Arc<[u8]>,
    /// Until the answer: what was read of it is in memory for as long.
    _reserved: [Reservation; 2],
}

/// Why a webhook is not accepted.
enum Refused {
    Body(BodyError),
    Payload(PayloadError),
    BrokeOff(tokio::task::JoinError),
}

async fn taken(receiver: &Receiver, request: Request<Body>) -> Result<Receipt, Refused> {
    let encoding = Encoding::of(request.headers()).map_err(Refused::Body)?;
    let read = read(request.into_body(), MAX_BODY_BYTES, BODY_TIMEOUT, &receiver.budget).await;
    let (body, reserved) = read.map_err(Refused::Body)?;
    let (received_at, words) = (receiver.clock.now(), receiver.severities.words.clone());
    let budget = receiver.budget.clone();
    let parsing = move |body: Bytes, reserved: Reservation| {
        let (body, reserved) = match encoding {
            Encoding::Plain => (body, reserved),
            Encoding::Gzip => unpacked(&body, MAX_BODY_BYTES, &budget).map_err(Refused::Body)?,
        };
        let payload = parse(&body, received_at, &words).map_err(Refused::Payload)?;
        let of_alerts = budget.of_alerts(payload.bytes).map_err(Refused::Body)?;
        let blob = blob_ref(&body);
        Ok(Receipt { payload, blob, body: Arc::from(body.as_ref()), _reserved: [reserved, of_alerts] })
    };
    if body.len() <= PARSE_INLINE_BYTES && encoding == Encoding::Plain {
        return parsing(body, reserved);
    }
    // What a large body holds is not known before: few at once, so that memory stays bounded.
    let _turn = receiver.budget.large.acquire().await;
    tokio::task::spawn_blocking(move || parsing(body, reserved)).await.map_err(Refused::BrokeOff)?
}

/// Slowness and overload are 503, so that Alertmanager sends again within seconds.
fn unread(receiver: &Receiver, error: &BodyError) -> Response {
    let (outcome, remedy) = match error {
        BodyError::TooLarge { .. } => {
            (WebhookOutcome::TooLarge, ": set `max_alerts`, or group by more labels")
        }
        BodyError::TooSlow | BodyError::OverBudget => (WebhookOutcome::Unavailable, ""),
        BodyError::BrokenOff(_) | BodyError::NotGzip(_) | BodyError::Encoding => {
            (WebhookOutcome::BadRequest, "")
        }
    };
    answer(receiver, outcome, Some(format!("{error}{remedy}")))
}

async fn submit(receiver: &Receiver, payload: Payload, (blob, bytes): (BlobRef, Arc<[u8]>)) -> Response {
    report(receiver, &payload);
    let unreadable = payload.unreadable_count > 0;
    let mut inputs = Vec::new();
    let mut irrelevant = 0;
    // Of the Watchdog, and tests: heard, and nothing to store.
    let mut beats = 0_usize;
    for alert in payload.alerts {
        if alert.status == AlertStatus::Firing && alert.name() == receiver.watchdog {
            receiver.observed.watchdog_heard(&alert.labels);
            beats += 1;
            continue;
        }
        if let Some(test) = alert.doctor_test() {
            // Its end says nothing of the way here.
            if alert.status == AlertStatus::Firing {
                receiver.observed.doctor_test_heard(test);
                tracing::info!("a test alert of `backstop doctor` has come");
            }
            beats += 1;
            continue;
        }
        let before = inputs.len();
        for rollout in receiver.rollouts.of_alert(&alert) {
            if alert.status == AlertStatus::Firing && alert.severity() == Severity::Critical {
                receiver.share_reader.begin(rollout);
            }
            let input = Input::Alert { alert: alert.clone(), body: Some(blob.clone()) };
            inputs.push((rollout.name.clone(), input));
        }
        if inputs.len() == before {
            irrelevant += 1;
            stranger(receiver, &alert);
        } else {
            receiver.severities.check(&alert);
        }
    }
    receiver.metrics.alerts(AlertOutcome::Irrelevant, irrelevant);
    receiver.metrics.alerts(AlertOutcome::Accepted, inputs.len());
    if inputs.is_empty() {
        let outcome = match (unreadable, beats) {
            (true, _) => WebhookOutcome::Unreadable,
            (false, 0) => WebhookOutcome::Irrelevant,
            (false, 1..) => WebhookOutcome::Stored,
        };
        return answer(receiver, outcome, None);
    }
    let submission = Submission { inputs, blobs: vec![(blob, bytes)] };
    let submitted = receiver.journal.submit(submission).await;
    report_full(receiver);
    match submitted {
        Ok(crate::pipeline::Receipt { durable: false, .. }) => {
            let error = "decided, but it can't be stored now: send it again";
            answer(receiver, WebhookOutcome::Unavailable, Some(error.to_owned()))
        }
        Ok(crate::pipeline::Receipt { rulings, durable: true }) => {
            let news = rulings.iter().any(|ruling| ruling.news || ruling.reason != Some(Reason::Duplicate));
            let outcome = if news { WebhookOutcome::Stored } else { WebhookOutcome::Duplicate };
            answer(receiver, outcome, None)
        }
        Err(error) => answer(receiver, WebhookOutcome::Unavailable, Some(error.to_string())),
    }
}

/// Logs once for each rollout that it remembers as many firing alerts as it may.
fn report_full(receiver: &Receiver) {
    for (rollout, state) in receiver.journal.states() {
        if state.alerts.is_full() && receiver.told.first(format!("full {rollout}")) {
            tracing::error!(
                %rollout,
                alerts = state.alerts.len(),
                "more alerts fire than are remembered: the least urgent and oldest are forgotten, and \
                 acted upon when they are told again. Find out what makes ever new alerts (said once)"
            );
        }
    }
}

fn stranger(receiver: &Receiver, alert: &Alert) {
    let name = kept(alert.name());
    let rollout = alert.labels.get("rollout").map(|rollout| kept(rollout));
    if receiver.strangers.first(format!("{name}\u{0}{}", rollout.as_deref().unwrap_or_default())) {
        tracing::warn!(
            alert = shown(&name),
            rollout = rollout.map(|rollout| shown(&rollout)),
            "an alert of no known rollout; compare its labels with `match` in the configuration (logged once)"
        );
    }
}

/// Logs and counts what a person has to know of a body beside its alerts.
fn report(receiver: &Receiver, payload: &Payload) {
    let Payload { unreadable, unreadable_count, over_limit, odd_members, truncated, .. } = payload;
    receiver.metrics.alerts(AlertOutcome::Unreadable, *unreadable_count);
    receiver.metrics.alerts(AlertOutcome::OverLimit, *over_limit);
    for alert in unreadable {
        tracing::error!(
            index = alert.index,
            error = shown(&alert.error),
            text = shown(&kept(&alert.text)),
            "an alert can't be read, so it can't be acted upon; its neighbours were taken"
        );
    }
    if *unreadable_count > unreadable.len() {
        tracing::error!(alerts = unreadable_count, "so many alerts of one body can't be read");
    }
    if *unreadable_count > 0 {
        receiver.quarantine.keep(receiver.clock.now(), unreadable.clone());
    }
    for (member, alerts) in odd_members {
        if receiver.told.first((*member).to_owned()) {
            tracing::warn!(
                member,
                alerts,
                "a member of alerts can't be read; they were taken without it, and without `startsAt` \
                 they count from when they were received (each member is logged once)"
            );
        }
    }
    if *over_limit > 0 {
        tracing::error!(
            over_limit,
            "a body has more alerts than are taken of one; criticals were looked for in the rest too, \
             and Alertmanager is asked for it. Set `max_alerts`, or group by more labels"
        );
    }
    if *truncated > 0 {
        tracing::warn!(truncated, "Alertmanager cut the list; asking it for the rest. Set `max_alerts: 0`");
    }
    if *truncated > 0 || *over_limit > 0 {
        receiver.reconcile.notify_one();
    }
}
