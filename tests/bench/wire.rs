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
        let length: usize = length.and_then(|length| length.trim().parse().ok()).expect("a length");
        let mut body = read.split_off(head);
        while body.len() < length {
            let count = self.stream.read_buf(&mut body).await.expect("an answer");
            assert!(count > 0, "the connection was closed");
        }
        (status, body)
    }
}
