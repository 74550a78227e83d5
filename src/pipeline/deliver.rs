//! Sends one notice through one channel, call by call, and reports what came of each.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{Rollout, Worker};
use crate::decision::{Input, MessageId, Sending};
use crate::incident::{Deliveries, DeliveryEnd, NoticeFact, Queue, Waiting};
use crate::notification::{CALL_TIMEOUT, Channel, Message, SendError, Sent, Subject};

/// Beyond a call's own time limit: what a channel does before and after its request.
const CALL_MARGIN: std::time::Duration = std::time::Duration::from_secs(5);

impl Worker {
    pub(super) async fn deliver(&self, rollout: &Rollout, id: MessageId) {
        let Some((message, _)) = self.message(rollout, &id) else { return };
        let Some(channel) = self.channels.get(&id.channel) else {
            let error = format!("{} is no longer configured", id.channel);
            return self.message_ended(rollout, &id, "none", Sending::Refused { error }).await;
        };
        let Some(call) = channel.next_call(&message) else {
            let sending = Sending::Sent { references: Default::default(), complete: true };
            return self.message_ended(rollout, &id, "none", sending).await;
        };
        let Some(message) = self.begin(rollout, &id, call).await else { return };
        let sending = send(channel.as_ref(), call, message).await;
        self.message_ended(rollout, &id, call, sending).await;
    }

    /// Records that a call begins, and returns the message as it is then: what it is rendered from must
    /// not be older than that. `None`: it may not be sent, because something came in between.
    async fn begin(&self, rollout: &Rollout, id: &MessageId, call: &'static str) -> Option<Message> {
        let (before, attempts) = self.message(rollout, id)?;
        let input = Input::MessageBegun { message: id.clone(), call: call.to_owned() };
        self.report(&rollout.name, input).await;
        let (message, begun) = self.message(rollout, id)?;
        let may_have_arrived = before.may_have_arrived;
        (begun > attempts).then_some(Message { may_have_arrived, ..message })
    }

    /// The message, and how often its next call was begun.
    fn message(&self, rollout: &Rollout, id: &MessageId) -> Option<(Message, u32)> {
        let states = self.journal.states();
        let state = states.get(&rollout.name)?;
        let (mut subject, deliveries): (Subject, &Deliveries) = match &id.incident {
            None => {
                let revision = rollout.policy.revision_now(state, None).clone();
                let (name, ramp) = (rollout.name.clone(), state.ramp.clone());
                (Subject::Rollout { name, revision, ramp }, &state.deliveries)
            }
            Some(incident) => {
                let incident = state.known_incident(incident)?;
                (Subject::Incident(Arc::clone(incident)), &incident.deliveries)
            }
        };
        let queue = deliveries.queues.get(&id.channel)?;
        let first = queue.waiting.first().filter(|waiting| waiting.notice.id == Some(id.notice))?;
        let may_have_arrived = first.may_have_arrived();
        let Waiting { notice, done, attempts, .. } = first.clone();
        if let (Subject::Rollout { ramp, .. }, Some(NoticeFact::Ramp(fact))) = (&mut subject, &notice.fact) {
            // What is told late of an earlier ramp is no place for what the one that runs now allows.
            *ramp = ramp.take().filter(|ramp| ramp.id == fact.ramp);
        }
        let message = Message {
            subject,
            notice,
            done,
            references: queue.references.clone(),
            may_have_arrived,
            left_out: left_out(queue),
        };
        Some((message, attempts))
    }

    async fn message_ended(&self, rollout: &Rollout, id: &MessageId, call: &str, sending: Sending) {
        let jitter = self.randomness.jitter();
        let input = Input::MessageEnded { message: id.clone(), call: call.to_owned(), sending, jitter };
        self.report(&rollout.name, input).await;
    }
}

/// How many notices just before the next one were left out.
fn left_out(queue: &Queue) -> usize {
    queue.delivered.iter().rev().take_while(|delivered| delivered.end == DeliveryEnd::Superseded).count()
}

async fn send(channel: &dyn Channel, call: &str, mut message: Message) -> Sending {
    match tokio::time::timeout(CALL_TIMEOUT + CALL_MARGIN, channel.send(call, &message)).await {
        Ok(Ok(Sent { references })) => {
            message.done.push(call.to_owned());
            message.references.extend(references.clone());
            Sending::Sent { references, complete: channel.next_call(&message).is_none() }
        }
        Ok(Err(SendError::Failed { error, retry_after })) => {
            let retry_after = retry_after.and_then(|wait| TimeDelta::from_std(wait).ok());
            Sending::Failed { error, retry_after }
        }
        Ok(Err(SendError::Unknown { error })) => Sending::Unknown { error },
        Ok(Err(SendError::Refused { error })) => Sending::Refused { error },
        Err(_) => Sending::Unknown { error: "no answer in time".to_owned() },
    }
}
