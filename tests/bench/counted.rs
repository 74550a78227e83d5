//! A server behind one that counts what it is asked: not every system counts that itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;

use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::task::JoinSet;

/// Passes questions on to one server; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) address: SocketAddr,
    questions: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Counted {
    /// Before the server at this URL.
    pub(crate) async fn before(server: String) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let questions = Arc::new(AtomicU64::new(0));
        let (counter, client) = (Arc::clone(&questions), reqwest::Client::new());
        let pass_on = async move |uri: Uri| {
            counter.fetch_add(1, Ordering::Relaxed);
            answer(&client, &format!("{server}{uri}")).await
        };
        let mut tasks = JoinSet::new();
        let routes = Router::new().fallback(pass_on);
        tasks.spawn(async move { axum::serve(listener, routes).await.expect("served") });
        Self { address, questions, _tasks: tasks }
    }

    pub(crate) fn questions(&self) -> u64 {
        self.questions.load(Ordering::Relaxed)
    }
}

async fn answer(client: &reqwest::Client, url: &str) -> Response {
    let Ok(answer) = client.get(url).send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let status = answer.status();
    let kind = answer.headers().get(CONTENT_TYPE).cloned();
    let body = answer.bytes().await.unwrap_or_default();
    let mut passed_on = (status, body).into_response();
    if let Some(kind) = kind {
        passed_on.headers_mut().insert(CONTENT_TYPE, kind);
    }
    passed_on
}
