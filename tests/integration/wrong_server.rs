//! Commands and requests that go to the wrong place, or ask for what there is not.

use backstop::demo::trading_api::TradingApi;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Site, binary};

async fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let output = binary().args(arguments).arg("--config").arg(&site.config).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A server that is not Backstop: it answers everything alike.
async fn stranger(status: &'static str, body: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _read = stream.read(&mut request).await;
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _written = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn what_is_not_backstop_is_called_so_and_a_rollback_names_standalone() {
    let api = TradingApi::start(25, 10).await.expect("started");
    for (status, body) in [("404 Not Found", ""), ("200 OK", "{}"), ("502 Bad Gateway", "<html>")] {
        let site = Site::simple("5m", &api);
        let address = stranger(status, body).await;
        site.edit(&site.parsed().server.listen.to_string(), &address.to_string());
        for command in [&["rollback", "--reason=x"][..], &["status"], &["incident", "list"]] {
            let (code, _, stderr) = run(&site, command).await;
            assert_eq!(code, 1, "{stderr}");
            for part in ["is not the API of this version of Backstop", "server.listen", &address.to_string()]
            {
                assert!(stderr.contains(part), "{part} in\n{stderr}");
            }
            assert_eq!(stderr.contains("--standalone"), command[0] == "rollback", "{stderr}");
            assert!(!stderr.contains("expected"), "{stderr}");
        }
    }
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    site.edit(&app.listen.to_string(), "127.0.0.1:1");
    site.edit(&app.admin_listen.to_string(), "127.0.0.1:2");
    site.edit("127.0.0.1:1", &app.admin_listen.to_string());
    let (code, _, stderr) = run(&site, &["rollback", "--reason=x"]).await;
    assert!(code == 1 && stderr.contains("is not the API") && stderr.contains("--standalone"), "{stderr}");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_limit_of_nothing_and_a_hold_into_the_past_are_refused_in_words() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let (code, _, stderr) = run(&site, &["incident", "list", "--limit=0"]).await;
    assert!(code == 2 && stderr.contains("--limit"), "{code} {stderr}");
    for command in [&["--for", "-5m"][..], &["--for=-5m"], &["--for=0s"]] {
        let (code, _, stderr) = run(&site, &[&["incident", "hold"], command].concat()).await;
        assert!(code == 2 && stderr.contains("a hold lasts some time from now"), "{code} {stderr}");
    }
}

#[tokio::test]
async fn check_config_of_a_file_that_is_not_there_or_no_toml_exits_1_in_json_too() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    for text in [Some("[server"), None] {
        match text {
            Some(text) => std::fs::write(&site.config, text).expect("written"),
            None => std::fs::remove_file(&site.config).expect("removed"),
        }
        let (code, stdout, stderr) = run(&site, &["check-config", "--output=json"]).await;
        let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}\n{stderr}"));
        assert_eq!((code, report["valid"].as_bool(), stderr.as_str()), (1, Some(false), ""));
        assert_eq!(report["problems"].as_array().map(Vec::len), Some(1), "{report}");
    }
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
