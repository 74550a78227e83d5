//! From an alert to everybody who is told, with every channel but Slack configured as people write it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use backstop::demo::trading_api::TradingApi;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{MATCH, Site, body, now, rollout_toml, wait_for};

#[derive(Debug, Clone)]
struct Asked {
    what: String,
    authorization: String,
    body: Value,
}

/// Every system at once: which one is asked is seen by the path.
struct Outside {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _task: JoinSet<()>,
}

async fn answer(
    State(asked): State<Arc<Mutex<Vec<Asked>>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    let authorization = authorization.unwrap_or_default().to_owned();
    let body = serde_json::from_str(&body).unwrap_or_default();
    asked.lock().expect("no panic").push(Asked { what: format!("{method} {uri}"), authorization, body });
    match uri.path() {
        "/page/v1/pages/p4g3/incidents" => (StatusCode::CREATED, r#"{"id":"r3mote"}"#.to_owned()),
        "/grafana/api/annotations" => (StatusCode::OK, r#"{"id":41}"#.to_owned()),
        // Repeats what it was sent, as a debugging proxy does.
        "/teams/invoke" => (StatusCode::BAD_REQUEST, format!("no workflow at {uri}")),
        _ => (StatusCode::ACCEPTED, "{}".to_owned()),
    }
}

impl Outside {
    async fn start() -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&asked));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, routes).await.expect("served") });
        Self { url, asked, _task: task }
    }

    /// Waits for a request that begins so.
    async fn asked(&self, what: &str) -> Asked {
        wait_for(what, || async {
            let asked = self.asked.lock().expect("no panic");
            asked.iter().find(|asked| asked.what.starts_with(what)).cloned()
        })
        .await
    }

    fn times(&self, what: &str) -> usize {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().filter(|asked| asked.what.starts_with(what)).count()
    }
}

const SECRETS: [(&str, &str); 6] = [
    ("routing-key", "0123456789abcdef0123456789abcdef"),
    ("page-key", "s3cret-page-key"),
    ("grafana-token", "glsa_s3cret"),
    ("signing", "s3cret-to-sign-with"),
    ("teams-url", "URL/teams/invoke?sig=s1gnature-of-the-workflow"),
    ("pagerduty-webhook", "s3cret-of-pagerduty"),
];

fn site(outside: &Outside, api: &TradingApi) -> Site {
    let sections = format!(
        "[alertmanager]
poll_interval = \"1s\"
[notifications]
environment = \"prod-eu\"
[pagerduty]
routing_key_file = \"routing-key\"
url = \"{url}/events\"
webhook_secret_file = \"pagerduty-webhook\"
[status_page]
service = \"Trading\"
url = \"{url}/page\"
page_id = \"p4g3\"
bearer_token_file = \"page-key\"
[grafana]
url = \"{url}/grafana\"
bearer_token_file = \"grafana-token\"
[webhook]
url = \"{url}/webhook\"
secret_file = \"signing\"
[teams]
url_file = \"teams-url\"",
        url = outside.url
    );
    let site = Site::new(&sections, &rollout_toml("spark-trading", MATCH, "5m", api));
    for (name, text) in SECRETS {
        let path = site.folder.path().join(name);
        std::fs::write(path, text.replace("URL", &outside.url)).expect("written");
    }
    site
}

#[tokio::test]
async fn a_rollback_is_told_everywhere_ends_everywhere_and_leaks_no_secret() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let outside = Outside::start().await;
    let site = site(&outside, &api);
    let mut server = site.spawn().await;
    site.share_read(25).await;
    let since = now();
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &since, None)).await, 200);
    let incident = site.incident("the rollback", |incident| incident.state == "rolled_back").await;

    let page = outside.asked("POST /events/v2/enqueue").await;
    assert_eq!(page.body["dedup_key"], "backstop/prod-eu/spark-trading/v1.4.0");
    let public = outside.asked("POST /page/v1/pages/p4g3/incidents").await;
    assert_eq!(public.authorization, "OAuth s3cret-page-key");
    let annotation = outside.asked("POST /grafana/api/annotations").await;
    assert_eq!(annotation.authorization, "Bearer glsa_s3cret");
    outside.asked("PATCH /grafana/api/annotations/41").await;
    let posted = outside.asked("POST /webhook").await;
    assert_eq!(posted.body["incident"]["id"], incident.id.as_str());
    outside.asked("POST /teams/invoke?sig=s1gnature").await;
    assert_eq!(outside.times("POST /page/"), 1);

    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &since, Some(&now()))).await, 200);
    wait_for("the page to be resolved", || async {
        let asked = outside.asked.lock().expect("no panic");
        asked.iter().any(|asked| asked.body["event_action"] == "resolve").then_some(())
    })
    .await;
    wait_for("the public to know", || async {
        let asked = outside.asked.lock().expect("no panic");
        asked.iter().any(|asked| asked.body["incident"]["status"] == "resolved").then_some(())
    })
    .await;
    // What Teams refused is reported through the others, without the address that its answer repeated.
    let told = site.incident("the report", |incident| {
        incident.notifications.iter().any(|notice| notice.kind == "channel_failed")
    });
    let told = serde_json::to_string(&told.await).expect("JSON");
    server.kill().await.expect("killed");
    let seen = told.clone() + &site.log();
    assert!(told.contains("no workflow at") && told.contains("[redacted]"), "{told}");
    for secret in SECRETS.map(|(_, text)| text.trim_start_matches("URL")).into_iter().chain(["s1gnature"]) {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}
