//! Vital tasks: each has a name, and the first that ends is noticed with the reason.
//!
//! A task that dies unseen is worse than a process that dies: nobody restarts it. So what must run
//! for as long as the process does is spawned here, and whoever owns the [`Supervisor`] ends the
//! process when one of them ends. Work that may fail and be tried again has its own `JoinSet`.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;

use tokio::task::{Id, JoinError, JoinSet};

/// A vital task that has ended, and with it the reason why the process should end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {name} {why}")]
pub struct Ended {
    pub name: &'static str,
    pub why: Why,
}

/// How a vital task ended; its text completes that of [`Ended`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    Returned,
    /// It reported what it watches as gone.
    Reported(String),
    Panicked(String),
    Aborted,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned => f.write_str("ended by itself"),
            Self::Reported(why) => write!(f, "has ended: {why}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Aborted => f.write_str("was aborted"),
        }
    }
}

/// Owns the vital tasks; dropped, it aborts them.
#[derive(Debug, Default)]
pub struct Supervisor {
    tasks: JoinSet<Why>,
    names: HashMap<Id, &'static str>,
}

impl Supervisor {
    /// Starts a vital task. `name` stands in the error with which the process ends.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let started = self.tasks.spawn(async move {
            task.await;
            Why::Returned
        });
        self.names.insert(started.id(), name);
    }

    /// Starts a watch over something vital that is no task, such as a thread: it ends with the
    /// reason why that is gone.
    pub fn watch(&mut self, name: &'static str, gone: impl Future<Output = String> + Send + 'static) {
        let started = self.tasks.spawn(async move { Why::Reported(gone.await) });
        self.names.insert(started.id(), name);
    }

    /// Waits for the next task to end; `None` once none is left.
    pub async fn next(&mut self) -> Option<Ended> {
        let (id, why) = match self.tasks.join_next_with_id().await? {
            Ok((id, why)) => (id, why),
            Err(error) => (error.id(), broke_off(error)),
        };
        let name = self.names.remove(&id).unwrap_or("nameless task");
        Some(Ended { name, why })
    }

    /// Waits until no task but `last` is left.
    pub async fn all_but(&mut self, last: &'static str) {
        while self.names.values().any(|name| *name != last) && self.next().await.is_some() {}
    }
}

fn broke_off(error: JoinError) -> Why {
    match error.try_into_panic() {
        Ok(panic) => Why::Panicked(panic_message(panic.as_ref()).to_owned()),
        Err(_aborted) => Why::Aborted,
    }
}

/// The words that a panic was raised with.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    panic.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_task_that_ends_is_named_with_its_reason() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("heart", std::future::pending());
        supervisor.spawn("lung", async {});
        let ended = supervisor.next().await.expect("one ended");
        assert_eq!(ended.to_string(), "the lung ended by itself");
        supervisor.watch("thread", async { "it was unplugged".to_owned() });
        let ended = supervisor.next().await.expect("one ended");
        assert_eq!(ended.to_string(), "the thread has ended: it was unplugged");
    }

    #[tokio::test]
    async fn a_panic_is_reported_with_its_message() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("journal", async { panic!("row {} is broken", 7) });
        let ended = supervisor.next().await.expect("one ended");
        assert_eq!(ended.to_string(), "the journal panicked: row 7 is broken");
        assert_eq!(supervisor.next().await, None);
    }

    #[tokio::test]
    async fn all_but_the_last_are_waited_for() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("last", std::future::pending());
        for _ in 0..3 {
            supervisor.spawn("worker", tokio::task::yield_now());
        }
        supervisor.all_but("last").await;
        assert_eq!(supervisor.names.values().copied().collect::<Vec<_>>(), ["last"]);
    }
}
