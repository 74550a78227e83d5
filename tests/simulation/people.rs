//! People and what leads to them: two channels, how they let their callers down, and what must hold of
//! every message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstop::decision::Recipient;
use backstop::incident::{
    ChannelName, Event, MessageOutcome, NoticeId, NoticeKind, Phase, References, StoredAs,
};
use backstop::notification::{Channel, Message, SendError, Sent};
use backstop::pipeline::Channels;
use chrono::{DateTime, TimeDelta, Utc};

use crate::promises::Promise;
use crate::world::World;

/// One that can be asked what has arrived, and takes two calls for its first notice; and one that can't.
pub(crate) const CHANNELS: [&str; 2] = ["chat", "blind"];

/// How a channel takes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnSend {
    #[default]
    Delivers,
    Down,
    AsksForPatience,
    /// It arrives, and the answer is lost.
    DeliversSilently,
    /// Nothing arrives, and the answer is lost.
    LosesSilently,
    Hangs,
    Refuses,
}

impl OnSend {
    pub(crate) const ALL: [Self; 7] = [
        Self::Delivers,
        Self::Down,
        Self::AsksForPatience,
        Self::DeliversSilently,
        Self::LosesSilently,
        Self::Hangs,
        Self::Refuses,
    ];
}

/// Which notice of whom: the incident, or nothing for the rollout's own.
type Key = (String, u32);

/// What is known of one channel.
#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) on_send: OnSend,
    /// What was raised and not yet left out, refused or delivered, as the disk has it.
    open: BTreeSet<Key>,
    /// Calls that are stored as begun.
    begun: BTreeSet<(Key, String)>,
    /// What has arrived, and whether the disk was sound then.
    arrived: BTreeMap<(Key, String), bool>,
    /// The last notice that arrived while the disk was sound, by subject.
    last: BTreeMap<String, u32>,
}

fn key(stored: &StoredAs, notice: NoticeId) -> Key {
    let subject = stored.incident.as_ref().map_or_else(|| stored.rollout.to_string(), ToString::to_string);
    (subject, notice.0)
}

impl People {
    /// An event of a message became durable.
    pub(crate) fn stored(people: &mut [Self; 2], stored: &StoredAs) {
        let at =
            |channel: &ChannelName| CHANNELS.iter().position(|name| *name == channel.as_str()).unwrap_or(0);
        match &stored.event {
            Event::NoticeRaised { id: Some(id), to, .. } => {
                for channel in to {
                    people[at(channel)].open.insert(key(stored, *id));
                }
            }
            Event::MessageBegun { channel, notice, call } => {
                people[at(channel)].begun.insert((key(stored, *notice), call.clone()));
            }
            Event::MessagesSuperseded { channel, notices } => {
                for notice in notices {
                    people[at(channel)].open.remove(&key(stored, *notice));
                }
            }
            Event::MessageEnded {
                channel,
                notice,
                outcome: MessageOutcome::Sent { complete: true, .. } | MessageOutcome::GivenUp { .. },
                ..
            } => {
                people[at(channel)].open.remove(&key(stored, *notice));
            }
            _ => {}
        }
    }

    /// A call is made.
    fn called(&self, message: &Message, call: &str, sound: bool) -> Promise {
        let key = of(message);
        let what = format!("{call} of notice {} of {}", key.1, key.0);
        let begun = self.begun.contains(&(key.clone(), call.to_owned()));
        promise!(begun || !sound, "{what} is sent and not stored");
        let last = self.last.get(&key.0).copied().unwrap_or_default();
        promise!(key.1 >= last, "{what} is sent after notice {last}");
        let arrived = self.arrived.get(&(key.clone(), call.to_owned()));
        promise!(
            arrived != Some(&true) || message.may_have_arrived,
            "{what} is sent again as if it could not have arrived"
        );
        if let Some(incident) = message.subject.incident() {
            let knows = incident.notices.iter().any(|notice| notice.id == message.notice.id);
            promise!(knows || incident.notices.len() >= 100, "{what} says more than the state");
            let off = matches!(incident.phase, Phase::RolledBack);
            promise!(
                message.notice.kind != NoticeKind::RollbackEnded || off,
                "{what} says that it is rolled back: {:?}",
                incident.phase
            );
        }
        Ok(())
    }

    /// What was raised and never came to an end.
    pub(crate) fn unsent(&self) -> Option<&Key> {
        self.open.first()
    }
}

fn of(message: &Message) -> Key {
    (message.subject.id().to_owned(), message.notice.id.map_or(0, |id| id.0))
}

/// A channel of the simulated world.
#[derive(Debug)]
struct Simulated {
    world: World,
    at: usize,
}

impl Simulated {
    fn can_find(&self) -> bool {
        self.at == 0
    }

    fn arrives(&self, message: &Message, call: &str) {
        let now = self.world.now();
        let mut inner = self.world.lock();
        let sound = inner.ledger.store_is_sound(now);
        let people = &mut inner.people[self.at];
        let key = of(message);
        // What a process sent that could store nothing, the next one can't know of.
        if sound {
            people.last.insert(key.0.clone(), key.1);
        }
        people.arrived.insert((key, call.to_owned()), sound);
    }

    fn sent(&self, call: &str) -> Sent {
        let root = (call == "root").then(|| ("root".to_owned(), "1".to_owned()));
        Sent { references: root.into_iter().collect::<References>() }
    }
}

#[async_trait]
impl Channel for Simulated {
    fn name(&self) -> ChannelName {
        ChannelName::new(CHANNELS[self.at])
    }

    fn wants(&self, _: NoticeKind) -> bool {
        true
    }

    fn next_call(&self, message: &Message) -> Option<&'static str> {
        match self.at {
            0 if !message.references.contains_key("root") => Some("root"),
            0 => (!message.has_done("reply")).then_some("reply"),
            _ => (!message.has_done("say")).then_some("say"),
        }
    }

    async fn send(&self, call: &str, message: &Message) -> Result<Sent, SendError> {
        let world = &self.world;
        world.step().await;
        let now = world.now();
        let (on_send, known) = {
            let inner = world.lock();
            let people = &inner.people[self.at];
            let known = people.arrived.contains_key(&(of(message), call.to_owned()));
            let on_send = people.on_send;
            let promise = people.called(message, call, inner.ledger.store_is_sound(now));
            world.keep(inner, promise);
            (on_send, known)
        };
        world.say(format!("{}: {call} {:?}: {on_send:?}", CHANNELS[self.at], of(message)));
        let reachable =
            matches!(on_send, OnSend::Delivers | OnSend::DeliversSilently | OnSend::LosesSilently);
        if self.can_find() && message.may_have_arrived && known && reachable {
            return Ok(self.sent(call));
        }
        let unknown = || SendError::Unknown { error: "timed out".to_owned() };
        match on_send {
            OnSend::Delivers => {
                self.arrives(message, call);
                world.step().await;
                Ok(self.sent(call))
            }
            OnSend::Down => Err(SendError::Failed { error: "refused".to_owned(), retry_after: None }),
            OnSend::AsksForPatience => {
                let retry_after = Some(Duration::from_secs(7));
                Err(SendError::Failed { error: "429".to_owned(), retry_after })
            }
            OnSend::DeliversSilently => {
                self.arrives(message, call);
                tokio::time::sleep(Duration::from_secs(1)).await;
                world.step().await;
                Err(unknown())
            }
            OnSend::LosesSilently => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(unknown())
            }
            OnSend::Hangs => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Err(unknown())
            }
            OnSend::Refuses => Err(SendError::Refused { error: "no such channel".to_owned() }),
        }
    }

    async fn test(&self, _: DateTime<Utc>) -> Result<String, SendError> {
        Ok("simulated".to_owned())
    }

    async fn check(&self) -> Result<Vec<String>, SendError> {
        Ok(Vec::new())
    }
}

pub(crate) fn channels(world: &World) -> Channels {
    let simulated = [0, 1].map(|at| Arc::new(Simulated { world: world.clone(), at }) as Arc<dyn Channel>);
    Arc::new(simulated.into_iter().map(|channel| (channel.name(), channel)).collect())
}

pub(crate) fn recipients() -> Vec<Recipient> {
    let recipient = |(at, name): (usize, &&str)| Recipient {
        channel: ChannelName::new(*name),
        kinds: NoticeKind::ALL.iter().copied().collect(),
        wakes: at == 0,
        first_within: (at == 1).then(|| TimeDelta::seconds(20)),
    };
    CHANNELS.iter().enumerate().map(recipient).collect()
}
