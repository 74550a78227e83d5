//! Messages on their way: when one is tried again, when it is given up, and which are not sent any
//! more because a later one says how it stands.

use chrono::{DateTime, TimeDelta, Utc};

use super::draft::Draft;
use super::policy::{Policy, Recipient};
use crate::incident::{
    ChannelName, Deliveries, Event, Incident, IncidentId, MessageOutcome, Notice, NoticeFact, NoticeId,
    NoticeKind, Queue, Reason, References, Waiting,
};

/// The gaps before each further try of what wakes somebody, then the last one for ever: a page that
/// comes minutes late is worth little (reference notes on notifications, section 2).
const PAGE_GAPS_SECONDS: &[u32] = &[1, 5, 30, 30, 30, 60];

/// The same for what only informs.
const INFORM_GAPS_SECONDS: &[u32] = &[1, 5, 15, 60, 120, 300];

/// Up to so much of a gap is added at random, so that many that failed together don't come again
/// together.
const MOST_JITTER: f64 = 0.2;

/// The longest that a channel may ask to be left alone: an hour's `Retry-After` must not silence a page.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(5);

/// What could not be delivered for so long is no news any more.
const LIFE: TimeDelta = TimeDelta::days(1);

/// After so many failed tries of one message it is reported through the other channels.
const TRIES_UNTIL_REPORTED: u32 = 3;

/// What has waited for so long is left out if a later notice says how it stands: after an outage
/// people get the state, not its history.
const LATE: TimeDelta = TimeDelta::minutes(2);

/// Added to a public deadline's alarm: the status page is due within five minutes, and people hear of
/// it after four (protocol, Communication).
const ALARM_BEFORE_DUE: TimeDelta = TimeDelta::minutes(1);

/// How a call to a channel ended, as the channel says.
#[derive(Debug, Clone, PartialEq)]
pub enum Sending {
    Sent {
        references: References,
        /// Whether the notice needs nothing more of the channel.
        complete: bool,
    },
    /// It did not arrive.
    Failed {
        error: String,
        /// How long the channel asks to be left alone.
        retry_after: Option<TimeDelta>,
    },
    /// It may have arrived.
    Unknown { error: String },
    /// Trying again would be of no use.
    Refused { error: String },
}

/// Which message of whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageId {
    /// `None`: a notice of the rollout itself.
    pub incident: Option<IncidentId>,
    pub channel: ChannelName,
    pub notice: NoticeId,
}

impl Draft<'_> {
    fn deliveries(&self, incident: Option<&IncidentId>) -> Option<&Deliveries> {
        match incident {
            None => Some(&self.state.deliveries),
            Some(id) => self.state.known_incident(id).map(|incident| &incident.deliveries),
        }
    }

    fn queue(&self, id: &MessageId) -> Option<&Queue> {
        self.deliveries(id.incident.as_ref())?.queues.get(&id.channel)
    }

    fn delivery_event(&mut self, id: &MessageId, event: Event) {
        match &id.incident {
            Some(incident) => self.incident_event(incident, event),
            None => self.rollout_event(event),
        }
    }
}

/// A call is about to be made. It may be made only if it is recorded as begun: what it is about may
/// have been delivered or replaced meanwhile.
pub(super) fn begun(draft: &mut Draft<'_>, id: &MessageId, call: &str) -> Option<Reason> {
    let queue = draft.queue(id)?;
    let wakes = recipient(draft, &id.channel).is_some_and(|recipient| recipient.wakes);
    let replaced = superseded(queue, draft.now(), wakes);
    if !replaced.is_empty() {
        let channel = id.channel.clone();
        draft.delivery_event(id, Event::MessagesSuperseded { channel, notices: replaced });
        return None;
    }
    if queue.waiting.first()?.notice.id != Some(id.notice) {
        return None;
    }
    let (channel, notice, call) = (id.channel.clone(), id.notice, call.to_owned());
    draft.delivery_event(id, Event::MessageBegun { channel, notice, call });
    None
}

/// A call has ended. `jitter` is between 0 and 1.
pub(super) fn ended(
    draft: &mut Draft<'_>,
    id: &MessageId,
    call: &str,
    sending: &Sending,
    jitter: f64,
) -> Option<Reason> {
    let now = draft.now();
    let waiting = draft.queue(id)?.waiting.iter().find(|waiting| waiting.notice.id == Some(id.notice))?;
    let kind = waiting.notice.kind;
    let attempts = waiting.attempts;
    let outcome = outcome(waiting, sending, now, (gaps(draft, id, kind), jitter));
    let failure = failure(&outcome, attempts);
    let (channel, notice, call) = (id.channel.clone(), id.notice, call.to_owned());
    draft.delivery_event(id, Event::MessageEnded { channel, notice, call, outcome });
    if let Some((error, is_tried)) = failure {
        report(draft, id, kind, error, is_tried);
    }
    None
}

/// The channel as it is configured; `None`: it is not any more.
fn recipient<'a>(draft: &Draft<'a>, channel: &ChannelName) -> Option<&'a Recipient> {
    draft.context.policy.recipients.iter().find(|recipient| recipient.channel == *channel)
}

/// What wakes somebody is tried more often, and so is what the public waits for and has not got yet.
fn gaps(draft: &Draft<'_>, id: &MessageId, kind: NoticeKind) -> &'static [u32] {
    let is_awaited = recipient(draft, &id.channel).is_some_and(|known| known.first_within.is_some())
        && draft.queue(id).is_some_and(|queue| queue.first_sent_at().is_none());
    if kind.pages() || is_awaited { PAGE_GAPS_SECONDS } else { INFORM_GAPS_SECONDS }
}

fn outcome(
    waiting: &Waiting,
    sending: &Sending,
    now: DateTime<Utc>,
    (gaps, jitter): (&[u32], f64),
) -> MessageOutcome {
    let given_up =
        |error: &str| MessageOutcome::GivenUp { error: format!("not delivered within a day: {error}") };
    let is_too_old = now - waiting.notice.at > LIFE;
    match sending {
        Sending::Sent { references, complete } => {
            MessageOutcome::Sent { references: references.clone(), complete: *complete }
        }
        Sending::Refused { error } => MessageOutcome::GivenUp { error: error.clone() },
        Sending::Failed { error, .. } | Sending::Unknown { error } if is_too_old => given_up(error),
        Sending::Failed { error, retry_after } => {
            let asked = retry_after.unwrap_or_default().min(LONGEST_WAIT);
            let retry_at = now + gap(gaps, waiting.attempts, jitter).max(asked);
            MessageOutcome::Failed { error: error.clone(), retry_at }
        }
        Sending::Unknown { error } => {
            let retry_at = now + gap(gaps, waiting.attempts, jitter);
            MessageOutcome::Unknown { error: error.clone(), retry_at }
        }
    }
}

/// The gap after the given number of tries, with up to [`MOST_JITTER`] added.
fn gap(gaps_seconds: &[u32], tries: u32, jitter: f64) -> TimeDelta {
    let index = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = gaps_seconds.get(index).or(gaps_seconds.last()).copied().unwrap_or(60);
    #[expect(clippy::cast_possible_truncation, reason = "minutes, in milliseconds")]
    let milliseconds = (f64::from(seconds) * 1_000.0 * (1.0 + MOST_JITTER * jitter.clamp(0.0, 1.0))) as i64;
    TimeDelta::milliseconds(milliseconds)
}

/// Whether people have to hear through another channel that this one fails.
fn failure(outcome: &MessageOutcome, attempts: u32) -> Option<(String, bool)> {
    match outcome {
        MessageOutcome::GivenUp { error } => Some((error.clone(), false)),
        MessageOutcome::Failed { error, .. } | MessageOutcome::Unknown { error, .. }
            if attempts >= TRIES_UNTIL_REPORTED =>
        {
            Some((error.clone(), true))
        }
        _ => None,
    }
}

/// Once for each outage of a channel, and never about the report of another one's: two that are down
/// would report each other without end.
fn report(draft: &mut Draft<'_>, id: &MessageId, kind: NoticeKind, error: String, is_tried: bool) {
    let Some(incident) = &id.incident else { return };
    let is_reported = draft.queue(id).is_some_and(|queue| queue.failure_reported);
    if is_reported || kind == NoticeKind::ChannelFailed {
        return;
    }
    let mut others = draft.recipients(NoticeKind::ChannelFailed);
    others.retain(|channel| *channel != id.channel);
    let channel = id.channel.clone();
    let matters = recipient(draft, &channel).is_some_and(|known| known.wakes || known.first_within.is_some());
    draft.notice_to(incident, NoticeFact::ChannelFailed { channel, error, is_tried, matters }, others);
}

/// The messages of a queue that need not be sent any more. `wakes`: the channel is one that pages.
fn superseded(queue: &Queue, now: DateTime<Utc>, wakes: bool) -> Vec<NoticeId> {
    let untouched = |waiting: &Waiting| waiting.done.is_empty() && !waiting.may_have_arrived();
    let late = queue.waiting.iter().enumerate().filter(|(index, waiting)| {
        let later = &queue.waiting[index + 1..];
        let replaced = |later: &Waiting| !waiting.notice.kind.pages() || says_more(later.notice.kind, wakes);
        now - waiting.notice.at > LATE && untouched(waiting) && later.iter().any(replaced)
    });
    late.filter_map(|(_, waiting)| waiting.notice.id).collect()
}

/// Whether whoever hears of this needs no earlier page: it is one, or the incident has ended. Where
/// somebody is woken, a rollback that has ended is not enough: its alerts may still fire.
fn says_more(kind: NoticeKind, wakes: bool) -> bool {
    kind.pages() || (kind.ends() && !(wakes && kind == NoticeKind::RollbackEnded))
}

/// When it is reported that a public channel was not updated in time; `None` where it was, or was
/// reported, or nothing public is due.
pub(super) fn public_alarm(
    incident: &Incident,
    policy: &Policy,
) -> Option<(ChannelName, DateTime<Utc>, DateTime<Utc>)> {
    let is_reported = |channel: &ChannelName| {
        let late = |notice: &Notice| matches!(&notice.fact, Some(NoticeFact::PublicUpdateLate { channel: late, .. }) if late == channel);
        incident.notices.iter().any(late)
    };
    let public = policy.recipients.iter().filter_map(|recipient| Some((recipient, recipient.first_within?)));
    let mut alarms = public.filter_map(|(recipient, within)| {
        let queue = incident.deliveries.queues.get(&recipient.channel)?;
        let waiting = &queue.waiting.first()?.notice;
        if queue.first_sent_at().is_some() || is_reported(&recipient.channel) {
            return None;
        }
        // Also where that one was left out since: the public has waited from then on.
        let mut notices = incident.notices.iter();
        let first = notices.find(|notice| recipient.kinds.contains(&notice.kind)).unwrap_or(waiting);
        let due_at = first.at + within;
        Some((recipient.channel.clone(), due_at - ALARM_BEFORE_DUE.min(within / 5), due_at))
    });
    alarms.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_tried_every_minute_and_what_informs_ever_rarer() {
        let of = |gaps| (1..=8).map(|tries| gap(gaps, tries, 0.0).num_seconds()).collect::<Vec<_>>();
        assert_eq!(of(PAGE_GAPS_SECONDS), [1, 5, 30, 30, 30, 60, 60, 60]);
        assert_eq!(of(INFORM_GAPS_SECONDS), [1, 5, 15, 60, 120, 300, 300, 300]);
        assert_eq!(gap(PAGE_GAPS_SECONDS, 6, 1.0).num_seconds(), 72, "a fifth more at most");
    }
}
