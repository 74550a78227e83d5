//! The receiver's table of answers, over real HTTP.

use std::io::{Read, Write};

use backstop::demo::trading_api::TradingApi;

use crate::support::{Site, body, now, project, wait_for};

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let bytes = std::fs::read(project().join("tests/fixtures").join(name)).expect("a captured body");
    if !name.ends_with(".gz") {
        return bytes;
    }
    let mut whole = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut whole).expect("unpacked");
    whole
}

#[tokio::test]
async fn each_kind_of_request_gets_the_answer_that_makes_alertmanager_do_the_right_thing() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let url = site.url("/api/v1/alertmanager");
    let client = reqwest::Client::new();
    let warning = body("CanaryLatencyP95Warning", "warning", &now(), None);

    for (token, status) in [(None, 401), (Some("wrong"), 401), (Some("operator-token"), 401)] {
        let request = client.post(&url).body(warning.clone());
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        assert_eq!(request.send().await.expect("an answer").status(), status, "{token:?}");
    }
    assert!(site.incidents().await.is_empty(), "nothing was taken without the token");

    for (what, body, status) in [
        ("a new alert", warning.clone(), 200),
        ("the same again", warning.clone(), 200),
        ("no alerts", r#"{"version":"4","alerts":[]}"#.to_owned(), 200),
        ("another application's alert", warning.replace("spark-trading", "checkout"), 200),
        ("another version", warning.replace(r#""version":"4""#, r#""version":"3""#), 400),
        ("no JSON", "alert!".to_owned(), 400),
        ("nothing", String::new(), 400),
        ("over 32 MiB", format!("{{\"version\":\"4\",\"pad\":\"{}\"}}", "x".repeat(33 << 20)), 413),
    ] {
        assert_eq!(site.post(body).await, status, "{what}");
    }
    assert_eq!(site.incidents().await.len(), 1);

    let metrics = reqwest::get(format!("http://{}/metrics", app.admin_listen)).await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    for (outcome, count) in [
        ("stored", 1),
        ("duplicate", 1),
        ("irrelevant", 2),
        ("bad_request", 3),
        ("unauthorized", 3),
        ("too_large", 1),
    ] {
        let line = format!("backstop_webhook_requests_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    for secret in ["hook-token", "operator-token"] {
        assert!(!metrics.contains(secret));
    }
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_good_alert_among_bad_ones_is_acted_upon() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    let mixed = critical.replace("\"alerts\":[", "\"alerts\":[{\"status\":\"odd\"},null,{\"labels\":7},");
    assert_eq!(site.post(mixed).await, 200);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!(api.share(), 0);
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn http_2_and_ten_thousand_alerts_in_one_body_are_taken() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let config = std::fs::read_to_string(&site.config)
        .expect("read")
        .replace("rollout = \"spark-trading\", canary_rollback = \"true\"", "job = \"checkout\"");
    std::fs::write(&site.config, config).expect("written");
    let app = site.start().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().expect("a client");
    let request = client.post(site.url("/api/v1/alertmanager")).bearer_auth("hook-token");
    let reply = request.body(fixture("storm_10000.json.gz")).send().await.expect("an answer");
    assert_eq!((reply.version(), reply.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    let incidents = site.incidents().await;
    assert_eq!(incidents.len(), 1, "ten thousand alerts are one incident");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_rotated_token_is_accepted_without_a_restart() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    assert_eq!(site.post(fixture("firing_single.json")).await, 200);
    std::fs::write(site.folder.path().join("webhook"), "a-new-token").expect("written");
    wait_for("the new token", || async {
        (site.post(fixture("firing_single.json")).await == 401).then_some(())
    })
    .await;
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_packed_body_is_taken_like_a_plain_one_and_a_bomb_is_refused() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let packed = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).expect("packed");
        packer.finish().expect("packed")
    };
    let post = async |encoding: &str, body: Vec<u8>| {
        let request = reqwest::Client::new().post(site.url("/api/v1/alertmanager")).bearer_auth("hook-token");
        let request = request.header("content-encoding", encoding).body(body);
        request.send().await.expect("an answer").status().as_u16()
    };
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    assert_eq!(post("gzip", critical.clone().into_bytes()).await, 400);
    assert_eq!(post("br", packed(critical.as_bytes())).await, 400);
    assert_eq!(post("gzip", packed(&vec![b' '; 40 << 20])).await, 413);
    assert_eq!(api.share(), 25);
    assert_eq!(post("gzip", packed(critical.as_bytes())).await, 200);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    app.shutdown().await.expect("drained");
}
