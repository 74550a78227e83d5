//! Who did what, and who was told.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::times::span;
use crate::incident::{ChannelName, Incident, Notice, NoticeFact, NoticeId, Trigger};

/// What a person did; name and words are foreign text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deed {
    pub at: DateTime<Utc>,
    pub actor: String,
    /// `rolled_back`, `held`, `resumed`, `acknowledged` or `closed`.
    pub did: &'static str,
    /// Their words, where there are some.
    pub words: Option<String>,
}

/// A notice, and what became of it on each channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageReport {
    /// Its number within the incident; none in those of old versions, which were sent nowhere.
    pub notice: Option<u32>,
    pub at: DateTime<Utc>,
    pub kind: &'static str,
    pub text: String,
    pub channels: Vec<ToldChannel>,
}

/// One channel's part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldChannel {
    pub channel: String,
    /// `waiting`, `sent`, `given_up` or `superseded`.
    pub state: &'static str,
    /// Since when it waits, or when that state was reached.
    pub at: DateTime<Utc>,
    pub attempts: u32,
    pub error: Option<String>,
}

/// Somebody said to have seen it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TakenNote {
    pub actor: String,
    pub at: DateTime<Utc>,
    /// From the first message that reached a channel; none where none did before.
    pub after_first_message_seconds: Option<f64>,
    /// What happened after that and needed a person anew, such as `attempt 1 failed`.
    pub before: Option<String>,
}

pub(super) fn deeds(incident: &Incident) -> Vec<Deed> {
    let rolled_back = incident.causes.iter().filter_map(|cause| match &cause.trigger {
        Trigger::Manual { actor } => {
            let words = Some(cause.words.clone());
            Some(Deed { at: cause.at, actor: actor.clone(), did: "rolled_back", words })
        }
        Trigger::Automatic => None,
    });
    let mut deeds: Vec<_> = rolled_back.chain(incident.notices.iter().filter_map(deed)).collect();
    deeds.sort_by_key(|deed| deed.at);
    deeds
}

fn deed(notice: &Notice) -> Option<Deed> {
    let of = |actor: &String, did, words| Some(Deed { at: notice.at, actor: actor.clone(), did, words });
    match notice.fact.as_ref()? {
        NoticeFact::GraceHeld { actor, reason, .. } if reason.is_of_a_person() => of(actor, "held", None),
        NoticeFact::GraceResumed { actor, .. } => of(actor, "resumed", None),
        NoticeFact::Acknowledged { actor } => of(actor, "acknowledged", None),
        NoticeFact::IncidentClosed { actor, words } => of(actor, "closed", Some(words.clone())),
        _ => None,
    }
}

pub(super) fn messages(incident: &Incident) -> Vec<MessageReport> {
    let messages = incident.notices.iter().map(|notice| {
        let told = notice.id.into_iter().flat_map(|id| incident.deliveries.of(id));
        let channels = told.map(|(channel, telling)| ToldChannel {
            channel: channel.to_string(),
            state: telling.as_str(),
            at: telling.at(),
            attempts: telling.attempts(),
            error: telling.error().map(str::to_owned),
        });
        MessageReport {
            notice: notice.id.map(|NoticeId(number)| number),
            at: notice.at,
            kind: notice.kind.as_str(),
            text: notice.sentence(),
            channels: channels.collect(),
        }
    });
    messages.collect()
}

/// The first who took note: by saying so, or by doing something about it.
pub(super) fn taken_note(incident: &Incident) -> Option<TakenNote> {
    let first = deeds(incident).into_iter().next()?;
    let sent = incident.deliveries.queues.values().filter_map(crate::incident::Queue::first_sent_at).min();
    let after = sent.filter(|sent| *sent <= first.at);
    let before = incident.noted_before.as_ref().filter(|noted| noted.actor == first.actor);
    Some(TakenNote {
        before: before.map(|noted| noted.need.words()),
        after_first_message_seconds: span(after, Some(first.at)),
        actor: first.actor,
        at: first.at,
    })
}

/// Why the channel could not be told, where that was reported elsewhere.
pub(super) fn failure<'a>(incident: &'a Incident, of: &ChannelName) -> Option<&'a str> {
    incident.notices.iter().rev().find_map(|notice| match &notice.fact {
        Some(NoticeFact::ChannelFailed { channel, error, .. }) if channel == of => Some(error.as_str()),
        _ => None,
    })
}
