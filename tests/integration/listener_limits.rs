//! The whole process under clients that are many, slow or odd.

use std::net::SocketAddr;
use std::process::Stdio;

use backstop::demo::trading_api::TradingApi;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::support::{Site, binary, body, now, wait_for};

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
}

#[tokio::test]
async fn with_128_descriptors_and_300_idle_and_slow_clients_a_critical_still_rolls_back() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let program = binary().as_std().get_program().to_owned();
    let mut server = Command::new("sh")
        .args(["-c", "ulimit -n 128; exec \"$0\" serve --config \"$1\""])
        .arg(program)
        .arg(&site.config)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("started");
    let address = site.parsed().server.listen;
    wait_for("the server", || async { TcpStream::connect(address).await.ok() }).await;

    let mut held = Vec::new();
    for number in 0..300 {
        let mut stream = connect(address).await;
        let sent: &[u8] = match number % 3 {
            0 => b"",
            1 => b"POST /api/v1/alertmanager HTTP/1.1\r\nhost: x\r\n",
            // A body that never comes, without a token.
            _ => b"POST /api/v1/alertmanager HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
        };
        // What is over the limit may be cut already.
        let _cut = stream.write_all(sent).await;
        held.push(stream);
    }
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!(api.share(), 0);
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn two_thousand_webhooks_at_once_over_five_hundred_sockets_are_all_taken() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let url = site.url("/api/v1/alertmanager");
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..500 {
        let url = url.clone();
        senders.spawn(async move {
            // A client of its own is a socket of its own.
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let mut answers = Vec::new();
            for number in 0..4 {
                let body = body(&format!("Alert{sender}x{number}"), "warning", &now(), None);
                let request = client.post(&url).bearer_auth("hook-token").body(body);
                answers.push(request.send().await.expect("an answer").status().as_u16());
            }
            answers
        });
    }
    let answers = senders.join_all().await.concat();
    assert_eq!(answers.len(), 2_000);
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_persons_request_is_small_and_costs_nothing_without_the_token() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let large = serde_json::json!({ "reason": "x".repeat(100 << 10), "actor": "ada" });
    let path = "/api/v1/rollouts/spark-trading/rollback";
    let (status, answer) = site.ask(path, large.clone()).await;
    assert_eq!(status, 413, "{answer}");
    let nobody = reqwest::Client::new().post(site.url(path)).json(&large).send().await;
    assert_eq!(nobody.expect("an answer").status(), 401);
    assert_eq!(api.share(), 25);
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_token_is_rotated_with_a_second_line_and_without_a_restart() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let warning = body("CanaryLatencyP95Warning", "warning", &now(), None);
    let post = async |token: &str| {
        let request = reqwest::Client::new().post(site.url("/api/v1/alertmanager")).bearer_auth(token);
        request.body(warning.clone()).send().await.expect("an answer").status().as_u16()
    };
    let file = site.folder.path().join("webhook");
    assert_eq!((post("hook-token").await, post("next-token").await), (200, 401));
    std::fs::write(&file, "next-token\nhook-token\n").expect("written");
    let comes_to = async |wanted: (u16, u16)| {
        wait_for("the file to be looked at", || async {
            ((post("hook-token").await, post("next-token").await) == wanted).then_some(())
        })
        .await;
    };
    comes_to((200, 200)).await;
    std::fs::write(&file, "next-token\n").expect("written");
    comes_to((401, 200)).await;
    app.shutdown().await.expect("drained");
}
