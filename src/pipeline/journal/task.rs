//! The journal's loop: decides what comes, has one append in flight, and keeps its promises by the
//! clock while that takes long. It never waits for the disk itself.

mod drain;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use drain::Drain;

use super::answer::{Answer, Publisher, Wants};
use super::checkpoints::Checkpoints;
use super::commit::{Committed, Stopped, commit, first_load};
use super::decider::Decider;
use super::held_blobs::HeldBlobs;
use super::limits::is_urgent;
use super::outage::Outage;
use super::pending::{ACT_AFTER, Decision, Pending};
use super::teller::Teller;
use super::{JournalError, JournalParts, KnownUntil, Receipt, States, Submission, Waiting};
use crate::metrics::Loop;
use crate::store::{Loaded, StoreError};

/// Submissions that are decided together. Bounds how long the first of them waits.
const MAX_BATCH: usize = 512;

/// How often the store is tried while it can't be written and nothing else comes.
const RETRY: Duration = Duration::from_secs(1);

/// The loop turns at least this often, so that a probe can see that it does.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// The journal's task: run it until it ends.
#[derive(Debug)]
pub struct JournalTask {
    parts: JournalParts,
    queue: mpsc::Receiver<Waiting>,
    decider: Decider,
    pending: Pending,
    flight: Option<Flight>,
    seq: u64,
    /// The newest decision that an append was tried with.
    tried: u64,
    retry_at: Option<Instant>,
    outage: Outage,
    checkpoints: Checkpoints,
    drain: Drain,
    /// Reports that the store was loaded; until then there is nothing to append to.
    loaded: watch::Sender<KnownUntil>,
}

/// The append that is in flight.
struct Flight {
    since: Instant,
    until: u64,
    commit: Pin<Box<dyn Future<Output = Committed> + Send>>,
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("since", &self.since).field("until", &self.until).finish()
    }
}

/// What the journal's handles see of it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) publisher: Publisher,
    pub(super) held: HeldBlobs,
    pub(super) loaded: watch::Sender<KnownUntil>,
}

impl JournalTask {
    pub(super) fn new(
        parts: JournalParts,
        queue: mpsc::Receiver<Waiting>,
        states: States,
        stored: (u64, u64),
        last_seen: Option<DateTime<Utc>>,
        shown: Shown,
    ) -> Self {
        let (seq, checkpoint_seq) = stored;
        let checkpoints = Checkpoints::new(&parts, checkpoint_seq, (seq, states.clone()));
        Self {
            decider: Decider::new(parts.clone(), states, last_seen),
            outage: Outage::new(parts.metrics.clone()),
            pending: Pending::new(shown.publisher, shown.held),
            parts,
            queue,
            flight: None,
            seq,
            tried: 0,
            retry_at: None,
            checkpoints,
            drain: Drain::default(),
            loaded: shown.loaded,
        }
    }

    /// Lets what is held be tried for so long once the process `began` to end, also after the journal
    /// itself was stopped. Without it, it is tried once more.
    #[must_use]
    pub fn draining(mut self, began: CancellationToken, time: Duration) -> Self {
        self.drain = Drain { began, time, until: None };
        self
    }

    /// Decides submissions until `stop` or until every handle is gone; then decides what still waits,
    /// and saves the fold.
    pub async fn run(mut self, stop: CancellationToken) {
        let teller = Teller::start(self.parts.metrics.clone());
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        loop {
            self.begin_append();
            self.checkpoints.begin_if_due();
            let wakes_at = self.wakes_at();
            tokio::select! {
                biased;
                () = stop.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                committed = in_flight(&mut self.flight) => self.ended(committed, &teller),
                () = self.checkpoints.saved() => {}
                () = self.drain.began.cancelled(), if self.drain.until.is_none() => self.drain.begin(),
                () = tokio::time::sleep_until(wakes_at) => {}
                taken = self.queue.recv_many(&mut waiting, MAX_BATCH) => match taken {
                    0 => break,
                    _ => self.decide(&mut waiting),
                },
            }
            self.keep_time(&teller);
        }
        self.drain(&teller).await;
        teller.end().await;
    }

    fn wakes_at(&self) -> Instant {
        let nap = Instant::now() + LONGEST_NAP;
        let retry = self.retry_at.filter(|_| self.flight.is_none());
        [self.pending.next_deadline(), retry].into_iter().flatten().fold(nap, Instant::min)
    }

    /// Whether the store acknowledges what is decided about as fast as it comes.
    fn keeps_up(&self) -> bool {
        !self.outage.is_on() && self.flight.as_ref().is_none_or(|flight| flight.since.elapsed() < ACT_AFTER)
    }

    fn decide(&mut self, waiting: &mut Vec<Waiting>) {
        let keeps_up = self.keeps_up();
        let mut decisions = Vec::with_capacity(waiting.len());
        let stepped = self.decider.notice_a_step();
        let (mut decided, mut urgent) = (stepped.len(), false);
        if !stepped.is_empty() {
            decisions.push(Decision::new(stepped, Vec::new(), None));
        }
        for (submission, wants, caller) in waiting.drain(..) {
            let Submission { inputs, blobs } = submission;
            if !keeps_up && !self.pending.has_room_for(decided, inputs.iter().map(|(_, input)| input)) {
                let why = "the store can't be written, and as much as may be is held in memory".to_owned();
                let _gone = caller.send(Err(JournalError::Unavailable(why)));
                continue;
            }
            let mut events = Vec::new();
            let mut rulings = Vec::with_capacity(inputs.len());
            for (rollout, input) in &inputs {
                rulings.push(self.decider.decide(rollout, input, &mut events));
            }
            if events.is_empty() && wants == Wants::Action {
                let durable = decided == 0 && self.pending.is_empty();
                let _gone = caller.send(Ok(Receipt { rulings, durable }));
                continue;
            }
            decided += events.len();
            urgent |= !events.is_empty() && inputs.iter().any(|(_, input)| is_urgent(input, &events));
            let blobs = match (events.is_empty(), keeps_up) {
                (true, _) => Vec::new(),
                (false, true) => blobs,
                (false, false) => self.pending.without_excess(blobs),
            };
            decisions.push(Decision::new(events, blobs, Some((Answer::new(rulings, caller), wants))));
        }
        if !decisions.is_empty() {
            let busy_since = self.flight.as_ref().map(|flight| flight.since);
            self.pending.push(decisions, &self.decider.states, urgent, busy_since);
        }
    }

    /// Begins an append of everything that is pending, unless one is in flight.
    fn begin_append(&mut self) {
        let retries = self.retry_at.is_none_or(|at| at <= Instant::now());
        if self.flight.is_some() {
            return;
        }
        if self.loaded.borrow().is_none() {
            if retries {
                self.tried = self.pending.end();
                let commit = Box::pin(first_load(Arc::clone(&self.parts.store)));
                self.flight = Some(Flight { since: Instant::now(), until: self.tried, commit });
            }
            return;
        }
        if self.pending.is_empty() || !(retries || self.pending.end() > self.tried) {
            return;
        }
        if self.pending.events() == 0 {
            // Nothing new, and all before is durable.
            let nothing_new = self.pending.settle_all();
            return self.checkpoints.durable(self.seq, nothing_new);
        }
        let (decisions, settle) = self.pending.to_append();
        let store = Arc::clone(&self.parts.store);
        self.tried = self.pending.end();
        let commit = Box::pin(commit(store, self.seq, decisions, settle));
        self.flight = Some(Flight { since: Instant::now(), until: self.tried, commit });
    }

    /// Acts and answers in time, whatever the disk does.
    fn keep_time(&mut self, teller: &Teller) {
        let now = Instant::now();
        self.parts.metrics.loop_turned(Loop::Journal);
        let acted = self.pending.act_if_due(now);
        let answered = self.pending.answer_if_due(now);
        if acted || answered {
            self.outage.hangs(self.pending.events());
            teller.tell(self.pending.untold(), &self.decider.states);
        }
    }

    fn ended(&mut self, committed: Committed, teller: &Teller) {
        let until = self.flight.take().map_or(0, |flight| flight.until);
        let Committed { seq, settled, set_aside, stopped } = committed;
        self.seq = seq;
        if !set_aside.is_empty() {
            self.parts.metrics.store_rejected(set_aside.len());
            self.checkpoints.end("what was set aside is in the state and not in the store");
        }
        self.pending.refuse(&set_aside);
        if settled > 0 {
            let (states, untold) = self.pending.settle(settled);
            self.checkpoints.durable(seq, states);
            teller.tell(untold, &self.decider.states);
        }
        match stopped {
            None => {
                self.retry_at = None;
                self.outage.over();
            }
            Some(Stopped::Unavailable(error)) => self.hold(until, &error, teller),
            Some(Stopped::Overtaken(error, loaded)) => {
                let why = crate::logging::chain(&error);
                tracing::error!(error = why, "somebody else wrote the store; it is loaded again");
                self.parts.metrics.store_failed(0);
                self.take_over(&why, loaded);
            }
            Some(Stopped::FirstLoaded(stored)) => {
                tracing::info!(
                    "the store can be read: what is stored goes on, and what was decided meanwhile is recorded after it"
                );
                self.loaded.send_replace(Some(stored.known_until()));
                self.outage.over();
                self.take_over("the store could not be read when it was decided", stored);
            }
        }
    }

    /// What was tried is acted upon and stays in memory; its callers are answered that it is not durable.
    fn hold(&mut self, until: u64, error: &StoreError, teller: &Teller) {
        self.pending.act_until(until);
        self.pending.answer_until(until);
        self.retry_at = Some(Instant::now() + RETRY);
        self.outage.refuses(error, self.pending.events());
        teller.tell(self.pending.untold(), &self.decider.states);
    }

    /// What is stored counts, not what is remembered here; but what was acted upon has happened, and is
    /// recorded after it.
    fn take_over(&mut self, why: &str, stored: Loaded) {
        self.seq = stored.seq;
        self.tried = 0;
        self.retry_at = None;
        let mut states = super::states_of(&self.parts, stored.rollouts);
        self.checkpoints.restart(stored.checkpoint_seq, (stored.seq, states.clone()));
        for stored in self.pending.keep_acted(why) {
            Arc::make_mut(states.entry(stored.rollout.clone()).or_default()).apply(&stored);
        }
        self.pending.show(&states);
        self.decider.states = states;
    }
}

/// The end of the append that is in flight; never, if there is none.
async fn in_flight(flight: &mut Option<Flight>) -> Committed {
    match flight {
        Some(flight) => flight.commit.as_mut().await,
        None => std::future::pending().await,
    }
}
