//! Which calls a notice needs. Level based: it follows from the notice, from what is remembered as
//! triggered and from where the incident stands, not from having seen every notice before.

use crate::incident::{Incident, Level, NoticeFact, NoticeKind, References, Verdict};
use crate::notification::Message;

/// The levels that a routing key may be for.
pub(super) const LEVELS: [Level; 3] = [Level::FIRST, Level(2), Level::LAST];

/// What is done with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Trigger,
    Acknowledge,
    Resolve,
}

impl Action {
    /// PagerDuty's `event_action`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Event(Action, Level),
    Change,
}

/// The names under which calls are stored.
const NAMES: [(&str, Call); 10] = [
    ("trigger", Call::Event(Action::Trigger, Level::FIRST)),
    ("trigger_l2", Call::Event(Action::Trigger, Level(2))),
    ("trigger_l3", Call::Event(Action::Trigger, Level(3))),
    ("acknowledge", Call::Event(Action::Acknowledge, Level::FIRST)),
    ("acknowledge_l2", Call::Event(Action::Acknowledge, Level(2))),
    ("acknowledge_l3", Call::Event(Action::Acknowledge, Level(3))),
    ("resolve", Call::Event(Action::Resolve, Level::FIRST)),
    ("resolve_l2", Call::Event(Action::Resolve, Level(2))),
    ("resolve_l3", Call::Event(Action::Resolve, Level(3))),
    ("change", Call::Change),
];

impl Call {
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, call)| *call == self).map_or("none", |(name, _)| name)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, call)| *call)
    }
}

/// Under which name it is remembered that a level's page was triggered, with its dedup key; an empty
/// one once it was resolved.
pub(super) fn reference(level: Level) -> &'static str {
    match level.0 {
        2 => "page_l2",
        3 => "page_l3",
        _ => "page",
    }
}

/// The dedup key of the level's page, as long as it was triggered and not resolved.
pub(super) fn page(references: &References, level: Level) -> Option<&str> {
    references.get(reference(level)).map(String::as_str).filter(|key| !key.is_empty())
}

/// The calls in their order. `levels`: whether the further levels have keys of their own.
pub(super) fn plan(message: &Message, levels: bool) -> Vec<Call> {
    let mut calls = of_kind(message, levels);
    // A later incident of the revision has the same page: what this one still has to say of it, late as
    // it is, must neither end that one's page nor open one that nobody ends.
    if message.subject.incident().is_some_and(|incident| incident.is_followed) {
        calls.retain(|call| *call == Call::Change);
    }
    calls
}

fn of_kind(message: &Message, levels: bool) -> Vec<Call> {
    use NoticeKind as Kind;
    let trigger = |level| Call::Event(Action::Trigger, level);
    match message.notice.kind {
        Kind::RollbackStarted
        | Kind::RollbackFailed
        | Kind::RollbackOverdue
        | Kind::RollbackWaits
        | Kind::RollbackNotVerified
        | Kind::RepeatedRollback
        | Kind::WatchdogLost
        | Kind::RampHoldsTooLong => vec![trigger(Level::FIRST)],
        Kind::Escalated => {
            let level = levels.then(|| escalated_to(message)).flatten();
            // Not for what has ended meanwhile, unless it may be there already and has to be ended.
            let level = level.filter(|_| goes_on(message) || message.may_have_arrived);
            first_if_missing(message).into_iter().chain(level.map(trigger)).collect()
        }
        Kind::Acknowledged => acknowledge(message),
        Kind::AlertsEnded if needs_a_look(message) => vec![Call::Change],
        Kind::AlertsEnded | Kind::WatchdogBack | Kind::RampGoesOn | Kind::RampSucceeded | Kind::RampEnded => {
            of_open_pages(message, Action::Resolve)
        }
        Kind::IncidentClosed | Kind::IncidentSuperseded => {
            let resolves = of_open_pages(message, Action::Resolve);
            // Once it is done nothing is open any more, and there was no change to tell of.
            let nothing_to_end = resolves.is_empty() && message.done.is_empty();
            if nothing_to_end { vec![Call::Change] } else { resolves }
        }
        Kind::RollbackEnded
        | Kind::GraceOpened
        | Kind::WouldRollBack
        | Kind::GraceHeld
        | Kind::GraceResumed
        | Kind::GraceCancelled
        | Kind::ChannelFailed
        | Kind::PublicUpdateLate
        | Kind::RampStarted
        | Kind::RampStageBegan
        | Kind::RampHolds => vec![Call::Change],
        Kind::EvidenceProblem | Kind::RampRecordProblem => Vec::new(),
    }
}

fn acknowledge(message: &Message) -> Vec<Call> {
    let missing = first_if_missing(message);
    let open = of_open_pages(message, Action::Acknowledge);
    if missing.is_some() {
        return missing.into_iter().chain([Call::Event(Action::Acknowledge, Level::FIRST)]).collect();
    }
    // It is acknowledged there, by the very page. With several levels the others are not; that one is
    // told once more, and PagerDuty drops it. It can't go round in circles either: what an integration
    // acknowledges is no person's acknowledgement when it comes back (`web::pagerduty`).
    if is_of_pagerduty(message) && open.len() == 1 && message.done.is_empty() {
        return Vec::new();
    }
    open
}

/// The first level's page, where it was never triggered although the rollback goes on: the notice that
/// was to do it was left out after an outage, or given up.
fn first_if_missing(message: &Message) -> Option<Call> {
    let is_missing = page(&message.references, Level::FIRST).is_none();
    (is_missing && goes_on(message)).then_some(Call::Event(Action::Trigger, Level::FIRST))
}

fn goes_on(message: &Message) -> bool {
    let goes_on = |incident: &Incident| incident.has_rolled_back() && !incident.phase.is_closed();
    message.subject.incident().is_some_and(goes_on)
}

/// Whether something that was read back is wrong: its alerts may have ended, and still somebody has to
/// look. Nobody would, if the page ended by itself.
pub(super) fn needs_a_look(message: &Message) -> bool {
    let verification = message.subject.incident().and_then(|incident| incident.verification.as_ref());
    verification.is_some_and(|verification| verification.verdict == Verdict::NotVerified)
}

fn of_open_pages(message: &Message, action: Action) -> Vec<Call> {
    let open = LEVELS.into_iter().filter(|level| page(&message.references, *level).is_some());
    open.map(|level| Call::Event(action, level)).collect()
}

fn escalated_to(message: &Message) -> Option<Level> {
    match &message.notice.fact {
        Some(NoticeFact::Escalated { level, .. }) => Some(*level).filter(|level| *level > Level::FIRST),
        _ => None,
    }
}

fn is_of_pagerduty(message: &Message) -> bool {
    let ending = super::of_pagerduty("");
    matches!(&message.notice.fact, Some(NoticeFact::Acknowledged { actor }) if actor.ends_with(&ending))
}

#[cfg(test)]
mod tests;
