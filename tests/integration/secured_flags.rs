//! A feature-flag API and an application with their own ways: method, body, unit, headers, proxies.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use backstop::app::{Systems, build_rollouts};
use backstop::clock::SystemClock;
use backstop::config::Config;
use backstop::execution::{ActError, ReadError};
use backstop::incident::{Epoch, Step};
use backstop::outbound::{Connections, MAX_SMALL_ANSWER_BYTES, OutboundError};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{MATCH, Site, binary, body, now, prepare};

const API_KEY: &str = "s3cret-api-key";
const QUERY_KEY: &str = "s3cret-in-the-query";

/// What reached the API, and the share that it holds.
#[derive(Default)]
struct Held {
    weight: Mutex<f64>,
    asked: Mutex<Vec<String>>,
    /// Whether the first change is answered 429.
    throttles: bool,
}

/// An API that counts in fractions and repeats what it was sent, the key included.
struct Flags {
    address: SocketAddr,
    held: Arc<Held>,
    _task: JoinSet<()>,
}

impl Flags {
    async fn start() -> Self {
        Self::with(false).await
    }

    async fn with(throttles: bool) -> Self {
        let held = Arc::new(Held { weight: Mutex::new(0.25), asked: Mutex::default(), throttles });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let app = Router::new().fallback(answer).with_state(Arc::clone(&held));
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, app).await.expect("served") });
        Self { address, held, _task: task }
    }

    fn asked(&self) -> Vec<String> {
        self.held.asked.lock().expect("a lock").clone()
    }

    fn sets(&self) -> usize {
        self.asked().iter().filter(|line| line.starts_with("PUT")).count()
    }
}

async fn answer(
    State(held): State<Arc<Held>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let line = format!("{method} {} {}", uri.path(), String::from_utf8_lossy(&body));
    let is_first_change = method == Method::PUT && {
        let asked = held.asked.lock().expect("a lock");
        !asked.iter().any(|before| before.starts_with("PUT"))
    };
    held.asked.lock().expect("a lock").push(line.trim().to_owned());
    if header("x-scope-orgid") != "team-a" || header("x-api-key") != API_KEY {
        return (StatusCode::FORBIDDEN, format!("{:?} is not let in", header("x-api-key"))).into_response();
    }
    if held.throttles && is_first_change {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")], "slow down").into_response();
    }
    let mut weight = held.weight.lock().expect("a lock");
    if method == Method::PUT {
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        *weight = told["rollout"]["weight"].as_f64().unwrap_or(1.0);
        return format!("done, as {} asked", header("x-api-key")).into_response();
    }
    let version = if *weight > 0.0 { "v1.4.0" } else { "v1.3.9" };
    json!({ "rollout": { "weight": *weight }, "version": version }).to_string().into_response()
}

const HEADERS: &str = "headers = { \"X-Scope-OrgID\" = \"team-a\", X-Api-Key = { file = \"api-key\" } }";

fn site(base: &str, more: &str) -> Site {
    let traffic = format!(
        "[[rollouts]]
name = \"spark-trading\"
match = {MATCH}
verify.healthz_url = \"{base}/healthz\"
verify.stable_version = \"v1.3.9\"
verify.window = \"3s\"
verify.interval = \"200ms\"
verify.{HEADERS}
[rollouts.traffic]
kind = \"feature-flag\"
url = \"{base}/flags/checkout?key={QUERY_KEY}\"
method = \"PUT\"
scale = \"fraction\"
body = '{{\"rollout\": {{\"flag\": \"{{feature}}\", \"weight\": {{fraction}}, \"because\": \"{{revision}}\"}}}}'
feature = \"check\\\"out\"
read_url = \"{base}/flags/checkout\"
read_pointer = \"/rollout/weight\"
{HEADERS}
{more}
"
    );
    let site = Site::new("[alertmanager]\npoll_interval = \"1s\"", &traffic);
    std::fs::write(site.folder.path().join("api-key"), format!("{API_KEY}\n")).expect("written");
    site
}

/// Every file of the evidence as one text.
fn evidence(site: &Site) -> String {
    let files = std::fs::read_dir(site.evidence()).expect("read");
    let text = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read(entry.expect("an entry").path()).expect("read")
    };
    let bytes: Vec<u8> = files.flat_map(text).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_flag_api_with_its_own_method_body_unit_and_headers_is_set_read_and_its_secrets_stay_secret() {
    let flags = Flags::start().await;
    let site = site(&format!("http://{}", flags.address), "");
    let app = site.start().await;
    site.share_read(25).await;
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let sent =
        r#"PUT /flags/checkout {"rollout": {"flag": "check\"out", "weight": 0, "because": "check\"out"}}"#;
    assert!(flags.asked().iter().any(|line| line == sent), "{:?}", flags.asked());
    assert_eq!(done.verification.as_ref().map(|ended| ended.verdict.as_str()), Some("verified"), "{done:?}");

    let (evidence, view) = (evidence(&site), serde_json::to_string(&done).expect("JSON"));
    app.shutdown().await.expect("drained");
    for (place, text) in [("evidence", evidence), ("the API", view)] {
        assert!(text.contains("flags/checkout?key=…"), "{place} shows the request: {text}");
        assert!(text.contains("done, as [redacted] asked"), "{place} shows the answer: {text}");
        for secret in [API_KEY, QUERY_KEY] {
            assert!(!text.contains(secret), "{place} shows {secret}: {text}");
        }
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_the_secret_is_recorded_without_it() {
    let flags = Flags::start().await;
    let site = site(&format!("http://{}", flags.address), "");
    site.edit("\"team-a\"", "\"team-b\"");
    let app = site.start().await;
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let failed = site.incident("the failure", |incident| incident.state == "failed").await;
    let answer = &failed.steps[0].attempts[0].answer;
    assert_eq!((answer.status, answer.text.as_str()), (Some(403), "\"[redacted]\" is not let in"));
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn an_api_that_answers_retry_after_is_left_alone_for_so_long() {
    let flags = Flags::with(true).await;
    let site = site(&format!("http://{}", flags.address), "");
    let app = site.start().await;
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let [first, second] = done.steps[0].attempts.as_slice() else { panic!("two attempts: {:?}", done.steps) };
    assert_eq!(first.answer.text, "slow down; asks to be left alone for 2 s");
    // Without it the pause is under a quarter of a second.
    let waited = (second.started_at - first.ended_at).num_milliseconds();
    assert!((1_990..10_000).contains(&waited), "{waited} ms");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn an_answer_longer_than_a_share_could_need_is_not_read() {
    prepare();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url: reqwest::Url =
        format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
    let long = format!("{{\"percentage\":0,\"more\":\"{}\"}}", "x".repeat(MAX_SMALL_ANSWER_BYTES));
    let app = Router::new().fallback(move || async move { long });
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, app).await.expect("served") });
    let config = Config::parse(
        &format!("[[rollouts]]\nname = \"x\"\n[rollouts.traffic]\nkind = \"feature-flag\"\nurl = \"{url}\"\nfeature = \"f\"\nread_url = \"{url}\""),
        std::path::Path::new("backstop.toml"),
    )
    .expect("valid");
    let mut connections = Connections::default();
    let systems = Systems::new(&config, &mut connections, None, Arc::new(SystemClock)).expect("built");
    let rollouts = build_rollouts(&config, &mut connections, &systems, &[]).expect("built");
    let lane = &rollouts.iter().next().expect("one").lane;
    let limit_bytes = MAX_SMALL_ANSWER_BYTES;
    let too_long = OutboundError::TooLong { limit_bytes };
    assert_eq!(lane.target().observe().await, Err(ReadError::NoAnswer(too_long)));
    let set = lane.enter(Epoch(1)).expect("the first").apply(Step::TrafficOff).await;
    assert!(matches!(set, Err(ActError::Unknown(_))), "it may have been carried out: {set:?}");
}

/// Rolls back with `HTTP_PROXY` set; returns what reached the proxy and what reached the API.
async fn rolled_back_past_a_proxy(setting: &str) -> (usize, usize) {
    let (flags, proxy) = (Flags::start().await, Flags::start().await);
    let site = site(&format!("http://{}", flags.address), setting);
    let mut command = binary();
    command.args(["rollback", "--reason=x", "--standalone", "--wait=10s", "--config"]).arg(&site.config);
    command
        .env("HTTP_PROXY", format!("http://{}", proxy.address))
        .env("http_proxy", format!("http://{}", proxy.address));
    let output = command.env_remove("NO_PROXY").env_remove("no_proxy").output().await.expect("run");
    let counts = (proxy.sets(), flags.sets());
    assert!(counts.0 + counts.1 > 0, "{}", String::from_utf8_lossy(&output.stderr));
    counts
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_used_only_where_the_configuration_says_so() {
    assert_eq!(rolled_back_past_a_proxy("").await, (0, 1));
    assert_eq!(rolled_back_past_a_proxy("proxy_from_environment = true").await, (1, 0));
}
