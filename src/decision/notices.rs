//! Notices: what people are to know, raised with the decision that it is about, and stored with whom
//! it goes to.

use super::draft::Draft;
use super::policy::Recipient;
use crate::incident::{ChannelName, Event, IncidentId, NoticeFact, NoticeKind};

impl Draft<'_> {
    /// Raises a notice about an incident that is known: open, the last, or with something left to do.
    pub(super) fn notice(&mut self, id: &IncidentId, fact: NoticeFact) {
        let to = self.recipients(fact.kind());
        self.notice_to(id, fact, to);
    }

    pub(super) fn notice_to(&mut self, id: &IncidentId, fact: NoticeFact, to: Vec<ChannelName>) {
        let known = self.state.known_incident(id);
        let number = known.map(|incident| incident.deliveries.next_id());
        let stage = known.and_then(|incident| incident.stage());
        let event = self.raised(fact, to, number, stage);
        self.incident_event(id, event);
    }

    /// Raises a notice about the rollout itself.
    pub(super) fn rollout_notice(&mut self, fact: NoticeFact) {
        let to = self.recipients(fact.kind());
        let number = Some(self.state.deliveries.next_id());
        let event = self.raised(fact, to, number, None);
        self.rollout_event(event);
    }

    fn raised(
        &self,
        fact: NoticeFact,
        to: Vec<ChannelName>,
        id: Option<crate::incident::NoticeId>,
        stage: Option<crate::incident::Stage>,
    ) -> Event {
        Event::NoticeRaised {
            kind: fact.kind(),
            id,
            fact: Some(Box::new(fact)),
            stage,
            share: self.share_read().0,
            to,
            text: String::new(),
        }
    }

    /// The channels that want to hear of it.
    pub(super) fn recipients(&self, kind: NoticeKind) -> Vec<ChannelName> {
        let wants = |recipient: &&Recipient| recipient.kinds.contains(&kind);
        let recipients = self.context.policy.recipients.iter().filter(wants);
        recipients.map(|recipient| recipient.channel.clone()).collect()
    }
}
