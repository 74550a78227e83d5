//! Socket Mode (docs.slack.dev, "Using Socket Mode"): the app opens a websocket, interactions come
//! through it as envelopes, and each is acknowledged by its id.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::button::PressError;
use super::{Refusal, Slack};
use crate::demo::people::{Shared, form};

/// What a connection does once it is no longer HTTP: run by the connection's own task, so that it ends
/// with it.
#[derive(Clone, Default)]
pub(in crate::demo::people) struct Afterwards(Arc<Mutex<Option<BoxFuture<'static, ()>>>>);

impl Afterwards {
    fn set(&self, future: BoxFuture<'static, ()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(future);
    }

    pub(in crate::demo::people) async fn run(&self) {
        let future = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(future) = future {
            future.await;
        }
    }
}

/// The open connections, and what came through them.
#[derive(Debug, Default)]
pub(super) struct Socket {
    tickets: Vec<String>,
    count: usize,
    /// To each open connection; `None` sent through it cuts it.
    open: Vec<UnboundedSender<Option<Value>>>,
    envelopes: usize,
    received: Vec<Value>,
}

impl Socket {
    /// A URL that opens one connection.
    pub(super) fn ticket(&mut self, address: SocketAddr) -> String {
        self.count += 1;
        let ticket = format!("ticket{}", self.count);
        self.tickets.push(ticket.clone());
        format!("ws://{address}/slack/socket?ticket={ticket}&app_id=A0BACKSTOP")
    }

    fn redeem(&mut self, ticket: &str) -> Result<(), Refusal> {
        let known = self.tickets.iter().position(|known| known == ticket).ok_or("invalid_ticket")?;
        self.tickets.remove(known);
        Ok(())
    }

    fn open(&mut self) -> UnboundedReceiver<Option<Value>> {
        let (sender, receiver) = unbounded_channel();
        self.open.push(sender);
        receiver
    }
}

impl Slack<'_> {
    /// How many sockets are open.
    #[must_use]
    pub fn open_sockets(&self) -> usize {
        self.shared.world().slack.socket.open.iter().filter(|open| !open.is_closed()).count()
    }

    /// Sends an interaction through the newest socket, and returns its envelope's id.
    ///
    /// # Errors
    /// [`PressError::NoSocket`]
    pub fn send_by_socket(&self, payload: &Value) -> Result<String, PressError> {
        let mut world = self.shared.world();
        let socket = &mut world.slack.socket;
        socket.envelopes += 1;
        let id = format!("envelope-{}", socket.envelopes);
        let envelope = json!({
            "type": "interactive", "envelope_id": id, "accepts_response_payload": true, "payload": payload,
        });
        let newest = socket.open.iter().rev().find(|open| !open.is_closed());
        let sent = newest.is_some_and(|open| open.send(Some(envelope)).is_ok());
        if sent { Ok(id) } else { Err(PressError::NoSocket) }
    }

    /// Announces the end of every socket, as Slack does before it moves a connection; the app opens
    /// another.
    pub fn ask_sockets_to_leave(&self) {
        let leave = json!({ "type": "disconnect", "reason": "refresh_requested" });
        for open in &self.shared.world().slack.socket.open {
            let _closed = open.send(Some(leave.clone()));
        }
    }

    /// Cuts every socket without a word.
    pub fn cut_sockets(&self) {
        for open in self.shared.world().slack.socket.open.drain(..) {
            let _closed = open.send(None);
        }
    }

    /// Everything that came through sockets, acknowledgements above all: `{ "envelope_id": … }`.
    #[must_use]
    pub fn received_by_socket(&self) -> Vec<Value> {
        self.shared.world().slack.socket.received.clone()
    }

    /// Whether an envelope was acknowledged.
    #[must_use]
    pub fn is_acknowledged(&self, envelope_id: &str) -> bool {
        self.shared
            .world()
            .slack
            .socket
            .received
            .iter()
            .any(|received| received["envelope_id"] == envelope_id)
    }
}

pub(super) async fn connect(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let query = form::decode(request.uri().query().unwrap_or_default());
    let ticket = form::first(&query, "ticket").unwrap_or_default().to_owned();
    if shared.change(|world| world.slack.socket.redeem(&ticket)).is_err() {
        return (StatusCode::UNAUTHORIZED, "no such ticket").into_response();
    }
    let Some(key) = request.headers().get("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes()))
    else {
        return (StatusCode::BAD_REQUEST, "no websocket").into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    if let Some(afterwards) = request.extensions().get::<Afterwards>() {
        afterwards.set(Box::pin(async move {
            if let Ok(upgraded) = upgrade.await {
                let stream =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
                converse(&shared, stream).await;
            }
        }));
    }
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", key)
        .body(Body::empty());
    response.unwrap_or_default()
}

async fn converse<S>(shared: &Shared, mut stream: WebSocketStream<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut to_send = shared.change(|world| world.slack.socket.open());
    let hello = json!({
        "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A0BACKSTOP" },
        "debug_info": { "host": "backstop-demo", "build_number": 1, "approximate_connection_time": 3600 },
    });
    if stream.send(Message::text(hello.to_string())).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            next = to_send.recv() => match next {
                Some(Some(envelope)) if stream.send(Message::text(envelope.to_string())).await.is_ok() => {}
                _ => break,
            },
            received = stream.next() => match received {
                Some(Ok(Message::Text(text))) => {
                    let received = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.to_string()));
                    shared.change(|world| world.slack.socket.received.push(received));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    drop(to_send);
    // Whoever waits for a socket to be gone is woken.
    shared.change(|_| ());
}
