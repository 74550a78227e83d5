//! From the socket to the routes: accepts connections within limits, ends TLS, cuts off those who
//! hold a connection without using it, and hands requests on.
//!
//! A client can be slow, idle, hostile or many; none of this may keep a critical alert out. So
//! connections are counted, and when there are too many, the one that has waited longest without a
//! request makes room. Nobody is refused: who finds no room waits in the kernel's queue.

mod accept;
mod activity;
mod answers;
mod connection;
mod guard;
mod limits;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

pub use guard::{Guard, guarded};
pub use limits::Limits;
pub use tls::Tls;

use crate::metrics::Metrics;

/// Connections that the kernel queues until they are accepted. A storm of 2,000 over 500 sockets
/// arrives within a second (reference notes on Alertmanager, section 2); the kernel caps it at
/// `net.core.somaxconn`, 4,096 by default.
const BACKLOG: u32 = 4_096;

/// A socket that listens, and what [`Listener::serve`] needs to serve it.
#[derive(Debug)]
pub struct Listener {
    pub tcp: TcpListener,
    pub tls: Option<Tls>,
    pub limits: Limits,
    pub metrics: Metrics,
}

/// Listens at once: who connects before [`Listener::serve`] runs waits in the kernel's queue.
///
/// # Errors
/// The system's: mostly that the port is in use, or not for this user.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for connections of its predecessor to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
