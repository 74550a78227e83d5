//! What a listener allows, with the reason for each number.

use std::time::Duration;

/// Connections on the public listener. Alertmanager opens 108 to 454 sockets in a storm (reference
/// notes on Alertmanager, section 2); this is room for several members and people beside them.
const CONNECTIONS: usize = 4_096;

/// Connections on the admin listener: a few probes and Prometheus servers.
const ADMIN_CONNECTIONS: usize = 64;

/// Descriptors that no client may take: the database with its files (5), evidence being written,
/// the runtime (8), the listeners, and requests to other systems. With fewer a rollback could fail
/// because somebody opened sockets.
const RESERVED_DESCRIPTORS: usize = 64;

/// More of them for each rollout: its flag API, its application, and evidence being written.
const DESCRIPTORS_PER_ROLLOUT: usize = 8;

/// Connections that are allowed even where too few descriptors are left for it all.
const LEAST_CONNECTIONS: usize = 16;

/// Requests in flight on one listener: twice the storm of 2,000 that must be accepted at once.
/// Beyond it a request is answered 503, which Alertmanager repeats within seconds.
const REQUESTS_IN_FLIGHT: usize = 4_096;

/// How long a request's head, or a TLS handshake, may take. A healthy one takes milliseconds.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may rest between requests. Longer than the 5 minutes after which
/// Alertmanager's client closes by itself: if the server closed first, a request could meet it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(6 * 60);

/// How long an answer may take to be read. The largest is some megabytes, a second on one site; who
/// reads nothing for so long holds memory that others need.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of the answers to GET that are under way on one listener, of those above
/// [`SMALL_ANSWER_BYTES`] whose length is known. Beyond it a reader is answered 503 and comes again.
pub(super) const ANSWERS_BYTES: usize = 64 << 20;

/// Answers up to this size are not counted: no storm of webhooks may be refused for their sum.
pub(super) const SMALL_ANSWER_BYTES: usize = 4 << 10;

/// Requests of people that are served although [`REQUESTS_IN_FLIGHT`] are: nobody rolls back by hand
/// more often.
pub(super) const RESERVED_REQUESTS: usize = 64;

/// How long a connection has to have waited before it may be closed to make room: whoever is about
/// to send its request is not the one to close.
const SPARED: Duration = Duration::from_secs(1);

/// How long open connections may take to end once draining begins: an answer is written within
/// milliseconds, whoever doesn't read it would hold the process.
pub(super) const CONNECTIONS_DRAIN: Duration = Duration::from_secs(5);

/// The longest head. Alertmanager's is some hundred bytes; a proxy adds a few kilobytes at most.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// The most header lines of an HTTP/1 request: hyper's own default.
pub(super) const HEADERS: usize = 100;

/// Streams of one HTTP/2 connection at once, as few as the standard recommends: each can hold an
/// answer that is not read. Go's client opens another connection beyond it.
pub(super) const HTTP2_STREAMS: u32 = 100;

/// What one HTTP/2 stream may hold of its answer beside the piece that is being written.
pub(super) const HTTP2_SEND_BYTES: usize = 64 << 10;

/// Streams that a client may open and reset before it is answered ("rapid reset"); a healthy one
/// resets only what timed out.
pub(super) const HTTP2_PENDING_RESETS: usize = 20;

/// How often a silent HTTP/2 connection is asked whether its client still lives, and how long the
/// answer may take. A client that vanished without a word would hold a descriptor.
pub(super) const HTTP2_PING_EVERY: Duration = Duration::from_secs(60);
pub(super) const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What one listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connections: usize,
    pub requests_in_flight: usize,
    /// How long a head or a handshake may take.
    pub head_timeout: Duration,
    /// How long a connection may rest between requests.
    pub idle_timeout: Duration,
    /// How long an answer may take to be read.
    pub answer_timeout: Duration,
    /// How long a connection has to have waited before it may be closed to make room.
    pub spared: Duration,
}

impl Limits {
    /// The limits of the public and of the admin listener of this process, for so many rollouts.
    /// Raises the number of descriptors to the most that the process may have.
    #[must_use]
    pub fn of_process(rollouts: usize) -> (Self, Self) {
        let descriptors = match rlimit::increase_nofile_limit(u64::MAX) {
            Ok(descriptors) => usize::try_from(descriptors).unwrap_or(usize::MAX),
            Err(error) => {
                tracing::warn!(%error, "the limit of open files can't be read; taking the usual 1024");
                1_024
            }
        };
        Self::within(descriptors, rollouts)
    }

    fn within(descriptors: usize, rollouts: usize) -> (Self, Self) {
        let reserved = RESERVED_DESCRIPTORS + DESCRIPTORS_PER_ROLLOUT * rollouts;
        let available = descriptors.saturating_sub(reserved);
        let admin = ADMIN_CONNECTIONS.min(available / 4).max(LEAST_CONNECTIONS / 4);
        let public = CONNECTIONS.min(available.saturating_sub(admin)).max(LEAST_CONNECTIONS);
        if public < CONNECTIONS {
            tracing::warn!(
                descriptors,
                connections = public,
                "few open files are allowed, so few connections are: raise it (systemd: LimitNOFILE=8192)"
            );
        }
        // A probe comes and goes, and whoever only holds a socket there may lose it at any time: a probe
        // must not wait behind it.
        (Self::of_connections(public), Self { spared: Duration::ZERO, ..Self::of_connections(admin) })
    }

    fn of_connections(connections: usize) -> Self {
        Self {
            connections,
            requests_in_flight: REQUESTS_IN_FLIGHT,
            head_timeout: HEAD_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
            spared: SPARED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_kept_back_for_everything_but_clients() {
        for (descriptors, rollouts, public, admin) in [
            (1 << 20, 1, CONNECTIONS, ADMIN_CONNECTIONS),
            (8_192, 10, CONNECTIONS, ADMIN_CONNECTIONS),
            (1_024, 1, 888, ADMIN_CONNECTIONS),
            (128, 1, 42, 14),
            (64, 1, LEAST_CONNECTIONS, LEAST_CONNECTIONS / 4),
        ] {
            let (found, found_admin) = Limits::within(descriptors, rollouts);
            assert_eq!((found.connections, found_admin.connections), (public, admin), "{descriptors}");
            let taken = public + admin + RESERVED_DESCRIPTORS + DESCRIPTORS_PER_ROLLOUT * rollouts;
            assert!(taken <= descriptors || descriptors < 100, "{descriptors}: {taken} would be taken");
        }
    }
}
