//! The people's side of every channel: one server on this machine that plays Slack, PagerDuty, a
//! status page, Grafana and plain receivers, so that messages can be watched without an account.
//!
//! It keeps what a person would see there (threads with their edits, alerts by key, annotations),
//! records every call, and fails on demand. It is stricter than the real ones where being lax would
//! hide a defect of ours; where it is, the item says so. It speaks HTTP/1 only, on 127.0.0.1.

mod calls;
mod form;
pub mod grafana;
pub mod pagerduty;
pub mod receivers;
pub mod rendering;
mod script;
mod server;
pub mod slack;
pub mod statuspage;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use calls::{Call, NotSeen};
pub use script::Answer;

use crate::clock::{Clock, SystemClock};
use grafana::Grafana;
use pagerduty::PagerDuty;
use script::Script;
use slack::{Slack, Workspace};
use statuspage::Statuspage;

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct People {
    shared: Arc<Shared>,
    /// The listener and its connections; none while it is down.
    tasks: Mutex<JoinSet<()>>,
}

/// What the server and its owner both see.
#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    world: Mutex<World>,
    /// Counts the changes of the world, so that somebody can wait for the next.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct World {
    calls: Vec<Call>,
    script: Script,
    slack: Workspace,
    pagerduty: PagerDuty,
    statuspage: Statuspage,
    grafana: Grafana,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world, and wakes whoever waits for it.
    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world());
        self.changes.send_modify(|count| *count += 1);
        result
    }
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

impl People {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    /// The same at an address where it was expected earlier.
    ///
    /// # Errors
    /// When the address can't be had.
    pub async fn start_at(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            world: Mutex::default(),
            changes: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&shared)));
        Ok(Self { shared, tasks: Mutex::new(tasks) })
    }

    /// As bound: with port 0, the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// `path` begins with a slash, or is empty. Base addresses: `/slack/api` for Slack, the empty path
    /// for PagerDuty, Statuspage and Grafana.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.shared.address)
    }

    /// Hangs up on everybody and refuses connections; what was received is kept.
    pub fn go_down(&self) {
        *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = JoinSet::new();
    }

    /// Takes connections again, at the same address.
    ///
    /// # Errors
    /// When the address was taken meanwhile.
    pub async fn come_back(&self) -> std::io::Result<()> {
        let listener = TcpListener::bind(self.shared.address).await?;
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(server::serve(listener, Arc::clone(&self.shared)));
        Ok(())
    }

    /// The next calls that match are answered so, one after the other; those after them as usual.
    ///
    /// The pattern is a path with `*` for any characters, such as `/slack/api/chat.*`, with a method
    /// before it if only that is meant: `PATCH /v1/*`. Of several scripts that match, the oldest that
    /// is not used up counts.
    pub fn script(&self, pattern: &str, answers: impl IntoIterator<Item = Answer>) {
        self.shared.world().script.add(pattern, answers.into_iter().collect(), None);
    }

    /// All calls that match are answered so, until [`People::as_usual`].
    pub fn always(&self, pattern: &str, answer: Answer) {
        self.shared.world().script.add(pattern, Vec::new(), Some(answer));
    }

    /// Forgets every script.
    pub fn as_usual(&self) {
        self.shared.world().script = Script::default();
    }

    /// Every call so far, in order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.world().calls.clone()
    }

    /// Those that match the pattern; see [`People::script`].
    #[must_use]
    pub fn calls_to(&self, pattern: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.matches(pattern));
        calls
    }

    /// Waits until so many calls that match have come, and returns those that have.
    ///
    /// # Errors
    /// When they have not come in time.
    pub async fn wait_for_calls(
        &self,
        pattern: &str,
        count: usize,
        within: Duration,
    ) -> Result<Vec<Call>, NotSeen> {
        let what = format!("{count} calls to {pattern}");
        let come = |people: &Self| Some(people.calls_to(pattern)).filter(|calls| calls.len() >= count);
        self.wait_until(&what, within, come).await
    }

    /// Waits until `look` finds something; it is asked again after each change.
    ///
    /// # Errors
    /// When it found nothing in time; says `what` was waited for, and which calls there were.
    pub async fn wait_until<T>(
        &self,
        what: &str,
        within: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, NotSeen> {
        let mut changes = self.shared.changes.subscribe();
        let found = async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = look(self) {
                    return found;
                }
                if changes.changed().await.is_err() {
                    // Not while this borrows the sender's owner.
                    std::future::pending::<()>().await;
                }
            }
        };
        let found = tokio::time::timeout(within, found).await;
        found.map_err(|_| NotSeen::new(what, within, &self.calls()))
    }

    /// Slack, as a person sees and uses it.
    #[must_use]
    pub fn slack(&self) -> Slack<'_> {
        Slack::new(&self.shared)
    }

    /// What PagerDuty knows.
    #[must_use]
    pub fn pagerduty(&self) -> PagerDuty {
        self.shared.world().pagerduty.clone()
    }

    /// What the status page shows.
    #[must_use]
    pub fn statuspage(&self) -> Statuspage {
        self.shared.world().statuspage.clone()
    }

    /// What Grafana shows.
    #[must_use]
    pub fn grafana(&self) -> Grafana {
        self.shared.world().grafana.clone()
    }
}
