//! Ports that nobody takes by chance: below the range from which the system gives out its own, so
//! that a thousand connections of another test can't sit on one before its server starts.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// The lowest port, and how many there are: Linux gives out 32768 and above.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A free address of this machine that no other caller in this process gets.
pub(crate) fn own_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs of the tests at the same time begin far apart.
    let begin = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).expect("below COUNT");
    for _ in 0..COUNT {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (begin + next % COUNT) % COUNT;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port from {FIRST} on");
}
