//! What people press in Slack: by HTTP (`POST /slack/interactions`), or by Socket Mode where nothing of
//! Slack's may reach this machine. Both lead to the same queue, and from there to the journal, as the
//! API's requests do.
//!
//! Slack waits for 3 s, so a click is only taken here, and acted upon later; what comes of it is seen in
//! the message. The address to which an answer could be sent is a secret that nobody needs: who has to
//! be told something is told by the bot.

mod acting;
mod clicks;
mod operators;
mod payload;
mod ramp;
mod signature;
mod socket;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use acting::Acting;
use clicks::{Clicks, Taken};
use operators::Operators;
use payload::Click;
use signature::{Signature, Unsigned};
use socket::Socket;

use crate::config::{SecretFile, SlackConfig};
use crate::metrics::ClickOutcome;
use crate::notification::slack::Api;
use crate::pipeline::Worker;
use crate::webhook::body::{BodyError, Budget, read};

/// Where Slack posts to.
pub const PATH: &str = "/slack/interactions";

/// The longest body. Slack sends the whole message with its blocks, which are under 10,000 characters.
const MAX_BODY_BYTES: usize = 64 << 10;

/// Bodies that are read at once. It is not known yet who sends them, and they are served where people's
/// requests are: whoever sends slowly must not take all of those places.
const AT_ONCE: usize = 16;

/// Their memory, apart from everybody else's.
const BUDGET_BYTES: usize = AT_ONCE * MAX_BODY_BYTES;

/// How long a body may take: Slack waits for 3 s in all.
const BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything between Slack's buttons and the journal; nothing of it runs yet.
#[derive(Debug)]
pub struct Interactions {
    door: Arc<Door>,
    acting: Acting,
    clicks: mpsc::Receiver<Click>,
    socket: Option<Socket>,
}

/// What the HTTP side needs.
#[derive(Debug)]
struct Door {
    clicks: Clicks,
    signing_secret: Option<SecretFile>,
    at_once: Semaphore,
    budget: Budget,
    worker: Worker,
}

impl Interactions {
    /// For a configured Slack.
    ///
    /// # Errors
    /// When there is no usable cryptography.
    pub fn new(config: &SlackConfig, worker: Worker) -> std::io::Result<Self> {
        let (api, metrics) = (Api::new(config)?, worker.metrics.clone());
        let (clicks, queue) = Clicks::new(config.app_id.clone(), metrics.clone());
        let door = Door {
            clicks: clicks.clone(),
            signing_secret: config.signing_secret.clone(),
            at_once: Semaphore::new(AT_ONCE),
            budget: Budget::of(BUDGET_BYTES),
            worker: worker.clone(),
        };
        let socket = config.app_token.is_some().then(|| Socket::new(config, api.clone(), clicks, metrics));
        let acting = Acting { worker, api, operators: Operators::new(config) };
        Ok(Self { door: Arc::new(door), acting, clicks: queue, socket })
    }

    /// The route for Slack's requests.
    pub fn router(&self) -> Router {
        Router::new().route(PATH, post(interaction)).with_state(Arc::clone(&self.door))
    }

    /// Acts on clicks, and keeps Socket Mode open where it is configured, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let socket = async {
            match self.socket {
                Some(socket) => socket.run(stop.clone()).await,
                None => stop.cancelled().await,
            }
        };
        tokio::join!(self.acting.run(self.clicks, stop.clone()), socket);
    }
}

async fn interaction(State(door): State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    let Some(secret) = &door.signing_secret else {
        let error = "Slack's requests can't be checked here: set slack.signing_secret_file, or use Socket Mode (slack.app_token_file)";
        return answer(StatusCode::NOT_FOUND, error);
    };
    match door.payload(secret, &headers, body).await {
        Ok(payload) => match door.clicks.take(&payload) {
            Taken::Yes => StatusCode::OK.into_response(),
            Taken::Malformed => answer(StatusCode::BAD_REQUEST, "the payload is not Slack's"),
            Taken::Overloaded => {
                answer(StatusCode::SERVICE_UNAVAILABLE, "too many clicks wait: press it again")
            }
        },
        Err(refused) => refused,
    }
}

impl Door {
    /// The payload of a request that Slack has signed; or the answer to any other.
    async fn payload(
        &self,
        secret: &SecretFile,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<String, Response> {
        let unsigned = |why: Unsigned| {
            self.worker.metrics.click(ClickOutcome::Unsigned);
            tracing::warn!("a request for Slack's buttons was not let in: {why}");
            answer(StatusCode::UNAUTHORIZED, &why.to_string())
        };
        let signature = Signature::of(headers, self.worker.clock.now()).map_err(unsigned)?;
        let busy = |_| answer(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once: press it again");
        let _place = self.at_once.try_acquire().map_err(busy)?;
        let read = read(body, MAX_BODY_BYTES, BODY_TIMEOUT, &self.budget).await;
        let (body, _reserved) = read.map_err(|error| {
            let status = match error {
                BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                BodyError::TooSlow | BodyError::OverBudget => StatusCode::SERVICE_UNAVAILABLE,
                BodyError::BrokenOff(_) | BodyError::NotGzip(_) | BodyError::Encoding => {
                    StatusCode::BAD_REQUEST
                }
            };
            answer(status, &error.to_string())
        })?;
        signature.check(&body, secret).map_err(unsigned)?;
        let mut members = form_urlencoded::parse(&body);
        let payload = members.find(|(name, _)| name == "payload").map(|(_, payload)| payload.into_owned());
        payload.ok_or_else(|| {
            self.worker.metrics.click(ClickOutcome::Malformed);
            answer(StatusCode::BAD_REQUEST, "there is no payload")
        })
    }
}

fn answer(status: StatusCode, error: &str) -> Response {
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}
