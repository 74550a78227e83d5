//! A decision in the making: each event is applied as it is drafted, so that the next thought
//! already sees it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, Decided, Mode, Reading, Refusal};
use crate::incident::{
    Alert, AlertFact, AlertStatus, AttachedAlert, Cause, Event, Incident, IncidentId, NoticeFact,
    OpenedIncident, Reason, Repeated, RolloutState, Severity, Share, Stage, StoredAs, Trigger,
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

    pub(super) fn rollout_event(&mut self, event: Event) {
        self.push(None, event);
    }

    /// Also makes the incident the one that the decision is about.
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
            // A ramp is giving it some just now: 0 % was before, or is about to be.
            Some(Share::ZERO) if self.is_raising_share() => Activity::Active,
            Some(Share::ZERO) if fresh(ZERO_VALID) => Activity::Inactive,
            Some(Share(1..)) if fresh(self.context.policy.reading_valid) => Activity::Active,
            None if fresh(ZERO_VALID) => Activity::Unknown,
            _ => Activity::ReadFirst,
        }
    }

    fn is_raising_share(&self) -> bool {
        let share = self.state.running_ramp().and_then(|ramp| ramp.step?.sets_share());
        share.is_some_and(|share| share > Share::ZERO)
    }

    /// For how long the Watchdog has been silent, where that is too long.
    pub(super) fn watchdog_silent_seconds(&self) -> Option<u64> {
        let timeout = u64::try_from(self.context.policy.watchdog_timeout.num_seconds()).unwrap_or(0);
        let is_lost = self.state.watchdog_lost && !self.context.watchdog_heard;
        self.context.watchdog_silent_seconds.filter(|silent| is_lost || *silent >= timeout)
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

    /// The share that decisions rest on, and when it was asked for. A reading that failed has no time: a
    /// time says that a share was read then.
    pub(super) fn share_read(&self) -> (Option<Share>, Option<DateTime<Utc>>) {
        match self.context.reading {
            Reading::At { at, share } => (share, share.map(|_| at)),
            Reading::NotConfigured | Reading::Never => (None, None),
        }
    }

    /// Opens an incident. Its id is counted on from the last one's: two that open in one second, by
    /// one message, must differ.
    pub(super) fn open_incident(&mut self, opening: Opening) -> IncidentId {
        let last = self.state.incident.as_ref().and_then(|incident| incident.id.number());
        let number = self.state.last_number.or(last).map_or(self.context.nonce, |last| last.wrapping_add(1));
        let id = IncidentId::compose(self.context.rollout, self.context.now, number);
        let (share, share_read_at) = self.share_read();
        let stage = opening.stage.or_else(|| share.and_then(|share| Stage::from_share(share.0)));
        let event = Event::IncidentOpened(OpenedIncident {
            revision: self.context.revision.clone(),
            stage,
            share,
            share_read_at,
            severity: opening.severity,
            reason: opening.reason,
            cause: opening.cause,
            trigger: opening.trigger,
            alert: opening.alert,
        });
        self.incident_event(&id, event);
        id
    }

    pub(super) fn caused_by_alert(&self, reason: Reason, alert: &Alert) -> Cause {
        let cause = self.caused_now(alert.name().to_owned(), Trigger::Automatic);
        Cause { reason, alert: Some(alert.fingerprint.clone()), ..cause }
    }

    pub(super) fn caused_by_person(&self, actor: &str, words: &str, stage: Option<Stage>) -> Cause {
        let cause = self.caused_now(words.to_owned(), Trigger::Manual { actor: actor.to_owned() });
        Cause { stage: stage.or(cause.stage), ..cause }
    }

    /// By no alert, with the share as it is known; a person's unless the caller says another reason.
    pub(super) fn caused_now(&self, words: String, trigger: Trigger) -> Cause {
        let (share, share_read_at) = self.share_read();
        let stage = share.and_then(|share| Stage::from_share(share.0));
        let (at, reason) = (self.now(), Reason::Manual);
        Cause { at, reason, trigger, words, alert: None, stage, share, share_read_at }
    }

    /// What the incident's own alerts cause at the end of its grace: the most urgent that fires, or
    /// else the most urgent of all; of several, the one that came first.
    pub(super) fn caused_by_incident(&self, id: &IncidentId, reason: Reason) -> Option<Cause> {
        let alerts = self.open(id)?.alerts.iter().map(|attached| &attached.alert);
        let urgency = |alert: &&Alert| (alert.status == AlertStatus::Firing, alert.severity());
        let first = alerts.rev().max_by_key(urgency)?;
        Some(self.caused_by_alert(reason, first))
    }

    /// Begins a rollback, or records that it would have begun where the mode forbids it.
    /// A person's own request is carried out in every mode.
    pub(super) fn start_rollback(&mut self, id: &IncidentId, cause: Cause) -> Reason {
        let reason = cause.reason;
        if reason != Reason::Manual {
            let declined = match self.context.policy.mode {
                Mode::Armed => None,
                Mode::Shadow => Some(Reason::ShadowMode),
                Mode::Off => Some(Reason::ModeOff),
            };
            if let Some(reason) = declined {
                self.incident_event(id, Event::Declined { reason, cause: Some(cause.clone()) });
                let alert = self.alert_of(id, &cause).map(AlertFact::of);
                self.notice(id, NoticeFact::WouldRollBack { cause, alert });
                return reason;
            }
        }
        let repeated = self.repeated();
        let due_at = self.context.now + self.context.policy.rollback_deadline;
        let plan = self.context.policy.plan.for_severity(self.severity_of(id, &cause));
        self.incident_event(
            id,
            Event::RollbackStarted {
                reason,
                attempt: 1,
                due_at: Some(due_at),
                cause: Some(cause.clone()),
                plan: Some(plan),
            },
        );
        super::escalation::plan(self, id);
        let alert = self.alert_of(id, &cause).map(AlertFact::of);
        let revision = self.context.revision.clone();
        self.notice(id, NoticeFact::RollbackStarted { revision, cause, alert, due_at });
        if let Some(repeated) = repeated {
            self.notice(id, NoticeFact::RepeatedRollback(repeated));
        }
        super::advance::advance(self, id);
        reason
    }

    /// Begins the attempt after `attempt`, for the same cause or for a person's.
    pub(super) fn try_again(
        &mut self,
        id: &IncidentId,
        reason: Reason,
        attempt: u32,
        cause: Option<Cause>,
    ) -> Reason {
        let attempt = attempt + 1;
        let event = Event::RollbackStarted { reason, attempt, due_at: None, cause, plan: None };
        self.incident_event(id, event);
        super::advance::advance(self, id).unwrap_or(reason)
    }

    fn alert_of(&self, id: &IncidentId, cause: &Cause) -> Option<&Alert> {
        let attached = self.state.known_incident(id)?.alerts.find(cause.alert.as_ref()?)?;
        Some(&attached.alert)
    }

    /// How urgent what made a rollback begin is; a person's request is as urgent as can be.
    fn severity_of(&self, id: &IncidentId, cause: &Cause) -> Severity {
        self.alert_of(id, cause).map_or(Severity::Critical, Alert::severity)
    }

    fn repeated(&self) -> Option<Repeated> {
        let now = self.context.now;
        let earlier = &self.state.rollbacks;
        let day = earlier.iter().filter(|(at, _)| *at + TimeDelta::days(1) > now).count() + 1;
        let other = earlier
            .iter()
            .rev()
            .find(|(at, revision)| *at + SECOND_WITHIN > now && revision != self.context.revision);
        match (other, day >= TOO_MANY_A_DAY) {
            (Some((at, revision)), _) => {
                let minutes_ago = (now - *at).num_minutes();
                Some(Repeated::Other { revision: revision.clone(), minutes_ago })
            }
            (None, true) => Some(Repeated::Today(day)),
            (None, false) => None,
        }
    }
}

/// What the caller of [`Draft::open_incident`] knows; the rest comes from the context.
pub(super) struct Opening {
    pub(super) severity: Severity,
    pub(super) reason: Reason,
    pub(super) cause: String,
    pub(super) trigger: Trigger,
    pub(super) stage: Option<Stage>,
    pub(super) alert: Option<AttachedAlert>,
}
