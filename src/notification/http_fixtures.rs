//! What the tests of every channel over HTTP begin with: a server that records what it is sent and
//! answers by script, and golden files.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use reqwest::Url;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Channel, Message, SendError, Sent};
use crate::config::{AccessConfig, SecretFile};
use crate::outbound::{Connections, Outbound};

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

/// An answer; `None` for the status: none comes in time.
type Scripted = (Option<u16>, Vec<(&'static str, String)>, String);

#[derive(Debug, Default)]
struct Shared {
    asked: Mutex<Vec<Asked>>,
    scripted: Mutex<VecDeque<Scripted>>,
    by_default: Mutex<HashMap<String, (u16, String)>>,
}

/// A server on this machine, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Fake {
    shared: Arc<Shared>,
    pub(crate) url: Url,
    _server: JoinSet<()>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
        let shared = Arc::<Shared>::default();
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = Url::parse(&format!("http://{}", listener.local_addr().expect("bound"))).expect("a URL");
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.expect("served") });
        Self { shared, url, _server: server }
    }

    /// Answers the next request so; several are answered in this order.
    pub(crate) fn then(&self, status: u16, body: &str) -> &Self {
        self.then_with(status, &[], body)
    }

    pub(crate) fn then_with(&self, status: u16, headers: &[(&'static str, &str)], body: &str) -> &Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.shared.scripted.lock().expect("no panic").push_back((Some(status), headers, body.to_owned()));
        self
    }

    /// Takes the next request and does not answer it in time.
    pub(crate) fn then_hang(&self) -> &Self {
        self.shared.scripted.lock().expect("no panic").push_back((None, Vec::new(), String::new()));
        self
    }

    /// What is answered where nothing is scripted, by method and path without query, such as `GET /x`.
    pub(crate) fn always(&self, what: &str, status: u16, body: &str) -> &Self {
        let mut by_default = self.shared.by_default.lock().expect("no panic");
        by_default.insert(what.to_owned(), (status, body.to_owned()));
        self
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("no panic").clone()
    }

    /// Such as `POST /v2/enqueue`, in order, without queries.
    pub(crate) fn calls(&self) -> Vec<String> {
        let path = |asked: &Asked| asked.path.split('?').next().unwrap_or_default().to_owned();
        self.asked().iter().map(|asked| format!("{} {}", asked.method, path(asked))).collect()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = format!("{method} {}", uri.path());
    let asked = Asked { method, path: uri.to_string(), headers, body };
    shared.asked.lock().expect("no panic").push(asked);
    let scripted = shared.scripted.lock().expect("no panic").pop_front();
    let Some((status, headers, body)) = scripted else {
        let by_default = shared.by_default.lock().expect("no panic").get(&key).cloned();
        let (status, body) = by_default.unwrap_or_else(|| (404, format!("nothing at {key}")));
        return (StatusCode::from_u16(status).expect("a status"), body).into_response();
    };
    let Some(status) = status else { return std::future::pending().await };
    let mut response = (StatusCode::from_u16(status).expect("a status"), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

/// A client that gives up soon, and not so soon that a busy machine makes it.
pub(crate) fn outbound(access: &AccessConfig) -> Outbound {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    Connections::default().to(access, Duration::from_millis(1_500)).expect("a client")
}

/// A secret in a file that was read.
pub(crate) fn secret(folder: &tempfile::TempDir, name: &str, text: &str) -> SecretFile {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    let file = SecretFile::new(path);
    file.look();
    file
}

/// Everything that the channel calls for a message, as the worker does it; ends at the first error.
/// What it asks to remember is in the message afterwards.
pub(crate) async fn deliver(
    channel: &dyn Channel,
    message: &mut Message,
) -> (Vec<&'static str>, Result<(), SendError>) {
    let mut calls = Vec::new();
    while let Some(call) = channel.next_call(message) {
        assert!(calls.len() < 10, "it never ends: {calls:?}");
        calls.push(call);
        match channel.send(call, message).await {
            Ok(Sent { references }) => {
                message.done.push(call.to_owned());
                message.references.extend(references);
                message.may_have_arrived = false;
            }
            Err(error) => {
                message.may_have_arrived = matches!(error, SendError::Unknown { .. });
                return (calls, Err(error));
            }
        }
    }
    (calls, Ok(()))
}

/// Compares with `tests/fixtures/notifications/<channel>/<name>.json`, or writes it anew where
/// `UPDATE_GOLDEN` is set.
pub(crate) fn golden(channel: &str, name: &str, actual: &Value) {
    let folder: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/notifications", channel].iter().collect();
    let path = folder.join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(actual).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(&path, &text).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{}: write it anew with UPDATE_GOLDEN=1\n{text}", path.display());
}
