//! Keep-alive connections of the test's own, so that their number is known.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// One connection to the receiver.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    _driver: JoinSet<()>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("accepted");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // A server that hangs up shows at the next request.
            let _ended = connection.await;
        });
        Self { sender, host: address.to_string(), _driver: driver }
    }

    /// Posts a webhook and returns the status, after the whole answer.
    pub(crate) async fn post(&mut self, token: &str, body: impl Into<Bytes>) -> hyper::Result<u16> {
        self.sender.ready().await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/alertmanager")
            .header("Host", &self.host)
            .header("Authorization", format!("Bearer {token}"))
            .body(Full::new(body.into()))
            .expect("a request");
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await?;
        Ok(status)
    }
}
