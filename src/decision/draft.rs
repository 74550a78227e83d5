//! A decision in the making: each event is applied as it is drafted, so that the next thought
//! already sees it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, Decided, Mode, Reading, Refusal};
use crate::incident::{
    AttachedAlert, Event, Incident, IncidentId, NoticeKind, OpenedIncident, Reason, RolloutState, Severity,
    Share, Stage, StoredAs, Trigger,
};

/// A reading of 0 % is relied upon only when it is this fresh: declining on an old one could miss
/// a canary that was started in between.
const ZERO_VALID: TimeDelta = TimeDelta::seconds(2);

/// A second revision rolled back within this span is one too many.
const SECOND_WITHIN: TimeDelta = TimeDelta::hours(1);

/// Rollbacks in a day from which on something else must be wrong.
const TOO_MANY_A_DAY: usize = 3;

/// Whether the canary has traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Active,
    Inactive,
    /// It can't be read: treated as active.
    Unknown,
    /// It can be read, and has to be before deciding.
    ReadFirst,
}

pub(super) struct Draft<'a> {
    pub(super) state: RolloutState,
    pub(super) context: &'a Context<'a>,
    events: Vec<StoredAs>,
    /// The incident that the input turned out to be about.
    pub(super) about: Option<IncidentId>,
    pub(super) refusal: Option<Refusal>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: RolloutState, context: &'a Context<'a>) -> Self {
        Self { state, context, events: Vec::new(), about: None, refusal: None }
    }

    pub(super) fn finish(self, reason: Option<Reason>) -> Decided {
        Decided {
            state: self.state,
            events: self.events,
            reason,
            incident: self.about,
            refusal: self.refusal,
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.context.now
    }

    /// Drafts an event of the rollout.
    pub(super) fn rollout_event(&mut self, event: Event) {
        self.push(None, event);
    }

    /// Drafts an event of an incident.
    pub(super) fn incident_event(&mut self, incident: &IncidentId, event: Event) {
        self.about = Some(incident.clone());
        self.push(Some(incident.clone()), event);
    }

    fn push(&mut self, incident: Option<IncidentId>, event: Event) {
        let stored =
            StoredAs { at: self.context.now, rollout: self.context.rollout.clone(), incident, event };
        self.state.apply(&stored);
        self.events.push(stored);
    }

    pub(super) fn notice(&mut self, incident: &IncidentId, kind: NoticeKind, text: String) {
        self.incident_event(incident, Event::NoticeRaised { kind, text });
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
    }

    /// The open incident, if it is this one.
    pub(super) fn open(&self, id: &IncidentId) -> Option<&Incident> {
        self.state.open_incident().filter(|incident| incident.id == *id)
    }

    /// Whether the canary has traffic, by the latest reading.
    pub(super) fn activity(&self) -> Activity {
        let (at, share) = match self.context.reading {
            Reading::NotConfigured => return Activity::Unknown,
            Reading::Never => return Activity::ReadFirst,
            Reading::At { at, share } => (at, share),
        };
        // A clock that was stepped back makes a reading look as if from the future: read again.
        let age = self.context.now - at;
        let fresh = |valid: TimeDelta| age >= TimeDelta::zero() && age <= valid;
        match share {
            Some(Share::ZERO) if fresh(ZERO_VALID) => Activity::Inactive,
            Some(Share(1..)) if fresh(self.context.policy.reading_valid) => Activity::Active,
            None if fresh(ZERO_VALID) => Activity::Unknown,
            _ => Activity::ReadFirst,
        }
    }

    /// Whether a reading not older than the poll's validity says 0 %.
    pub(super) fn polled_zero(&self) -> bool {
        match self.context.reading {
            Reading::At { at, share: Some(Share::ZERO) } => {
                let age = self.context.now - at;
                age >= TimeDelta::zero() && age <= self.context.policy.reading_valid
            }
            _ => false,
        }
    }

    /// Opens an incident.
    pub(super) fn open_incident(&mut self, opening: Opening) -> IncidentId {
        let id = IncidentId::compose(self.context.rollout, self.context.now, self.context.nonce);
        let share = match self.context.reading {
            Reading::At { share, .. } => share,
            Reading::NotConfigured | Reading::Never => None,
        };
        let stage = opening.stage.or_else(|| share.and_then(|share| Stage::from_share(share.0)));
        let event = Event::IncidentOpened(OpenedIncident {
            revision: self.context.policy.revision.clone(),
            stage,
            share,
            severity: opening.severity,
            reason: opening.reason,
            cause: opening.cause,
            trigger: opening.trigger,
            alert: opening.alert,
        });
        self.incident_event(&id, event);
        id
    }

    /// Begins a rollback, or records that it would have begun where the mode forbids it.
    /// A person's own request is carried out in every mode.
    pub(super) fn start_rollback(&mut self, id: &IncidentId, reason: Reason) -> Reason {
        if reason != Reason::Manual {
            let declined = match self.context.policy.mode {
                Mode::Armed => None,
                Mode::Shadow => Some(Reason::ShadowMode),
                Mode::Off => Some(Reason::ModeOff),
            };
            if let Some(reason) = declined {
                self.incident_event(id, Event::Declined { reason });
                return reason;
            }
        }
        let repeated = self.repeated();
        let due_at = Some(self.context.now + self.context.policy.rollback_deadline);
        self.incident_event(id, Event::RollbackStarted { reason, attempt: 1, due_at });
        let cause = self.state.incident.as_ref().map_or_else(String::new, |open| open.opened.cause.clone());
        let revision = self.context.policy.revision.clone();
        self.notice(id, NoticeKind::RollbackStarted, format!("rolling back {revision}: {cause} ({reason})"));
        if let Some(text) = repeated {
            self.notice(id, NoticeKind::RepeatedRollback, text);
        }
        reason
    }

    /// Begins the attempt after `attempt`.
    pub(super) fn try_again(&mut self, id: &IncidentId, reason: Reason, attempt: u32) -> Reason {
        self.incident_event(id, Event::RollbackStarted { reason, attempt: attempt + 1, due_at: None });
        reason
    }

    fn repeated(&self) -> Option<String> {
        let now = self.context.now;
        let earlier = &self.state.rollbacks;
        let day = earlier.iter().filter(|(at, _)| *at + TimeDelta::days(1) > now).count() + 1;
        let other = earlier
            .iter()
            .rev()
            .find(|(at, revision)| *at + SECOND_WITHIN > now && *revision != self.context.policy.revision);
        match (other, day >= TOO_MANY_A_DAY) {
            (Some((at, revision)), _) => {
                let minutes = (now - *at).num_minutes();
                Some(format!("{revision} was rolled back {minutes} minutes ago: something else is wrong"))
            }
            (None, true) => Some(format!("rollback {day} within a day: something else is wrong")),
            (None, false) => None,
        }
    }
}

/// What an incident is opened with.
pub(super) struct Opening {
    pub(super) severity: Severity,
    pub(super) reason: Reason,
    pub(super) cause: String,
    pub(super) trigger: Trigger,
    pub(super) stage: Option<Stage>,
    pub(super) alert: Option<AttachedAlert>,
}
