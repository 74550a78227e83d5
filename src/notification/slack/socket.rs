//! A connection for Socket Mode. Opened here and not by the library: that one logs the address, which
//! is a secret, can't read a click of an app that a whole organisation has installed, and tells nobody
//! that it has fallen silent.

use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::Trouble;
use super::api::Api;
use crate::config::SlackConfig;

/// The longest message. A click comes with the whole message below which the button is.
const MAX_MESSAGE_BYTES: usize = 256 << 10;

/// An open connection.
pub type Connection = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens connections.
#[derive(Clone)]
pub struct SocketMode {
    api: Api,
    tls: Connector,
    is_loopback: bool,
}

impl std::fmt::Debug for SocketMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketMode").field("api", &self.api).finish_non_exhaustive()
    }
}

impl SocketMode {
    /// Over a client of the same configuration.
    #[must_use]
    pub fn new(config: &SlackConfig, api: Api) -> Self {
        let tls = Connector::Rustls(api.tls());
        Self { api, tls, is_loopback: config.is_loopback }
    }

    /// Asks Slack for an address, and connects to it.
    ///
    /// # Errors
    /// See [`Trouble`]; no text of it holds the address.
    pub async fn open(&self, until: Instant) -> Result<Connection, Trouble> {
        let url = self.api.socket_url(until).await?;
        let url = url.expose_secret();
        let is_safe = url.starts_with("wss://") || (self.is_loopback && url.starts_with("ws://"));
        if !is_safe {
            return Err(Trouble::NotSent("Slack names an address without TLS".to_owned()));
        }
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let connect = connect_async_tls_with_config(url, Some(limits), true, Some(self.tls.clone()));
        match tokio::time::timeout_at(until, connect).await {
            Ok(Ok((connection, _))) => Ok(connection),
            Ok(Err(error)) => Err(Trouble::NotSent(format!("Socket Mode can't be opened: {}", kind(&error)))),
            Err(_) => Err(Trouble::NotSent("Socket Mode is not opened in time".to_owned())),
        }
    }
}

/// An error of a connection without what it may say of the address.
#[must_use]
pub fn kind(error: &Error) -> String {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => "it was closed".to_owned(),
        Error::Io(error) => format!("it broke off ({})", error.kind()),
        Error::Tls(_) => "TLS failed".to_owned(),
        Error::Http(answer) => format!("the answer was {}", answer.status().as_u16()),
        Error::Capacity(_) => "a message is too long".to_owned(),
        _ => "it does not speak WebSocket as it should".to_owned(),
    }
}
