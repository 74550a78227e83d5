//! What is decided and not yet durable: in order, within limits, with the time from which on it is
//! acted upon or its callers are answered all the same.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::States;
use super::answer::{Answer, Publisher, Wants};
use super::held_blobs::HeldBlobs;
use super::limits::{MOST_BLOB_BYTES, has_room};
use crate::decision::Input;
use crate::incident::StoredAs;
use crate::store::{Blobs, Settle};

/// How long a commit may hold up what is urgent. A commit takes milliseconds; a disk that hangs must
/// not keep the traffic on a bad canary.
pub(super) const ACT_AFTER: Duration = Duration::from_millis(500);

/// How long a caller waits for durability. Alertmanager gives up a request after 10 s at the least
/// (reference notes on Alertmanager, section 2); answered with a 503 before that, it sends again.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What came of one submission.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) events: Vec<StoredAs>,
    pub(super) blobs: Blobs,
    pub(super) answer: Option<(Answer, Wants)>,
    /// Whether its events were logged and counted.
    told: bool,
}

impl Decision {
    pub(super) fn new(events: Vec<StoredAs>, blobs: Blobs, answer: Option<(Answer, Wants)>) -> Self {
        Self { events, blobs, answer, told: false }
    }
}

/// Decisions that were made together, with the states that they lead to.
#[derive(Debug)]
struct Round {
    /// The number of its last decision.
    until: u64,
    states: States,
    /// Whether it led to anything that those who act on states have to see.
    changes: bool,
    /// From when on it is acted upon, durable or not; `None`: it waits for durability.
    act_at: Option<Instant>,
    /// From when on its callers are answered, durable or not.
    answer_at: Option<Instant>,
}

/// The decisions that are not durable yet, the oldest first.
#[derive(Debug)]
pub(super) struct Pending {
    decisions: VecDeque<Decision>,
    rounds: VecDeque<Round>,
    /// The number of the last decision that has left; they count from 1.
    left: u64,
    /// The number up to which decisions are acted upon.
    acted: u64,
    publisher: Publisher,
    held: HeldBlobs,
}

impl Pending {
    pub(super) fn new(publisher: Publisher, held: HeldBlobs) -> Self {
        Self { decisions: VecDeque::new(), rounds: VecDeque::new(), left: 0, acted: 0, publisher, held }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }

    /// The number of the newest decision.
    pub(super) fn end(&self) -> u64 {
        self.left + self.decisions.len() as u64
    }

    pub(super) fn events(&self) -> usize {
        self.decisions.iter().map(|decision| decision.events.len()).sum()
    }

    /// Whether inputs may still be decided although the store does not keep up.
    pub(super) fn has_room_for<'a>(&self, decided: usize, inputs: impl Iterator<Item = &'a Input>) -> bool {
        has_room(self.events() + decided, inputs)
    }

    /// Adds decisions that were made together. `busy_since`: when the append that they wait behind
    /// was begun; one that takes long already is not waited for again.
    pub(super) fn push(
        &mut self,
        decisions: Vec<Decision>,
        states: &States,
        is_urgent: bool,
        busy_since: Option<Instant>,
    ) {
        let since = busy_since.unwrap_or_else(Instant::now);
        let changes = decisions.iter().any(|decision| !decision.events.is_empty());
        for decision in &decisions {
            self.held.insert(&decision.blobs);
        }
        self.decisions.extend(decisions);
        self.rounds.push_back(Round {
            until: self.end(),
            states: states.clone(),
            changes,
            act_at: (is_urgent && changes).then_some(since + ACT_AFTER),
            answer_at: Some(since + ANSWER_WITHIN),
        });
    }

    /// Leaves raw bodies out that are too much to hold while the store does not keep up. Without its
    /// raw body an alert is still recorded whole.
    pub(super) fn without_excess(&self, blobs: Blobs) -> Blobs {
        let mut bytes = self.held.bytes();
        let (kept, excess): (Blobs, Blobs) = blobs.into_iter().partition(|(_, body)| {
            bytes += body.len();
            bytes <= MOST_BLOB_BYTES
        });
        if !excess.is_empty() {
            tracing::warn!("a raw body is too much to hold until the store is back; its alerts are held");
        }
        kept
    }

    /// Everything for one append, each submission by itself, and what to do once it is durable.
    pub(super) fn to_append(&self) -> (Vec<(Vec<StoredAs>, Blobs)>, Settle) {
        let decisions: Vec<_> =
            self.decisions.iter().map(|decision| (decision.events.clone(), decision.blobs.clone())).collect();
        let answers: Vec<_> = self.decisions.iter().filter_map(|decision| decision.answer.clone()).collect();
        let changed = self.rounds.iter().rev().find(|round| round.changes);
        let states = changed.map(|round| (round.until, round.states.clone()));
        let publisher = self.publisher.clone();
        let acts_first = self.rounds.iter().any(|round| round.act_at.is_some());
        let settle = move || {
            let changed = states.is_some_and(|(until, states)| publisher.show(until, &states));
            // Whoever is woken first is served first: the one who acts before the one who reports.
            if changed && acts_first {
                publisher.wake();
            }
            answers.iter().for_each(|(answer, _)| answer.taken(true));
            if changed && !acts_first {
                publisher.wake();
            }
        };
        (decisions, Box::new(settle))
    }

    /// The next time at which somebody is owed something.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.rounds.iter().flat_map(|round| [round.act_at, round.answer_at]).flatten().min()
    }

    /// Acts on what is urgent and has waited long enough, with all that was decided before it.
    /// Whether anything was.
    pub(super) fn act_if_due(&mut self, now: Instant) -> bool {
        let due = self.rounds.iter().rev().find(|round| round.act_at.is_some_and(|at| at <= now));
        let Some(until) = due.map(|round| round.until) else { return false };
        self.act_until(until);
        true
    }

    /// Acts on everything up to this decision, and answers those who only wait for that.
    pub(super) fn act_until(&mut self, until: u64) {
        for round in self.rounds.iter_mut().filter(|round| round.until <= until) {
            round.act_at = None;
        }
        self.acted = self.acted.max(until);
        if let Some(round) = self.rounds.iter().rev().find(|round| round.until <= until && round.changes) {
            self.publisher.publish(round.until, &round.states);
        }
        for (answer, wants) in self.numbered().filter(|(number, _)| *number <= until).filter_map(answer_of) {
            if *wants == Wants::Action {
                answer.taken(false);
            }
        }
    }

    /// Answers callers who have waited long enough. Whether there were any.
    pub(super) fn answer_if_due(&mut self, now: Instant) -> bool {
        let due = self.rounds.iter().rev().find(|round| round.answer_at.is_some_and(|at| at <= now));
        let Some(until) = due.map(|round| round.until) else { return false };
        self.answer_until(until);
        true
    }

    /// Answers every caller up to this decision: it is not durable.
    pub(super) fn answer_until(&mut self, until: u64) {
        for round in self.rounds.iter_mut().filter(|round| round.until <= until) {
            round.answer_at = None;
        }
        for (answer, _) in self.numbered().filter(|(number, _)| *number <= until).filter_map(answer_of) {
            answer.taken(false);
        }
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, &Decision)> {
        (self.left + 1..).zip(&self.decisions)
    }

    /// Events that are acted upon, and neither logged nor counted yet.
    pub(super) fn untold(&mut self) -> Vec<StoredAs> {
        let acted = usize::try_from(self.acted.saturating_sub(self.left)).unwrap_or(usize::MAX);
        let mut untold = Vec::new();
        for decision in self.decisions.iter_mut().take(acted).filter(|decision| !decision.told) {
            decision.told = true;
            untold.extend(decision.events.iter().cloned());
        }
        untold
    }

    /// Lets the oldest decisions go: they are durable, or refused. Returns the states after them, if
    /// that is where a round ends, and the events that are neither logged nor counted yet.
    pub(super) fn settle(&mut self, count: usize) -> (Option<States>, Vec<StoredAs>) {
        let left = self.left + count as u64;
        let mut states = None;
        while let Some(round) = self.rounds.pop_front_if(|round| round.until <= left) {
            if round.changes {
                self.publisher.publish(round.until, &round.states);
            }
            states = (round.until == left).then_some(round.states);
        }
        let mut untold = Vec::new();
        for decision in self.decisions.drain(..count) {
            self.held.remove(&decision.blobs);
            decision.answer.iter().for_each(|(answer, _)| answer.taken(true));
            if !decision.told {
                untold.extend(decision.events);
            }
        }
        self.left = left;
        self.acted = self.acted.max(left);
        (states, untold)
    }

    /// Lets everything go that waited for nothing but what was before it.
    pub(super) fn settle_all(&mut self) -> Option<States> {
        self.settle(self.decisions.len()).0
    }

    /// Answers that these were decided and are not durable: they are set aside.
    pub(super) fn refuse(&self, indices: &[usize]) {
        for (answer, _) in indices.iter().filter_map(|index| self.decisions.get(*index)?.answer.as_ref()) {
            answer.taken(false);
        }
    }

    /// Somebody else wrote the store. What is acted upon has happened and stays, to be stored after
    /// what is there; the rest has not, and is forgotten. Returns the events that stay.
    pub(super) fn keep_acted(&mut self, why: &str) -> Vec<StoredAs> {
        let end = self.end();
        let acted = usize::try_from(self.acted.saturating_sub(self.left)).unwrap_or(usize::MAX);
        for decision in self.decisions.split_off(acted.min(self.decisions.len())) {
            self.held.remove(&decision.blobs);
            decision.answer.iter().for_each(|(answer, _)| answer.void(why));
        }
        self.rounds.clear();
        // Numbers are not given twice: what is published next is newer than all before.
        self.left = end + 1 - self.decisions.len() as u64;
        self.acted = end + 1;
        self.decisions.iter().flat_map(|decision| decision.events.iter().cloned()).collect()
    }

    /// Shows states that came from elsewhere, with what stays pending on top of them.
    pub(super) fn show(&mut self, states: &States) {
        let until = self.end();
        self.publisher.publish(until, states);
        if !self.decisions.is_empty() {
            let states = states.clone();
            self.rounds.push_back(Round { until, states, changes: false, act_at: None, answer_at: None });
        }
    }
}

fn answer_of((_, decision): (u64, &Decision)) -> Option<&(Answer, Wants)> {
    decision.answer.as_ref()
}

#[cfg(test)]
mod tests;
