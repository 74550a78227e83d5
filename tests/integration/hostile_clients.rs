//! What clients that ask without reading, or send what is no alert, cost the whole process.

use std::time::{Duration, Instant};

use backstop::demo::trading_api::TradingApi;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::support::{Site, body, now};
use crate::webhook_contract::fixture;

/// The most memory that a process may have had, in MiB: well below the unit file's 1 GiB.
const MOST_MIB: u64 = 320;

/// The most that a process has had resident so far.
fn peak_mib(process: &Child) -> u64 {
    let id = process.id().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("read");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kib >> 10
}

/// One incident with as many alerts as it carries: its listing takes more than a megabyte.
async fn with_a_large_incident(site: &Site) {
    let storm = String::from_utf8(fixture("storm_10000.json.gz")).expect("text");
    assert_eq!(site.post(storm).await, 200);
    assert_eq!(site.incidents().await.len(), 1);
}

fn storm_site(api: &TradingApi) -> Site {
    let site = Site::simple("5m", api);
    site.edit("rollout = \"spark-trading\", canary_rollback = \"true\"", "job = \"checkout\"");
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_millions_of_things_cost_bounded_memory_and_keep_no_critical_out() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = storm_site(&api);
    let mut server = site.spawn().await;
    let nothing = format!(r#"{{"version":"4","alerts":[{}1]}}"#, "1,".repeat(4 << 20));
    assert_eq!(site.post(nothing).await, 200);
    let forever = |number: usize| {
        format!(r#"{{"status":"firing","labels":{{"alertname":"A","job":"checkout","n":"{number}"}}}}"#)
    };
    let endless: Vec<_> = (0..400_000).map(forever).collect();
    let endless = format!(r#"{{"version":"4","alerts":[{}]}}"#, endless.join(","));
    assert_eq!(site.post(endless).await, 200);
    let version = format!(r#"{{"version":"{}","alerts":[]}}"#, "4".repeat(15 << 20));
    assert_eq!(site.post(version).await, 400);
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    let critical = critical.replace("\"labels\":{", "\"labels\":{\"job\":\"checkout\",");
    assert_eq!(site.post(critical).await, 200);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let peak = peak_mib(&server);
    assert!(peak < MOST_MIB, "{peak} MiB");
    let unreadable = site.log().lines().filter(|line| line.contains("can't be read")).count();
    assert!(unreadable < 100, "{unreadable} lines of log");
    server.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_connections_that_never_read_cost_bounded_memory_and_keep_no_critical_out() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = storm_site(&api);
    let mut server = site.spawn().await;
    with_a_large_incident(&site).await;
    let address = site.parsed().server.listen;
    let mut unread = JoinSet::new();
    let mut clients = Vec::new();
    let mut connections = JoinSet::new();
    for _ in 0..4 {
        let stream = TokioIo::new(TcpStream::connect(address).await.expect("connected"));
        let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(1)
            .initial_connection_window_size(1)
            .handshake(stream);
        let (mut requests, connection) = handshake.await.expect("HTTP/2");
        connections.spawn(connection);
        for number in 0..100 {
            let path = if number < 4 { "incidents" } else { "rollouts/spark-trading" };
            let request = axum::http::Request::get(format!("http://{address}/api/v1/{path}"));
            let request = request.body(axum::body::Body::empty()).expect("a request");
            requests.ready().await.expect("ready");
            unread.spawn(requests.send_request(request));
        }
        clients.push(requests);
    }
    // As many as will be answered are.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    let critical = critical.replace("\"labels\":{", "\"labels\":{\"job\":\"checkout\",");
    assert_eq!(site.post(critical).await, 200);
    let peak = peak_mib(&server);
    assert!(peak < MOST_MIB, "{peak} MiB");
    drop((unread, clients, connections));
    server.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_listings_at_once_are_answered_or_told_to_come_again() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = storm_site(&api);
    let mut server = site.spawn().await;
    with_a_large_incident(&site).await;
    let mut listings = JoinSet::new();
    for _ in 0..300 {
        let url = site.url("/api/v1/incidents?limit=1000");
        listings.spawn(async move {
            let answer = reqwest::Client::new()
                .get(url)
                .bearer_auth("operator-token")
                .send()
                .await
                .expect("an answer");
            let again = answer.headers().contains_key("retry-after");
            (answer.status().as_u16(), again, answer.bytes().await.expect("whole").len())
        });
    }
    let answers = listings.join_all().await;
    let (listed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, ..)| *status == 200);
    assert!(listed.iter().all(|(.., bytes)| *bytes > 500_000), "whole: {listed:?}");
    assert!(refused.iter().all(|(status, again, _)| *status == 503 && *again), "{refused:?}");
    assert!(listed.len() >= 4);
    let peak = peak_mib(&server);
    assert!(peak < MOST_MIB, "{peak} MiB");
    server.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_is_answered_at_once_behind_hundreds_of_idle_sockets() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(TcpStream::connect(app.admin_listen).await.expect("connected"));
    }
    let asked = Instant::now();
    let answer = reqwest::get(format!("http://{}/livez", app.admin_listen)).await.expect("an answer");
    let took = asked.elapsed();
    assert_eq!(answer.status(), 200);
    assert!(took < Duration::from_secs(1), "{took:?}");
    drop(idle);
    app.shutdown().await.expect("drained");
}
