//! The state of one rollout: the fold of its events.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Deliveries, Event, Incident, IncidentId, KnownAlerts, Ramp, RampEvent, RampId, Refusals, Revision, Share,
    StoredAs, Triage,
};

/// How long rollbacks are remembered: the longest span that a decision asks about
/// ("the third in a day").
const ROLLBACK_MEMORY: TimeDelta = TimeDelta::days(1);

/// The closed incidents that are kept for what is left to be done for them. Alerts that never end, or
/// a channel that is down for a day, must not fill every decision's state.
const MOST_UNFINISHED: usize = 50;

/// The revisions that are remembered as rolled back: more than anybody tries again by mistake.
const MOST_ROLLED_BACK: usize = 100;

/// One run of a canary: from the first traffic on it to the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryRun {
    /// The earliest instant at which it can have begun: when the share was last read as 0 %.
    /// `None` when it had traffic at the first reading ever. An alert that is older than this is
    /// about its predecessor; the estimate is early so that none is treated as older wrongly.
    pub started_at: Option<DateTime<Utc>>,
    /// The revision that has the traffic; `None` in runs that were stored before it was.
    #[serde(default)]
    pub revision: Option<Revision>,
}

/// Orders the decisions that change something outside: each is greater than all before it. Read off the
/// stored events, so that a restart goes on with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// Everything that decisions about one rollout rest on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RolloutState {
    pub alerts: KnownAlerts,
    pub triage: Triage,
    /// The share as last read; `None`: never, or no longer readable.
    pub share: Option<Share>,
    /// When that reading was stored.
    pub share_at: Option<DateTime<Utc>>,
    /// `None`: no canary has traffic, as far as was read.
    pub run: Option<CanaryRun>,
    /// The incident that is open, or else the one that closed last.
    pub incident: Option<Arc<Incident>>,
    /// The declined incident that further alerts of the same episode join: until the canary's run
    /// begins or ends, what leads to nothing is recorded once.
    #[serde(default)]
    pub declined: Option<IncidentId>,
    /// The number in the last incident's id. Counted on, so that no two incidents get one id, however
    /// many open in one second.
    #[serde(default)]
    pub last_number: Option<u16>,
    /// Closed incidents that another one has replaced, and of which something is left to be done.
    #[serde(alias = "unfinished_evidence")]
    pub unfinished: BTreeMap<IncidentId, Arc<Incident>>,
    /// What is on its way to people about the rollout itself.
    #[serde(default)]
    pub deliveries: Deliveries,
    /// What channels refuse for good, of all of its incidents and of itself.
    #[serde(default)]
    pub refusals: Refusals,
    /// When the last incident closed, on the clock as it is set now: alerts that began before are
    /// answered by it.
    #[serde(default)]
    pub answered_until: Option<DateTime<Utc>>,
    /// Rollbacks of the last day: when, and of which revision.
    pub rollbacks: VecDeque<(DateTime<Utc>, Revision)>,
    /// That of the last attempt at a rollback; each begins a new one.
    #[serde(default)]
    pub epoch: Epoch,
    /// The ramp that runs, or the last that ran.
    #[serde(default)]
    pub ramp: Option<Arc<Ramp>>,
    /// The revisions that were rolled back, each with when last: a ramp of one of them has to be wanted.
    #[serde(default)]
    pub rolled_back: BTreeMap<Revision, DateTime<Utc>>,
    /// Whether it was reported that the Watchdog is silent.
    pub watchdog_lost: bool,
}

impl RolloutState {
    /// The last incident, unless it has closed.
    #[must_use]
    pub fn open_incident(&self) -> Option<&Incident> {
        self.incident.as_deref().filter(|incident| !incident.phase.is_closed())
    }

    /// Applies one stored event. Replaying the same events gives the same state.
    pub fn apply(&mut self, stored: &StoredAs) {
        let at = stored.at;
        match &stored.event {
            Event::AlertSeen { alert, not_before } => self.alerts.see(stored.at, alert, *not_before),
            Event::TriageStarted { alert } => self.triage.add(alert),
            Event::TriageEnded => self.triage.clear(),
            Event::ShareRead { share, changed_after, revision } => {
                self.read(at, *share, *changed_after, revision.as_ref());
            }
            Event::WatchdogLost { .. } => self.watchdog_lost = true,
            Event::WatchdogBack => self.watchdog_lost = false,
            Event::ClockStepped { by_milliseconds } => self.clock_stepped(stored, *by_milliseconds),
            Event::Ramp { ramp, happened } => self.ramp_event(at, ramp, happened),
            Event::IncidentOpened(opened) => {
                if let Some(id) = &stored.incident {
                    self.retire_incident();
                    self.last_number = id.number().or(self.last_number);
                    self.declined = None;
                    let incident = Incident::open(id.clone(), stored.rollout.clone(), at, opened.clone());
                    self.incident = Some(Arc::new(incident));
                }
            }
            event => {
                self.epoch.0 += u64::from(matches!(event, Event::RollbackStarted { .. }));
                if let (Event::RollbackStarted { attempt: 1, .. }, Some(incident)) = (event, &self.incident) {
                    self.rollbacks.push_back((at, incident.revision().clone()));
                    self.rolled_back.insert(incident.revision().clone(), at);
                    forget_the_oldest(&mut self.rolled_back);
                    let revision = incident.revision();
                    let earlier = self.unfinished.values_mut().filter(|old| old.revision() == revision);
                    earlier.for_each(|old| Arc::make_mut(old).is_followed = true);
                    while self.rollbacks.front().is_some_and(|(then, _)| *then + ROLLBACK_MEMORY < at) {
                        self.rollbacks.pop_front();
                    }
                }
                if ends_an_incident(event) {
                    self.answered_until = Some(at);
                }
                if let Event::Declined { .. } = event {
                    self.declined.clone_from(&stored.incident);
                }
                self.refusals.apply(at, event);
                self.apply_to_incident(stored);
            }
        }
    }

    fn apply_to_incident(&mut self, stored: &StoredAs) {
        let Some(id) = &stored.incident else {
            if let (Event::NoticeRaised { fact: Some(fact), .. }, Some(ramp)) =
                (&stored.event, &mut self.ramp)
            {
                Arc::make_mut(ramp).noticed(stored.at, fact);
            }
            return self.deliveries.apply(stored.at, &stored.event);
        };
        if let Some(current) = self.incident.as_mut().filter(|incident| incident.id == *id) {
            Arc::make_mut(current).apply(stored.at, &stored.event);
        } else if let Some(earlier) = self.unfinished.get_mut(id) {
            Arc::make_mut(earlier).apply(stored.at, &stored.event);
            if !earlier.is_unfinished() {
                self.unfinished.remove(id);
            }
        }
    }

    fn ramp_event(&mut self, at: DateTime<Utc>, id: &RampId, happened: &RampEvent) {
        match happened {
            RampEvent::Started(started) => {
                self.ramp = Some(Arc::new(Ramp::start(id.clone(), at, started)));
            }
            happened => {
                // What a ramp had begun is barred by what it begins later, as by a rollback.
                self.epoch.0 += u64::from(matches!(happened, RampEvent::StepStarted { .. }));
                if let Some(ramp) = self.ramp.as_mut().filter(|ramp| ramp.id == *id) {
                    Arc::make_mut(ramp).apply(at, happened);
                }
            }
        }
    }

    /// The ramp that runs.
    #[must_use]
    pub fn running_ramp(&self) -> Option<&Ramp> {
        self.ramp.as_deref().filter(|ramp| !ramp.phase.has_ended())
    }

    /// Makes room for a new incident, without forgetting what is left to be done for the old one.
    fn retire_incident(&mut self) {
        if let Some(old) = self.incident.take().filter(|old| old.is_unfinished()) {
            self.unfinished.insert(old.id.clone(), old);
        }
        while self.unfinished.len() > MOST_UNFINISHED {
            self.unfinished.pop_first();
        }
    }

    /// The incident of this id, as long as something may be done for it or it is the last.
    #[must_use]
    pub fn known_incident(&self, id: &IncidentId) -> Option<&Arc<Incident>> {
        let last = self.incident.as_ref().filter(|incident| incident.id == *id);
        last.or_else(|| self.unfinished.get(id))
    }

    /// Every incident that is still known: those of which something is left to be done, and the last.
    pub fn known_incidents(&self) -> impl Iterator<Item = &Arc<Incident>> {
        self.unfinished.values().chain(&self.incident)
    }

    /// Everything on its way to people: of the rollout itself, and of each incident that is known.
    pub fn deliveries(&self) -> impl Iterator<Item = &Deliveries> {
        std::iter::once(&self.deliveries).chain(self.known_incidents().map(|incident| &incident.deliveries))
    }

    /// When something was last stored here that is still remembered, on the clock as it was set then.
    #[must_use]
    pub fn last_stored_at(&self) -> Option<DateTime<Utc>> {
        let noted = self.incident.as_ref().and_then(|incident| incident.notes.last()).map(|note| note.at);
        noted.max(self.share_at)
    }

    /// Whether anything here is compared with the present.
    #[must_use]
    pub fn remembers_times(&self) -> bool {
        self.incident.is_some() || self.run.is_some() || self.share_at.is_some() || !self.rollbacks.is_empty()
    }

    fn clock_stepped(&mut self, stored: &StoredAs, by_milliseconds: i64) {
        let by = TimeDelta::milliseconds(by_milliseconds);
        let started_at = self.run.as_mut().and_then(|run| run.started_at.as_mut());
        started_at
            .into_iter()
            .chain(&mut self.share_at)
            .chain(&mut self.answered_until)
            .for_each(|at| *at += by);
        self.rollbacks.iter_mut().for_each(|(at, _)| *at += by);
        self.alerts.clock_stepped(by);
        if let Some(ramp) = &mut self.ramp {
            Arc::make_mut(ramp).clock_stepped(by);
        }
        self.deliveries.clock_stepped(by);
        let incidents = self.unfinished.values_mut().chain(&mut self.incident);
        for incident in incidents.filter(|incident| !incident.deliveries.is_settled()) {
            Arc::make_mut(incident).deliveries.clock_stepped(by);
        }
        self.apply_to_incident(stored);
    }

    fn read(
        &mut self,
        at: DateTime<Utc>,
        share: Option<Share>,
        changed_after: Option<DateTime<Utc>>,
        revision: Option<&Revision>,
    ) {
        let goes_on = self.run.as_ref().is_some_and(|run| run.is_of(revision));
        match share {
            // Unreadable: whether a run goes on is not known, so the one that was known stays.
            None => {}
            Some(Share::ZERO) if self.run.take().is_some() => self.declined = None,
            Some(Share::ZERO) => {}
            Some(_) if goes_on => {}
            Some(_) => {
                self.run = Some(CanaryRun { started_at: changed_after, revision: revision.cloned() });
                self.declined = None;
            }
        }
        self.share = share;
        self.share_at = Some(at);
    }
}

impl CanaryRun {
    /// Whether it can be a run of this revision.
    #[must_use]
    pub fn is_of(&self, revision: Option<&Revision>) -> bool {
        match (&self.revision, revision) {
            (Some(mine), Some(other)) => mine.may_be(other),
            (None, _) | (_, None) => true,
        }
    }
}

fn forget_the_oldest(rolled_back: &mut BTreeMap<Revision, DateTime<Utc>>) {
    while rolled_back.len() > MOST_ROLLED_BACK {
        let oldest = rolled_back.iter().min_by_key(|(_, at)| **at).map(|(revision, _)| revision.clone());
        let Some(oldest) = oldest else { return };
        rolled_back.remove(&oldest);
    }
}

fn ends_an_incident(event: &Event) -> bool {
    matches!(
        event,
        Event::RolledBack
            | Event::Cancelled { .. }
            | Event::Declined { .. }
            | Event::Superseded { .. }
            | Event::Closed { .. }
    )
}
