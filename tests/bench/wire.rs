//! The barest HTTP/1.1 client: one keep-alive connection, nothing between the socket and the clock.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    token: &'static str,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr, token: &'static str) -> Self {
        let stream = TcpStream::connect(address).await.expect("connected");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, token }
    }

    pub(crate) async fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        self.send("GET", path, b"").await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.send("POST", path, body).await
    }

    async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.token,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).await.expect("sent");
        self.answer().await
    }

    async fn answer(&mut self) -> (u16, Vec<u8>) {
        let mut read = Vec::with_capacity(1_024);
        let head = loop {
            if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let count = self.stream.read_buf(&mut read).await.expect("an answer");
            assert!(count > 0, "the connection was closed: {}", String::from_utf8_lossy(&read));
        };
        let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
        let status = text.get(9..12).and_then(|code| code.parse().ok()).expect("a status line");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: Option<usize> = length.and_then(|length| length.trim().parse().ok());
        let mut body = read.split_off(head);
        // A list comes in pieces; no JSON has a raw line break, so the end can't be in it.
        let is_whole = |body: &[u8]| match length {
            Some(length) => body.len() >= length,
            None => body.ends_with(b"0\r\n\r\n"),
        };
        while !is_whole(&body) {
            let count = self.stream.read_buf(&mut body).await.expect("an answer");
            assert!(count > 0, "the connection was closed");
        }
        (status, if length.is_some() { body } else { joined(&body) })
    }
}

/// The pieces of a chunked body without what stands between them.
fn joined(body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let size = size.expect("a chunk's length");
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    whole
}
