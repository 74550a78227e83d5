//! Socket Mode against a WebSocket that plays Slack's side.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::scene::{Scene, until};
use crate::notification::slack::tests::fake::Answer;

const SLACK: &str = "app_token_file = \"app-token\"\noperators = [\"U0ANA\"]";

/// Slack's side: every connection that is opened.
struct Sockets(TcpListener);

impl Sockets {
    /// A scene that will connect here, so many times at most.
    async fn with_scene(times: usize) -> (Self, Scene) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}/link?ticket=s3cret", listener.local_addr().expect("an address"));
        let scene = Scene::with(SLACK).await;
        let opened = Answer::json(&json!({ "ok": true, "url": url }));
        scene.fake.script("apps.connections.open", vec![opened; times]);
        (Self(listener), scene)
    }

    async fn next(&self) -> WebSocketStream<TcpStream> {
        let accepted = async {
            let (stream, _) = self.0.accept().await.expect("a connection");
            let mut socket = accept_async(stream).await.expect("a WebSocket");
            let hello = json!({ "type": "hello", "num_connections": 1 });
            socket.send(Message::text(hello.to_string())).await.expect("sent");
            socket
        };
        tokio::time::timeout(Duration::from_secs(20), accepted).await.expect("it connects")
    }
}

/// The next text that comes.
async fn said(socket: &mut WebSocketStream<TcpStream>) -> Value {
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("in time");
        match frame.expect("open").expect("a frame") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            _ => continue,
        }
    }
}

async fn say(socket: &mut WebSocketStream<TcpStream>, envelope: &Value) {
    socket.send(Message::text(envelope.to_string())).await.expect("sent");
}

#[tokio::test]
async fn a_click_by_socket_mode_is_acknowledged_and_acted_upon() {
    let (sockets, scene) = Sockets::with_scene(1).await;
    let mut socket = sockets.next().await;
    let click = scene.click("U0ANA", "hold");
    let envelope = |id: &str| json!({ "type": "interactive", "envelope_id": id, "payload": click });
    say(&mut socket, &envelope("e1")).await;
    assert_eq!(said(&mut socket).await, json!({ "envelope_id": "e1" }));
    until("it is held", || scene.phase() == "held").await;
    // Slack brings it again where it did not hear the answer.
    say(&mut socket, &envelope("e2")).await;
    assert_eq!(said(&mut socket).await, json!({ "envelope_id": "e2" }));
    assert_eq!((scene.clicks("repeated"), scene.clicks("done")), (1, 1));
    for unknown in [
        json!({ "type": "slash_commands", "envelope_id": "e3", "payload": {} }),
        json!({ "type": "new", "envelope_id": "e4" }),
    ] {
        say(&mut socket, &unknown).await;
        assert_eq!(
            said(&mut socket).await["envelope_id"],
            unknown["envelope_id"],
            "or it would come again and again"
        );
    }
    assert_eq!(scene.clicks("ignored"), 2);
}

#[tokio::test]
async fn a_connection_that_slack_ends_is_opened_again_at_once() {
    let (sockets, scene) = Sockets::with_scene(3).await;
    let mut first = sockets.next().await;
    say(&mut first, &json!({ "type": "disconnect", "reason": "refresh_requested" })).await;
    let second = sockets.next().await;
    drop(second);
    let mut third = sockets.next().await;
    say(
        &mut third,
        &json!({ "type": "interactive", "envelope_id": "e", "payload": scene.click("U0ANA", "hold") }),
    )
    .await;
    until("it is held", || scene.phase() == "held").await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_opened_again() {
    let (sockets, _scene) = Sockets::with_scene(2).await;
    // It is held and never read: no question is answered.
    let _silent = sockets.next().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    tokio::time::pause();
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(15)).await;
        tokio::task::yield_now().await;
    }
    tokio::time::resume();
    drop(sockets.next().await);
}

#[tokio::test]
async fn an_address_without_tls_is_not_connected_to_unless_it_is_here() {
    let (sockets, scene) = Sockets::with_scene(0).await;
    let refused = Answer::json(&json!({ "ok": true, "url": "http://127.0.0.1:1" }));
    scene.fake.script("apps.connections.open", vec![refused; 2]);
    until("it is asked again", || scene.fake.asked("apps.connections.open").len() >= 2).await;
    let nobody = tokio::time::timeout(Duration::from_millis(50), sockets.0.accept()).await;
    assert!(nobody.is_err());
}
