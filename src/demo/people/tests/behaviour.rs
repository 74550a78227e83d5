//! Scripts, outages, and what is recorded.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{PATIENCE, client, slack};
use crate::demo::people::{Answer, People};

const SHORT: Duration = Duration::from_millis(200);

async fn post(people: &People, text: &str) -> Result<reqwest::Response, reqwest::Error> {
    let request = client().post(people.url("/slack/api/chat.postMessage")).timeout(SHORT * 5);
    let body = json!({ "channel": "spark-incidents", "text": text });
    request.bearer_auth(crate::demo::people::slack::BOT_TOKEN).json(&body).send().await
}

fn posted(people: &People) -> Vec<String> {
    people
        .slack()
        .threads("spark-incidents")
        .iter()
        .map(|thread| thread.root.current().text.clone())
        .collect()
}

#[tokio::test]
async fn each_way_to_fail_fails_so_and_does_what_it_says() {
    let people = People::start().await.expect("started");
    people.script(
        "POST /slack/api/*",
        [
            Answer::status(503),
            Answer::status(500).handled(),
            Answer::slack_rate_limit(7),
            Answer::slack_error("fatal_error"),
            Answer::garbage(),
            Answer::as_usual().late(SHORT),
            Answer::reset(),
            Answer::reset().handled(),
            Answer::hang(),
            Answer::hang().handled(),
        ],
    );
    assert_eq!(post(&people, "a").await.expect("an answer").status(), 503);
    assert_eq!(post(&people, "b").await.expect("an answer").status(), 500);
    let limited = post(&people, "c").await.expect("an answer");
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"7".parse().expect("a value"))
    );
    assert!(
        post(&people, "d").await.expect("an answer").text().await.expect("a text").contains("fatal_error")
    );
    assert_eq!(post(&people, "e").await.expect("an answer").headers()["content-type"], "text/html");
    let begun = Instant::now();
    assert_eq!(post(&people, "f").await.expect("an answer").status(), 200);
    assert!(begun.elapsed() >= SHORT);
    for text in ["g", "h"] {
        let error = post(&people, text).await.expect_err("no answer");
        assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
    }
    for text in ["i", "j"] {
        assert!(post(&people, text).await.expect_err("no answer").is_timeout());
    }
    assert_eq!(posted(&people), ["b", "f", "h", "j"], "only what takes effect did");
    assert_eq!(post(&people, "k").await.expect("an answer").status(), 200, "used up");
    let statuses: Vec<_> = people.calls().iter().map(|call| call.status).collect();
    assert_eq!(
        statuses,
        [Some(503), Some(500), Some(429), Some(200), Some(200), Some(200), None, None, None, None, Some(200)]
    );
}

/// What a client library must not take for an answer that is cut off in the middle.
#[tokio::test]
async fn a_reset_is_a_reset_and_not_an_orderly_end() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let people = People::start().await.expect("started");
    people.always("*", Answer::reset());
    let mut stream = tokio::net::TcpStream::connect(people.address()).await.expect("connected");
    stream.write_all(b"GET /api/org HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("in time");
    assert_eq!(read.expect_err("no end").kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn down_means_refused_and_what_was_there_is_there_again() {
    let people = People::start().await.expect("started");
    post(&people, "before").await.expect("an answer");
    people.go_down();
    assert!(post(&people, "meanwhile").await.expect_err("no answer").is_connect());
    people.come_back().await.expect("the same address");
    post(&people, "after").await.expect("an answer");
    assert_eq!(posted(&people), ["before", "after"]);
}

#[tokio::test]
async fn calls_are_recorded_whole_and_waited_for_with_a_bound() {
    let people = People::start().await.expect("started");
    slack(&people, "chat.postMessage", &json!({ "channel": "spark-incidents", "text": "x" })).await;
    let calls = people.wait_for_calls("POST *chat.postMessage", 1, PATIENCE).await.expect("there");
    assert_eq!(calls[0].json()["text"], "x");
    assert!(calls[0].header("authorization").starts_with("Bearer "));
    let missing = people.wait_for_calls("/v2/enqueue", 1, SHORT).await.expect_err("none came").to_string();
    assert!(
        missing.contains("1 calls to /v2/enqueue")
            && missing.contains("POST /slack/api/chat.postMessage: 200"),
        "{missing}"
    );
    let waiting = people.wait_for_calls("/v2/enqueue", 1, PATIENCE);
    let sending = async { client().post(people.url("/v2/enqueue")).body("{}").send().await };
    let (found, _) = tokio::join!(waiting, sending);
    assert_eq!(found.expect("it came").len(), 1);
}
