//! Socket Mode, with the client of the same websocket library.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{PATIENCE, client, post_with_buttons};
use crate::demo::people::People;
use crate::demo::people::slack::APP_TOKEN;

type Socket = WebSocketStream<TcpStream>;

async fn url(people: &People) -> String {
    let request = client().post(people.url("/slack/api/apps.connections.open")).bearer_auth(APP_TOKEN);
    let opened: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    opened["url"].as_str().expect("a URL").to_owned()
}

async fn connect(people: &People, url: &str) -> Result<Socket, tokio_tungstenite::tungstenite::Error> {
    let stream = TcpStream::connect(people.address()).await.expect("connected");
    tokio_tungstenite::client_async(url, stream).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Option<Value> {
    let received = tokio::time::timeout(PATIENCE, socket.next()).await.expect("in time");
    received.and_then(Result::ok).and_then(|message| serde_json::from_str(message.to_text().ok()?).ok())
}

#[tokio::test]
async fn envelopes_come_through_the_socket_and_are_acknowledged() {
    let people = People::start().await.expect("started");
    let ts = post_with_buttons(&people).await;
    let url = url(&people).await;
    let mut socket = connect(&people, &url).await.expect("connected");
    assert!(connect(&people, &url).await.is_err(), "a ticket opens one connection");
    assert_eq!(next(&mut socket).await.expect("a hello")["type"], "hello");

    let payload = people.slack().interaction("U0ANA", "spark-incidents", &ts, "hold").expect("there");
    let id = people.slack().send_by_socket(&payload).expect("a socket");
    let envelope = next(&mut socket).await.expect("an envelope");
    assert_eq!((&envelope["envelope_id"], &envelope["payload"]), (&json!(id), &payload));
    assert!(!people.slack().is_acknowledged(&id));
    let acknowledgement = json!({ "envelope_id": id }).to_string();
    socket.send(Message::text(acknowledgement)).await.expect("sent");
    let acknowledged = |people: &People| people.slack().is_acknowledged(&id).then_some(());
    people.wait_until("the acknowledgement", PATIENCE, acknowledged).await.expect("acknowledged");

    people.slack().cut_sockets();
    assert_eq!(next(&mut socket).await, None, "cut without a word");
    assert!(people.slack().send_by_socket(&payload).is_err());
}

#[tokio::test]
async fn a_server_that_goes_down_takes_its_sockets_with_it() {
    let people = People::start().await.expect("started");
    let mut socket = connect(&people, &url(&people).await).await.expect("connected");
    assert!(next(&mut socket).await.is_some());
    people.go_down();
    assert_eq!(next(&mut socket).await, None);
    let gone = |people: &People| (people.slack().open_sockets() == 0).then_some(());
    people.wait_until("no socket", PATIENCE, gone).await.expect("none");
}
