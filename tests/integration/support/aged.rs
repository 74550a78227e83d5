//! An Alertmanager that says that it has run for long. To be trusted with "not listed" it has to be
//! minutes old, which no test waits for: a proxy in front of the real one changes its `uptime` and
//! nothing else.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use backstop::demo::monitoring::Server;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// More than the two minutes from which on it counts as old.
const OLDER_BY: TimeDelta = TimeDelta::minutes(10);

/// The proxy; it ends when dropped.
pub(crate) struct Aged {
    pub(crate) url: String,
    _task: JoinSet<()>,
}

impl Aged {
    pub(crate) async fn new(alertmanager: &Server) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let routes = Router::new().fallback(pass).with_state(alertmanager.url());
        let mut task = JoinSet::new();
        task.spawn(async move {
            axum::serve(listener, routes).await.expect("served");
        });
        Self { url, _task: task }
    }
}

async fn pass(State(real): State<String>, uri: Uri) -> Response {
    let Ok(reply) = reqwest::get(format!("{real}{uri}")).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut json: serde_json::Value = reply.json().await.unwrap_or_default();
    if let Some(since) = json["uptime"].as_str().and_then(|since| since.parse::<DateTime<Utc>>().ok()) {
        json["uptime"] = (since - OLDER_BY).to_rfc3339().into();
    }
    axum::Json(json).into_response()
}
