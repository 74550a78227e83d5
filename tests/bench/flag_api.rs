//! A feature-flag API with one flag a rollout, which remembers when it was asked for what.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use tokio::task::JoinSet;

/// One flag.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flag {
    pub(crate) share: u8,
    /// How often it was read.
    pub(crate) reads: u64,
    /// When it was first set.
    pub(crate) set_at: Option<Instant>,
    /// When it was first read after it had been set: by then the setter had its acknowledgement.
    pub(crate) acknowledged_by: Option<Instant>,
}

/// What a criterion may ask of the application.
pub(crate) const SPOT_CHECK: &str = "/spot-check";

type Flags = Arc<Mutex<Vec<Flag>>>;

/// The running API; it ends when dropped.
#[derive(Debug)]
pub(crate) struct FlagApi {
    pub(crate) address: SocketAddr,
    flags: Flags,
    spot_checks: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl FlagApi {
    /// As many flags as that, each at 25 %.
    pub(crate) async fn start(count: usize) -> Self {
        Self::start_at(count, 25).await
    }

    /// The same at another share.
    pub(crate) async fn start_at(count: usize, share: u8) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let flags: Flags = Arc::new(Mutex::new(vec![Flag { share, ..Flag::default() }; count]));
        let spot_checks = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&spot_checks);
        let spot_check = async move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Json(serde_json::json!({ "ok": true }))
        };
        let routes = Router::new()
            .route("/flag/{number}", get(read).post(set))
            .with_state(Arc::clone(&flags))
            .route(SPOT_CHECK, get(spot_check));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, routes).await.expect("served") });
        Self { address, flags, spot_checks, _tasks: tasks }
    }

    pub(crate) fn flag(&self, number: usize) -> Flag {
        lock(&self.flags)[number]
    }

    /// Waits until every flag was read: from then on a critical needn't read first.
    pub(crate) async fn all_polled(&self) {
        until("every share is polled", || lock(&self.flags).iter().all(|flag| flag.reads > 0)).await;
    }

    /// How often any was read.
    pub(crate) fn reads(&self) -> u64 {
        lock(&self.flags).iter().map(|flag| flag.reads).sum()
    }

    /// How often its own API was asked for a spot check.
    pub(crate) fn spot_checks(&self) -> u64 {
        self.spot_checks.load(Ordering::Relaxed)
    }

    /// Waits until every flag is at this share.
    pub(crate) async fn all_at(&self, share: u8) {
        until("every flag is set", || lock(&self.flags).iter().all(|flag| flag.share == share)).await;
    }

    /// Waits until the flag was set and the setter has read it back; returns when both were.
    pub(crate) async fn rolled_back(&self, number: usize) -> (Instant, Instant) {
        let mut found = None;
        until("the flag is set and read back", || {
            let flag = self.flag(number);
            found = flag.set_at.zip(flag.acknowledged_by);
            found.is_some()
        })
        .await;
        found.expect("both")
    }
}

/// Waits for a condition, looking often.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

fn lock(flags: &Flags) -> MutexGuard<'_, Vec<Flag>> {
    flags.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(State(flags): State<Flags>, Path(number): Path<usize>) -> Json<serde_json::Value> {
    let now = Instant::now();
    let mut flags = lock(&flags);
    let flag = &mut flags[number];
    flag.reads += 1;
    if flag.set_at.is_some() {
        flag.acknowledged_by.get_or_insert(now);
    }
    Json(serde_json::json!({ "percentage": flag.share }))
}

async fn set(State(flags): State<Flags>, Path(number): Path<usize>, body: String) -> Json<serde_json::Value> {
    let wanted: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let share = wanted["percentage"].as_u64().and_then(|share| u8::try_from(share).ok()).expect("a share");
    let mut flags = lock(&flags);
    let flag = &mut flags[number];
    flag.share = share;
    flag.set_at.get_or_insert_with(Instant::now);
    Json(serde_json::json!({ "percentage": share }))
}
