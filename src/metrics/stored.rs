//! Counts what stored events say, each once: as it is stored, never as it is folded again.

use super::Metrics;
use super::labels::{Kind, OfRollout, of_verdict};
use crate::incident::{Event, Incident, StoredAs};

impl Metrics {
    /// Counts what a stored event says of rollbacks, verifications, notices, messages and the canary's
    /// share. `incident` is the event's own, folded at least that far.
    pub fn stored(&self, stored: &StoredAs, incident: Option<&Incident>) {
        let rollout = OfRollout { rollout: stored.rollout.to_string() };
        match &stored.event {
            Event::RollbackStarted { attempt: 1, .. } => {
                self.families.rollbacks.get_or_create(&rollout).inc();
            }
            Event::Failed { .. } => {
                self.families.rollback_failures.get_or_create(&rollout).inc();
            }
            Event::VerificationEnded(verification) => {
                let labels = of_verdict(&stored.rollout, verification.verdict);
                self.families.verifications.get_or_create(&labels).inc();
            }
            Event::NoticeRaised { kind, .. } => {
                self.families.notices.get_or_create(&Kind { kind: kind.to_string() }).inc();
            }
            Event::MessageEnded { channel, outcome, .. } => self.message_ended(channel, outcome),
            Event::MessagesSuperseded { channel, notices } => self.superseded(channel, notices.len()),
            Event::ShareRead { share, .. } => {
                // An unread share is no number: -1 stands out and breaks no sum of shares above 0.
                let percent = share.map_or(-1, |share| i64::from(share.0));
                self.families.canary_share_percent.get_or_create(&rollout).set(percent);
            }
            _ => {}
        }
        self.reacted(stored, incident);
    }
}
