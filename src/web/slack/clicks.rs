//! From whoever brings a click to whoever acts on it: each once, and no more than can be acted upon.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::payload::{Click, Interaction};
use crate::metrics::{ClickOutcome, Metrics};

/// Clicks that wait. Each takes some milliseconds, and people press rarely.
const QUEUE: usize = 64;

/// Clicks that are remembered, so that none counts twice. More than people press within the 5 minutes
/// for which a signature is good.
const REMEMBERED: usize = 1_000;

/// What is done with what was brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is answered, whatever comes of it.
    Yes,
    /// It can't be read.
    Malformed,
    /// It may be brought again.
    Overloaded,
}

/// Where clicks are brought. Clones share one queue.
#[derive(Debug, Clone)]
pub(super) struct Clicks {
    queue: mpsc::Sender<Click>,
    seen: Arc<Mutex<VecDeque<Seen>>>,
    app: Option<String>,
    metrics: Metrics,
}

/// What makes a click itself: a request that somebody sends again has the same.
type Seen = (String, String, String, String);

impl Clicks {
    pub(super) fn new(app: Option<String>, metrics: Metrics) -> (Self, mpsc::Receiver<Click>) {
        let (queue, clicks) = mpsc::channel(QUEUE);
        (Self { queue, seen: Arc::default(), app, metrics }, clicks)
    }

    /// Takes what Slack says that somebody did. At once: Slack waits for 3 s.
    pub(super) fn take(&self, payload: &str) -> Taken {
        let (taken, outcome) = match Interaction::read(payload, self.app.as_deref()) {
            // What the error says of the payload may hold a secret of it.
            Err(_) => (Taken::Malformed, Some(ClickOutcome::Malformed)),
            Ok(Interaction::Other) => (Taken::Yes, Some(ClickOutcome::Ignored)),
            Ok(Interaction::Click(click)) => self.queue(click),
        };
        if let Some(outcome) = outcome {
            self.metrics.click(outcome);
        }
        taken
    }

    fn queue(&self, click: Click) -> (Taken, Option<ClickOutcome>) {
        let key =
            (click.user.clone(), click.message_ts.clone(), click.action.clone(), click.action_ts.clone());
        // Held until it is queued: two that bring the same click at once bring one.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&key) {
            return (Taken::Yes, Some(ClickOutcome::Repeated));
        }
        if self.queue.try_send(click).is_err() {
            return (Taken::Overloaded, Some(ClickOutcome::Overloaded));
        }
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(key);
        (Taken::Yes, None)
    }
}
