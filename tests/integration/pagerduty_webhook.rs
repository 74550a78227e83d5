//! Who acknowledges a page in PagerDuty has acknowledged the incident here, and nobody else has.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use backstop::app::App;
use backstop::clock::{Clock, SystemClock};
use backstop::demo::trading_api::{Fault, TradingApi};
use backstop::web::IncidentView;
use chrono::TimeDelta;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;

use crate::support::{MATCH, Site, body, now, rollout_toml, wait_for};

const KEY: &str = "backstop/-/spark-trading/v1.4.0";

/// PagerDuty's Events API, as far as it is told.
struct PagerDuty {
    url: String,
    told: Arc<Mutex<Vec<Value>>>,
    _task: JoinSet<()>,
}

async fn enqueue(State(told): State<Arc<Mutex<Vec<Value>>>>, body: String) -> StatusCode {
    told.lock().expect("no panic").push(serde_json::from_str(&body).expect("JSON"));
    StatusCode::ACCEPTED
}

impl PagerDuty {
    async fn start() -> Self {
        let told = Arc::<Mutex<Vec<Value>>>::default();
        let routes = Router::new().fallback(enqueue).with_state(Arc::clone(&told));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, routes).await.expect("served") });
        Self { url, told, _task: task }
    }

    fn actions(&self) -> Vec<String> {
        let told = self.told.lock().expect("no panic");
        told.iter().map(|event| event["event_action"].as_str().unwrap_or("change").to_owned()).collect()
    }
}

struct Setup {
    site: Site,
    app: App,
    pagerduty: PagerDuty,
    incident: IncidentView,
    _api: TradingApi,
}

/// A rollback that failed and was paged.
async fn paged() -> Setup {
    let api = TradingApi::start(25, 10).await.expect("started");
    let pagerduty = PagerDuty::start().await;
    let sections = format!(
        "[alertmanager]
poll_interval = \"1s\"
[pagerduty]
url = \"{}\"
routing_key_file = \"routing-key\"
webhook_secret_file = \"pagerduty-webhook\"",
        pagerduty.url
    );
    let site = Site::new(&sections, &rollout_toml("spark-trading", MATCH, "5m", &api));
    for (name, text) in
        [("routing-key", "e".repeat(32)), ("pagerduty-webhook", "new-secret\nold-secret".to_owned())]
    {
        std::fs::write(site.folder.path().join(name), text).expect("written");
    }
    let app = site.start().await;
    api.fault(Fault::Lies, Fault::None);
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let incident = site.incident("the failure", |incident| incident.state == "failed").await;
    wait_for("the page", || async { (pagerduty.actions().len() >= 2).then_some(()) }).await;
    Setup { site, app, pagerduty, incident, _api: api }
}

/// PagerDuty's event, by the reference of its webhooks v3.
fn event(id: &str, event_type: &str, agent: &Value, key: &str, at: TimeDelta) -> String {
    let occurred_at = (SystemClock.now() + at).to_rfc3339();
    let data = json!({ "id": "PT4KHLK", "type": "incident", "status": "acknowledged", "incident_key": key });
    let event = json!({
        "id": id, "event_type": event_type, "resource_type": "incident", "occurred_at": occurred_at,
        "agent": agent, "client": null, "data": data,
    });
    json!({ "event": event }).to_string()
}

fn ana() -> Value {
    json!({ "id": "PXPGF42", "type": "user_reference", "summary": "Ana\nLovelace" })
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    format!("v1={}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

async fn post(site: &Site, signatures: Option<&str>, body: &str) -> (u16, String) {
    let mut request = reqwest::Client::new().post(site.url("/pagerduty/webhook")).body(body.to_owned());
    if let Some(signatures) = signatures {
        request = request.header("X-PagerDuty-Signature", signatures);
    }
    let reply = request.send().await.expect("an answer");
    let status = reply.status().as_u16();
    let answer: Value = reply.json().await.unwrap_or_default();
    (status, answer["status"].as_str().unwrap_or_default().to_owned())
}

async fn signed(site: &Site, body: &str) -> (u16, String) {
    post(site, Some(&signature("new-secret", body)), body).await
}

async fn acknowledged_by(setup: &Setup) -> Option<String> {
    let path = format!("/api/v1/incidents/{}", setup.incident.id);
    setup.site.read::<IncidentView>(&path).await.expect("the incident").acknowledged_by
}

fn answered(status: u16, outcome: &str) -> (u16, String) {
    (status, outcome.to_owned())
}

#[tokio::test]
async fn an_acknowledgement_in_pagerduty_is_one_here_and_is_not_sent_back() {
    let setup = paged().await;
    let body = event("01ABC", "incident.acknowledged", &ana(), KEY, TimeDelta::zero());
    // During a rotation PagerDuty signs with both secrets, and either one is enough.
    let both = format!("{}, {}", signature("another", &body), signature("old-secret", &body));
    assert_eq!(post(&setup.site, Some(&both), &body).await, answered(200, "acknowledged"));
    assert_eq!(acknowledged_by(&setup).await.as_deref(), Some("Ana Lovelace (PagerDuty)"));
    assert_eq!(signed(&setup.site, &body).await, answered(200, "duplicate"), "the same delivery once more");
    let told = |view: &IncidentView| {
        view.notifications.iter().filter(|notice| notice.kind == "acknowledged").count()
    };
    let view = setup.site.incident("the notice", |view| told(view) > 0).await;
    assert_eq!(told(&view), 1);
    setup.app.shutdown().await.expect("drained");
    let actions = setup.pagerduty.actions();
    assert!(!actions.contains(&"acknowledge".to_owned()), "{actions:?}");
}

#[tokio::test]
async fn what_is_not_signed_not_a_persons_or_not_about_this_page_acknowledges_nothing() {
    let setup = paged().await;
    let site = &setup.site;
    let acknowledged = |key: &str, agent: &Value, at| event("01X", "incident.acknowledged", agent, key, at);
    let good = acknowledged(KEY, &ana(), TimeDelta::zero());
    let forged = signature("guessed", &good);
    for signatures in [None, Some(""), Some("v1="), Some("v2=00"), Some(forged.as_str()), Some("v1=zz,v1=é")]
    {
        assert_eq!(post(site, signatures, &good).await, answered(401, "not_signed"), "{signatures:?}");
    }
    let changed = good.replace("PT4KHLK", "PT4KHLX");
    assert_eq!(post(site, Some(&signature("new-secret", &good)), &changed).await.0, 401);

    let integration = json!({ "id": "PI1", "type": "inbound_integration_reference", "summary": "Backstop" });
    let now = TimeDelta::zero();
    for (body, outcome) in [
        (acknowledged(KEY, &integration, now), "ignored"),
        (acknowledged(KEY, &Value::Null, now), "ignored"),
        (event("01X", "incident.resolved", &ana(), KEY, now), "ignored"),
        (event("01X", "pagey.ping", &ana(), KEY, now), "ignored"),
        (acknowledged("backstop/-/spark-trading/v1.3.9", &ana(), now), "not_ours"),
        (acknowledged("", &ana(), now), "not_ours"),
        (acknowledged(KEY, &ana(), TimeDelta::minutes(-30)), "not_ours"),
        ("[]".to_owned(), "not_understood"),
    ] {
        assert_eq!(signed(site, &body).await, answered(200, outcome), "{body}");
    }
    let large = format!("{{\"event\":\"{}\"}}", "x".repeat(300 << 10));
    assert_eq!(signed(site, &large).await, answered(413, "too_large"));
    assert_eq!(acknowledged_by(&setup).await, None);
    setup.app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn without_its_secret_there_is_nothing_to_post_to() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let body = event("01ABC", "incident.acknowledged", &ana(), KEY, TimeDelta::zero());
    assert_eq!(signed(&site, &body).await.0, 404);
    app.shutdown().await.expect("drained");
}
