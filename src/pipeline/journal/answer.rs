//! Who waits for what became of a submission, answered once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};

use super::{JournalError, Receipt, Ruling, States};

/// Where the receipt is sent. That nobody waits for it any more is no error.
pub(super) type Caller = oneshot::Sender<Result<Receipt, JournalError>>;

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// That it is durable: a webhook, which comes again if it is not.
    Durability,
    /// That it is acted upon: a person, or a result of work, who have nothing to gain from a disk.
    Action,
}

/// A caller's answer, to be given by whoever knows it first: the store's thread when it is durable,
/// the journal when it takes too long. The second finds nobody.
#[derive(Debug, Clone)]
pub(super) struct Answer(Arc<Mutex<Option<Owed>>>);

/// What is said, and to whom.
type Owed = (Vec<Ruling>, Caller);

impl Answer {
    pub(super) fn new(rulings: Vec<Ruling>, caller: Caller) -> Self {
        Self(Arc::new(Mutex::new(Some((rulings, caller)))))
    }

    fn take(&self) -> Option<Owed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Says that it was decided, and whether it is durable.
    pub(super) fn taken(&self, durable: bool) {
        if let Some((rulings, caller)) = self.take() {
            // A caller that went away (a closed connection) loses nothing: what it sent stays decided.
            let _gone = caller.send(Ok(Receipt { rulings, durable }));
        }
    }

    /// Says that nothing of it has happened.
    pub(super) fn void(&self, why: &str) {
        if let Some((_, caller)) = self.take() {
            let _gone = caller.send(Err(JournalError::Unavailable(why.to_owned())));
        }
    }
}

/// Shows states to those who act on them, only ever newer ones: the store's thread and the journal
/// both publish, and neither waits for the other.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    shown: watch::Sender<States>,
    latest: Arc<Mutex<u64>>,
}

impl Publisher {
    pub(super) fn new(shown: watch::Sender<States>) -> Self {
        Self { shown, latest: Arc::default() }
    }

    /// Publishes the states after the decision of this number, unless newer ones are out.
    pub(super) fn publish(&self, number: u64, states: &States) {
        if self.show(number, states) {
            self.wake();
        }
    }

    /// The same without waking who waits for a change, which [`Publisher::wake`] has to follow.
    /// Whether anything changed.
    pub(super) fn show(&self, number: u64, states: &States) -> bool {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_newer = number > *latest;
        if is_newer {
            *latest = number;
            self.shown.send_if_modified(|shown| {
                *shown = states.clone();
                false
            });
        }
        is_newer
    }

    pub(super) fn wake(&self) {
        self.shown.send_modify(|_| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::RolloutName;

    fn states(rollout: &str) -> States {
        std::iter::once((RolloutName::new(rollout), Arc::default())).collect()
    }

    #[test]
    fn states_that_are_shown_are_never_replaced_by_older_ones_and_nobody_is_woken_twice() {
        let (shown, mut seen) = watch::channel(States::new());
        let publisher = Publisher::new(shown);
        let mut shows = |number, rollout| {
            publisher.publish(number, &states(rollout));
            let woken = seen.has_changed().expect("it lives");
            let names: Vec<_> = seen.borrow_and_update().keys().map(ToString::to_string).collect();
            (woken, names.concat())
        };
        assert_eq!(shows(2, "two"), (true, "two".to_owned()));
        assert_eq!(shows(1, "one"), (false, "two".to_owned()), "overtaken");
        assert_eq!(shows(2, "two"), (false, "two".to_owned()), "seen already");
        assert_eq!(shows(3, "three"), (true, "three".to_owned()));
    }
}
