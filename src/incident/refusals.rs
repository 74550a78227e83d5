//! What channels refuse for good. An incident forgets what was given up once nothing is left to be done
//! for it; that nobody hears of anything through a channel has to show until somebody does again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ChannelName, Event, MessageOutcome, RolloutState};

/// The messages that a channel has refused for good since it last took one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    pub messages: u32,
    /// When the first of them was given up.
    pub since: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    /// Why the last one was; foreign text.
    pub error: String,
}

/// What is remembered of each channel. Stored as part of checkpoints: a new member needs a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    given_up: BTreeMap<ChannelName, GivenUp>,
    last_sent_at: BTreeMap<ChannelName, DateTime<Utc>>,
}

impl Refusals {
    /// Applies the end of a message; any other event changes nothing here.
    pub(super) fn apply(&mut self, at: DateTime<Utc>, event: &Event) {
        let Event::MessageEnded { channel, outcome, .. } = event else { return };
        match outcome {
            MessageOutcome::Sent { complete: true, .. } => {
                self.given_up.remove(channel);
                self.last_sent_at.insert(channel.clone(), at);
            }
            MessageOutcome::GivenUp { error } => {
                let first = GivenUp { messages: 0, since: at, last_at: at, error: String::new() };
                let given_up = self.given_up.entry(channel.clone()).or_insert(first);
                given_up.messages = given_up.messages.saturating_add(1);
                (given_up.last_at, given_up.error) = (at, error.clone());
            }
            MessageOutcome::Sent { complete: false, .. }
            | MessageOutcome::Failed { .. }
            | MessageOutcome::Unknown { .. } => {}
        }
    }
}

impl RolloutState {
    /// What the channels refuse of this rollout's messages, unless a later message reached them, about
    /// whichever of all the rollouts: a channel that takes messages again takes them for all.
    pub fn refusals<'a>(
        &'a self,
        all: impl IntoIterator<Item = &'a RolloutState>,
    ) -> Vec<(&'a ChannelName, &'a GivenUp)> {
        let mut refusals: Vec<_> = self.refusals.given_up.iter().collect();
        for state in all {
            refusals.retain(|(channel, given_up)| {
                let sent_at = state.refusals.last_sent_at.get(*channel);
                sent_at.is_none_or(|sent_at| *sent_at <= given_up.last_at)
            });
        }
        refusals
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::incident::fixtures::{opened_by_warning, raised};
    use crate::incident::{IncidentId, NoticeFact, NoticeId, Reason, References, RolloutName, StoredAs};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn tell(state: &mut RolloutState, seconds: i64, incident: &str, event: Event) {
        let (rollout, incident) = (RolloutName::new("r"), Some(IncidentId::new(incident)));
        state.apply(&StoredAs { at: at(seconds), rollout, incident, event });
    }

    fn ended(outcome: MessageOutcome) -> Event {
        let (channel, notice, call) = (ChannelName::new("slack"), NoticeId(1), "root".to_owned());
        Event::MessageEnded { channel, notice, call, outcome }
    }

    fn given_up(error: &str) -> Event {
        ended(MessageOutcome::GivenUp { error: error.to_owned() })
    }

    fn sent(complete: bool) -> Event {
        ended(MessageOutcome::Sent { references: References::new(), complete })
    }

    #[test]
    fn what_was_given_up_is_known_beyond_its_incident_until_a_message_arrives() {
        let mut state = RolloutState::default();
        let fact = NoticeFact::GraceCancelled { reason: Reason::NoCanary };
        tell(&mut state, 0, "a", Event::IncidentOpened(opened_by_warning("Latency")));
        tell(&mut state, 1, "a", raised(1, fact, &["slack"]));
        tell(&mut state, 2, "a", given_up("no_such_channel"));
        tell(&mut state, 3, "a", given_up("token_revoked"));
        tell(&mut state, 4, "a", Event::Cancelled { reason: Reason::NoCanary });
        tell(&mut state, 5, "b", Event::IncidentOpened(opened_by_warning("Latency")));
        assert!(state.known_incident(&IncidentId::new("a")).is_none(), "nothing is left to be done for it");
        let expected =
            GivenUp { messages: 2, since: at(2), last_at: at(3), error: "token_revoked".to_owned() };
        let slack = ChannelName::new("slack");
        assert_eq!(state.refusals([&state]), [(&slack, &expected)]);
        tell(&mut state, 6, "b", sent(false));
        assert_eq!(state.refusals([&state]).len(), 1, "half a message is none");
        let kept = state.clone();
        tell(&mut state, 7, "b", sent(true));
        assert_eq!(state.refusals([&state]), []);
        assert_eq!(kept.refusals([&kept, &state]), [], "it takes messages of another rollout");
        tell(&mut state, 8, "b", given_up("token_revoked"));
        assert_eq!(state.refusals([&kept, &state])[0].1.messages, 1, "counted anew");
    }
}
