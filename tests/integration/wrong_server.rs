//! Commands and requests that go to the wrong place, or ask for what there is not.

use backstop::demo::trading_api::TradingApi;
use serde_json::Value;

use crate::support::{Site, binary};

async fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let output = binary().args(arguments).arg("--config").arg(&site.config).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_question_that_can_not_be_understood_is_answered_in_json_with_what_may_be_asked() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    std::fs::write(site.folder.path().join("viewer"), "viewer-token").expect("written");
    site.edit(
        "auth.operator_token_files",
        "auth.viewer_token_files = [\"viewer\"]\nauth.operator_token_files",
    );
    let app = site.start().await;
    let asked = async |method: reqwest::Method, path: &str, token: &str| {
        let request = reqwest::Client::new().request(method, site.url(path)).bearer_auth(token);
        let answer = request.send().await.expect("an answer");
        let (status, allowed) = (answer.status().as_u16(), answer.headers().contains_key("allow"));
        let answer: Value = answer.json().await.unwrap_or_default();
        (status, allowed, answer["error"].as_str().unwrap_or_default().to_owned())
    };
    let get = reqwest::Method::GET;
    for query in ["limit=abc", "limit=0", "limit=-1", "limit=1&limit=2"] {
        let (status, _, error) =
            asked(get.clone(), &format!("/api/v1/incidents?{query}"), "viewer-token").await;
        assert!(status == 400 && error.contains("limit"), "{query}: {status} {error:?}");
    }
    assert_eq!(asked(get.clone(), "/api/v1/incidents?limit=1", "viewer-token").await.0, 200);
    let (status, _, error) = asked(get, "/api/v1/nothing", "viewer-token").await;
    assert!(status == 404 && error.contains("/api/v1/nothing"), "{status} {error:?}");
    let (code, _, stderr) = run(&site, &["incident", "show", ""]).await;
    assert!(code == 1 && !stderr.contains("is not the API"), "{stderr}");
    for method in [reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::PATCH] {
        for (token, expected) in [("viewer-token", 405), ("operator-token", 405), ("wrong", 401)] {
            let (status, allowed, error) = asked(method.clone(), "/api/v1/incidents", token).await;
            assert_eq!((status, error.is_empty()), (expected, false), "{method} {token}");
            assert!(allowed || status != 405, "{method} {token}");
        }
    }
    app.shutdown().await.expect("drained");
}
