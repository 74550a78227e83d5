//! A Slack of a few lines: it records what it is asked, and answers what a test scripts or else what
//! Slack would.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: String,
    pub(crate) delay: Duration,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        Self { status: 200, retry_after: None, body: body.to_string(), delay: Duration::ZERO }
    }

    pub(crate) fn error(code: &str) -> Self {
        Self::json(&json!({ "ok": false, "error": code }))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::error("as_the_status_says") }
    }
}

#[derive(Debug, Default)]
struct Recorded {
    calls: Vec<(String, Value)>,
    script: HashMap<String, VecDeque<Answer>>,
    posted: u64,
    /// What a reader of the history finds.
    history: Vec<Value>,
}

/// Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) url: String,
    recorded: Arc<Mutex<Recorded>>,
    _server: JoinSet<()>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/api", listener.local_addr().expect("an address"));
        let recorded = Arc::<Mutex<Recorded>>::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&recorded));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.expect("serves") });
        Self { url, recorded, _server: server }
    }

    /// The next calls of a method are answered so, one each.
    pub(crate) fn script(&self, method: &str, answers: impl IntoIterator<Item = Answer>) {
        let mut recorded = self.recorded.lock().expect("not poisoned");
        recorded.script.entry(method.to_owned()).or_default().extend(answers);
    }

    /// What a method was asked, in order.
    pub(crate) fn asked(&self, method: &str) -> Vec<Value> {
        let recorded = self.recorded.lock().expect("not poisoned");
        recorded.calls.iter().filter(|(asked, _)| asked == method).map(|(_, body)| body.clone()).collect()
    }

    /// Whatever was asked, in order.
    pub(crate) fn methods(&self) -> Vec<String> {
        let recorded = self.recorded.lock().expect("not poisoned");
        recorded.calls.iter().map(|(method, _)| method.clone()).collect()
    }
}

async fn answer(
    State(recorded): State<Arc<Mutex<Recorded>>>,
    uri: Uri,
    Query(arguments): Query<HashMap<String, String>>,
    body: String,
) -> Response {
    let method = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| json!(arguments));
    let answer = {
        let mut recorded = recorded.lock().expect("not poisoned");
        recorded.calls.push((method.clone(), body.clone()));
        let scripted = recorded.script.get_mut(&method).and_then(VecDeque::pop_front);
        let usual = recorded.usual(&method, &body);
        scripted.unwrap_or_else(|| Answer::json(&usual))
    };
    tokio::time::sleep(answer.delay).await;
    let status = StatusCode::from_u16(answer.status).expect("a status");
    let mut response = (status, [("content-type", "application/json")], answer.body).into_response();
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

impl Recorded {
    fn usual(&mut self, method: &str, body: &Value) -> Value {
        match method {
            "chat.postMessage" => {
                self.posted += 1;
                let ts = format!("1790000000.{:06}", self.posted);
                let mut message = body.clone();
                message["ts"] = json!(ts);
                // The newest first, as Slack lists them.
                self.history.insert(0, message);
                json!({ "ok": true, "channel": "C0INCIDENTS", "ts": ts, "message": { "text": body["text"] } })
            }
            "conversations.history" => json!({ "ok": true, "messages": self.history }),
            "conversations.replies" => json!({ "ok": true, "messages": self.history }),
            "conversations.list" => json!({ "ok": true, "channels": [
                { "id": "C0OTHER", "name": "random", "is_member": true },
                { "id": "C0INCIDENTS", "name": "spark-incidents", "is_member": true },
            ] }),
            "conversations.info" => {
                json!({ "ok": true, "channel": { "id": body["channel"], "is_member": true } })
            }
            "auth.test" => json!({ "ok": true, "user": "backstop", "team": "Spark" }),
            "chat.getPermalink" => {
                json!({ "ok": true, "permalink": "https://spark.slack.com/archives/C0/p1" })
            }
            "usergroups.users.list" => json!({ "ok": true, "users": ["U0MEMBER"] }),
            _ => json!({ "ok": true }),
        }
    }
}
