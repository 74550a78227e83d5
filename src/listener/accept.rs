//! The loop that accepts, and makes room.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::connection::{Shared, http, serve};
use super::limits::CONNECTIONS_DRAIN;
use super::{Limits, Listener};

/// How often it is looked whether a connection has waited long enough to make room.
const LOOK_FOR_ROOM_EVERY: Duration = Duration::from_millis(100);

/// The pause after an error of the system, such as no free descriptor: trying again at once would
/// only burn the processor that could free one.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// How often such errors are logged at most.
const LOG_ERRORS_EVERY: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Open {
    tasks: JoinSet<()>,
    activities: HashMap<Id, Arc<Activity>>,
}

impl Listener {
    /// Serves `routes` until `stop`, then lets open requests end for a short while. No error of a
    /// client or of the system ends it.
    pub async fn serve(self, routes: Router, stop: CancellationToken) {
        let Self { tcp, tls, limits, metrics } = self;
        let shared = Arc::new(Shared { http: http(), limits, routes, stop: stop.clone() });
        let mut open = Open::default();
        let mut errors = Errors::default();
        let accepting = async {
            loop {
                let accepted = tokio::select! {
                    Some(()) = open.next_ended() => continue,
                    accepted = tcp.accept() => accepted,
                };
                match accepted {
                    Ok((stream, _)) => {
                        let evicted = open.make_room(&limits).await;
                        metrics.connections_evicted(evicted);
                        let tls = tls.as_ref().map(super::Tls::acceptor);
                        open.start(stream, |activity, stream| serve(stream, tls, activity, shared.clone()));
                    }
                    Err(error) if is_of_one_client(&error) => {}
                    Err(error) => {
                        errors.log(&error);
                        metrics.connections_evicted(usize::from(open.evict_one(&limits)));
                        tokio::time::sleep(AFTER_ERROR).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = accepting => {}
        }
        // The connections see `stop` too; what is left after the time is cut.
        let ended = async { while open.next_ended().await.is_some() {} };
        let _cut = tokio::time::timeout(CONNECTIONS_DRAIN, ended).await;
    }
}

impl Open {
    fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        stream: TcpStream,
        serve: impl FnOnce(Arc<Activity>, TcpStream) -> F,
    ) {
        let activity = Activity::begun();
        let task = self.tasks.spawn(serve(Arc::clone(&activity), stream));
        self.activities.insert(task.id(), activity);
    }

    /// Waits for a connection to end; `None` if there is none.
    async fn next_ended(&mut self) -> Option<()> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.activities.remove(&id);
        if let Some(panic) = ended.err().filter(JoinError::is_panic) {
            tracing::error!(error = %panic, "a connection broke off");
        }
        Some(())
    }

    /// Closes the connection that has waited longest without a request, if one has waited enough.
    fn evict_one(&self, limits: &Limits) -> bool {
        let since = |activity: &&Arc<Activity>| activity.waiting_since();
        let open = self.activities.values().filter(|activity| !activity.evicted.is_cancelled());
        let waiting = open.filter_map(|activity| since(&activity).map(|since| (since, activity)));
        let longest = waiting.min_by_key(|(since, _)| *since);
        match longest.filter(|(since, _)| *since + limits.spared <= Instant::now()) {
            Some((_, activity)) => {
                activity.evicted.cancel();
                true
            }
            None => false,
        }
    }

    /// Returns, with how many connections were closed for it, once there is room for one more.
    async fn make_room(&mut self, limits: &Limits) -> usize {
        let mut evicted = 0;
        while self.tasks.len() >= limits.connections {
            evicted += usize::from(self.evict_one(limits));
            tokio::select! {
                _ended = self.next_ended() => {}
                () = tokio::time::sleep(LOOK_FOR_ROOM_EVERY) => {}
            }
        }
        evicted
    }
}

/// Whether a client went away between the kernel's handshake and the accept.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Errors while accepting: one line for many.
#[derive(Debug, Default)]
struct Errors {
    logged_at: Option<Instant>,
    since: u64,
}

impl Errors {
    fn log(&mut self, error: &io::Error) {
        self.since += 1;
        if self.logged_at.is_none_or(|at| at.elapsed() >= LOG_ERRORS_EVERY) {
            let times = std::mem::take(&mut self.since);
            tracing::error!(%error, times, "connections can't be accepted now; it goes on by itself");
            self.logged_at = Some(Instant::now());
        }
    }
}
