//! A small trading API: the protocol's endpoints on a free port of this machine, with traffic of
//! its own and a canary that can be made to misbehave.

mod faults;
mod traffic;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use faults::Fault;
pub use traffic::Regression;
use traffic::Traffic;

/// How often traffic is made.
const TICK: Duration = Duration::from_millis(50);

/// The version that `/api/healthz` answers where the canary doesn't.
pub const STABLE_VERSION: &str = "v1.3.9";
/// The version on canary, and the feature that leads to it.
pub const CANARY_VERSION: &str = "v1.4.0";

/// A running trading API; it ends when dropped.
#[derive(Debug)]
pub struct TradingApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    share: u8,
    health_asks: u64,
    traffic: Traffic,
    on_set: Fault,
    on_read: Fault,
    sets: Vec<u8>,
    changes: Vec<(u8, u8)>,
    late: JoinSet<()>,
    requests_per_second: f64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn change(&mut self, share: u8) {
        if self.share != share {
            self.changes.push((self.share, share));
        }
        self.share = share;
    }
}

impl TradingApi {
    /// Starts it with the canary at `share` per cent and this many requests a second.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(share: u8, requests_per_second: u32) -> std::io::Result<Self> {
        Self::start_at(([127, 0, 0, 1], 0).into(), share, requests_per_second).await
    }

    /// The same at an address where it was expected earlier.
    ///
    /// # Errors
    /// When the address can't be had.
    pub async fn start_at(address: SocketAddr, share: u8, requests_per_second: u32) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        {
            let mut inner = shared.lock();
            (inner.share, inner.requests_per_second) = (share, f64::from(requests_per_second));
        }
        let routes = Router::new()
            .route("/api/features/rollout", get(read_share).post(set_share))
            .route("/api/healthz", get(healthz))
            .route("/api/public/metrics.prom", get(metrics))
            .with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Ends with its task; an error would show as refused connections.
            let _ended = axum::serve(listener, routes).await;
        });
        let customers = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                let mut inner = customers.lock();
                let (share, per_tick) = (inner.share, inner.requests_per_second * TICK.as_secs_f64());
                inner.traffic.serve(per_tick, share);
            }
        });
        Ok(Self { address, shared, _tasks: tasks })
    }

    /// As bound: with port 0, the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `path` begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The canary's share now, whatever the API would answer.
    #[must_use]
    pub fn share(&self) -> u8 {
        self.shared.lock().share
    }

    /// Sets the canary's share, as a person would.
    pub fn set_share(&self, share: u8) {
        self.shared.lock().change(share);
    }

    /// Requests a second from now on, of all customers together.
    pub fn set_requests_per_second(&self, requests_per_second: u32) {
        self.shared.lock().requests_per_second = f64::from(requests_per_second);
    }

    /// Gives each version's requests a label of their own, as a ramp needs them.
    pub fn tell_versions_apart(&self) {
        self.shared.lock().traffic.is_told_apart = true;
    }

    /// Makes the canary misbehave, or behave again.
    pub fn inject(&self, regression: Regression) {
        self.shared.lock().traffic.regression = regression;
    }

    /// How the API behaves when the share is set, and when it is read.
    pub fn fault(&self, on_set: Fault, on_read: Fault) {
        let mut inner = self.shared.lock();
        (inner.on_set, inner.on_read) = (on_set, on_read);
    }

    /// Every share that was asked for by POST, in order, applied or not.
    #[must_use]
    pub fn sets(&self) -> Vec<u8> {
        self.shared.lock().sets.clone()
    }

    /// Every change of the share that took effect, from what to what, in order.
    #[must_use]
    pub fn changes(&self) -> Vec<(u8, u8)> {
        self.shared.lock().changes.clone()
    }
}

#[derive(serde::Deserialize)]
struct SetShare {
    feature: String,
    percentage: u8,
}

async fn set_share(State(shared): State<Arc<Shared>>, body: String) -> Response {
    let wanted: SetShare = match serde_json::from_str(&body) {
        Ok(wanted) => wanted,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    if wanted.feature != CANARY_VERSION || wanted.percentage > 100 {
        return (StatusCode::BAD_REQUEST, "no such feature or percentage").into_response();
    }
    let fault = {
        let mut inner = shared.lock();
        inner.sets.push(wanted.percentage);
        if inner.on_set.applies() {
            inner.change(wanted.percentage);
        }
        inner.on_set
    };
    if let Fault::AppliesLate(pause) = fault {
        // Of its own: when the caller hangs up, its handler is dropped, but not what it began.
        let late = Arc::clone(&shared);
        shared.lock().late.spawn(async move {
            tokio::time::sleep(pause).await;
            late.lock().change(wanted.percentage);
        });
    }
    fault.answer(answer(wanted.percentage)).await
}

async fn read_share(State(shared): State<Arc<Shared>>) -> Response {
    let (fault, share) = {
        let inner = shared.lock();
        (inner.on_read, inner.share)
    };
    fault.answer(answer(share)).await
}

fn answer(share: u8) -> Response {
    Json(serde_json::json!({ "feature": CANARY_VERSION, "percentage": share })).into_response()
}

/// Behind one address both versions answer, each as often as it has traffic.
async fn healthz(State(shared): State<Arc<Shared>>) -> Json<serde_json::Value> {
    let mut inner = shared.lock();
    inner.health_asks += 1;
    let canary = inner.health_asks % 100 < u64::from(inner.share);
    let version = if canary { CANARY_VERSION } else { STABLE_VERSION };
    Json(serde_json::json!({ "status": "ok", "version": version }))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> String {
    shared.lock().traffic.render()
}
