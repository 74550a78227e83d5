//! What was seen so far of one schedule, and what must hold at each event that is stored and each
//! order that is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backstop::decision::Mode;
use backstop::incident::{
    AlertStatus, CheckName, CheckOutcome, Event, GraceCause, IncidentId, NoticeKind, Reason, StepOutcome,
    StoredAs, Trigger,
};
use chrono::{DateTime, TimeDelta, Utc};

use crate::monitoring::{Monitoring, number};
use crate::plan::Plan;
use crate::process::{GRACE, SITES, revision};
use crate::promises::Promise;
use crate::schedule::FIRST_REVISION;
use crate::traffic::Traffic;
use crate::unseen::Unseen;

/// Whether the story is printed as it happens.
static TOLD: AtomicBool = AtomicBool::new(false);

/// How old an answer may be when something is said of it: the longest reading of a share.
const JUST_NOW: TimeDelta = TimeDelta::milliseconds(2_500);

/// The same while the store hangs: the answer waits for its turn in the journal.
const NOT_LONG_AGO: TimeDelta = TimeDelta::milliseconds(9_000);

/// After trouble with the store, what is held is on disk again by then.
const RECORDED_BY: TimeDelta = TimeDelta::seconds(5);

/// One incident as the disk has it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) rollout: String,
    pub(crate) closed: bool,
    /// A rollback that failed for good: it waits for a person.
    pub(crate) waits: bool,
    pub(crate) has_cause: bool,
    pub(crate) alerts: BTreeSet<u8>,
    /// When the earliest of its warnings began, as long as nothing but warnings is in it.
    pub(crate) warned_at: Option<DateTime<Utc>>,
    pub(crate) grace_by_warning: bool,
    /// When its grace was cancelled because its alerts were gone.
    pub(crate) recovered_at: Option<DateTime<Utc>>,
    pub(crate) attempt: u32,
    pub(crate) attempt_at: Option<DateTime<Utc>>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) story: Vec<String>,
    /// The first promise that was broken.
    pub(crate) broken: Option<String>,
    pub(crate) sets_clock: bool,
    pub(crate) has_sources: bool,
    pub(crate) has_prometheus: bool,
    /// Without one, what a lost message was about is never found.
    pub(crate) has_alertmanager: bool,
    pub(crate) incidents: BTreeMap<IncidentId, Told>,
    pub(crate) seen: BTreeSet<(u8, DateTime<Utc>)>,
    /// Criticals that were accepted while the canary had traffic, when, and about which revision.
    pub(crate) owed: Vec<(u8, DateTime<Utc>, u32)>,
    pub(crate) recorded_orders: [u32; 2],
    /// People's rollbacks that were accepted: the incident, and their words.
    pub(crate) asked: Vec<(IncidentId, String)>,
    /// The causes that are stored, by incident: the first is the rollback's reason.
    pub(crate) causes: BTreeMap<IncidentId, Vec<(Reason, String, Trigger)>>,
    /// Deployments so far: which revision is on canary.
    pub(crate) deployments: u32,
    pub(crate) modes: [Option<Mode>; 2],
    pub(crate) events: usize,
    /// Whether a person closed an incident: what fires then is left until it fires anew.
    pub(crate) closed_by_person: [bool; 2],
    pub(crate) crashes: u32,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) clock_set_at: Option<DateTime<Utc>>,
    /// A clock that was set shortly before a crash: nobody could notice.
    pub(crate) clock_in_doubt: bool,
    pub(crate) store_trouble_at: Option<DateTime<Utc>>,
    pub(crate) store_in_trouble: bool,
    pub(crate) hanging_appends: u32,
    pub(crate) had_store_trouble: bool,
    pub(crate) first_orders: BTreeSet<(IncidentId, u32)>,
    /// Alerts that are recorded as firing.
    pub(crate) firing: BTreeSet<u8>,
    /// Rollbacks that began, and the notices that there were too many, by rollout.
    pub(crate) begun: [u32; 2],
    pub(crate) repeated: [u32; 2],
    pub(crate) unseen: Vec<Unseen>,
    /// Since when a critical waits to be acted upon.
    pub(crate) handed_over: [Option<DateTime<Utc>>; 2],
}

/// An event in a few words.
pub(crate) fn brief(stored: &StoredAs) -> String {
    let mut text = format!("{:?}", stored.event);
    if let Some((end, _)) = text.char_indices().nth(180) {
        text.truncate(end);
    }
    format!("{} {text}", stored.incident.as_ref().map_or("-", IncidentId::as_str))
}

impl Ledger {
    pub(crate) fn knows(&mut self, plan: &Plan) {
        self.sets_clock = plan.sets_clock;
        (self.has_alertmanager, self.has_prometheus) = (plan.has_alertmanager, plan.has_prometheus);
        self.has_sources = plan.has_alertmanager || plan.has_prometheus;
        self.modes = plan.modes.map(Some);
        TOLD.store(std::env::var_os("SIMULATION_REPLAY").is_some(), Ordering::Relaxed);
    }

    pub(crate) fn say(&mut self, at: Duration, text: String) {
        let line = format!("{:>9.3} s  {text}", at.as_secs_f64());
        if TOLD.load(Ordering::Relaxed) {
            println!("{line}");
        }
        self.story.push(line);
    }

    /// The first promise that was broken stays.
    pub(crate) fn keep(&mut self, promise: Promise) -> bool {
        match promise {
            Ok(()) => true,
            Err(words) => {
                self.broken.get_or_insert(words);
                false
            }
        }
    }

    pub(crate) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    pub(crate) fn story(&self) -> String {
        self.story.join("\n")
    }

    pub(crate) fn started(&mut self, now: DateTime<Utc>) {
        self.started_at = now;
    }

    pub(crate) fn killed(&mut self, now: DateTime<Utc>) {
        self.crashes += 1;
        self.handed_over = [None; 2];
        self.clock_in_doubt |= self.clock_set_at.is_some_and(|at| at + RECORDED_BY > now) || self.sets_clock;
    }

    pub(crate) fn clock_set(&mut self, now: DateTime<Utc>) {
        self.clock_set_at = Some(now);
    }

    pub(crate) fn store_is(&mut self, good: bool, now: DateTime<Utc>) {
        if !good || self.store_in_trouble {
            self.store_trouble_at = Some(now);
            self.had_store_trouble = true;
        }
        self.store_in_trouble = !good;
    }

    /// Whether the store works, and has for long enough that what was held is on disk.
    pub(crate) fn store_is_sound(&self, now: DateTime<Utc>) -> bool {
        !self.store_in_trouble
            && self.hanging_appends == 0
            && self.store_trouble_at.is_none_or(|at| at + RECORDED_BY < now)
    }

    /// An event became durable.
    pub(crate) fn stored(
        &mut self,
        stored: &StoredAs,
        now: DateTime<Utc>,
        traffic: &Traffic,
        monitoring: &Monitoring,
    ) -> Promise {
        self.events += 1;
        if let Event::AlertSeen { alert, .. } = &stored.event {
            self.seen.extend(number(alert).map(|number| (number, alert.starts_at)));
            match (number(alert), alert.status) {
                (Some(number), AlertStatus::Firing) => self.firing.insert(number),
                (Some(number), AlertStatus::Resolved) => self.firing.remove(&number),
                (None, _) => false,
            };
        }
        let Some(id) = &stored.incident else { return Ok(()) };
        if let Event::IncidentOpened(opened) = &stored.event {
            let rollout = stored.rollout.as_str();
            promise!(!self.incidents.contains_key(id), "{id} is the id of two incidents");
            let open = self.incidents.iter().find(|(_, told)| !told.closed && told.rollout == rollout);
            promise!(open.is_none(), "{id} opened beside {open:?}");
            let has_cause = opened.alert.is_some() || matches!(opened.trigger, Trigger::Manual { .. });
            let told = Told { has_cause, rollout: rollout.to_owned(), ..Told::default() };
            self.incidents.insert(id.clone(), told);
            if let Some(attached) = &opened.alert {
                self.attached(id, &attached.alert);
                let fired = number(&attached.alert).is_some_and(|number| {
                    let last = monitoring.fired.get(&number);
                    monitoring.holds.contains_key(&number)
                        || last.is_some_and(|at| *at + JUST_NOW >= attached.alert.starts_at)
                });
                promise!(
                    fired || self.sets_clock || opened.reason != Reason::MissedWhileDown,
                    "{id} is about {}, which did not fire while nobody was there",
                    attached.alert.name()
                );
            }
            return Ok(());
        }
        self.of_incident(id, stored, now, traffic, monitoring)
    }

    fn of_incident(
        &mut self,
        id: &IncidentId,
        stored: &StoredAs,
        now: DateTime<Utc>,
        traffic: &Traffic,
        monitoring: &Monitoring,
    ) -> Promise {
        let clocks_agree = !self.sets_clock;
        let told_zero = |since: DateTime<Utc>| traffic.told_zero_at.is_some_and(|at| at >= since);
        if let Event::AlertAttached(attached) = &stored.event {
            self.attached(id, &attached.alert);
            return Ok(());
        }
        let lately = if self.store_is_sound(now) { JUST_NOW } else { NOT_LONG_AGO };
        let early_is_known = !self.clock_in_doubt;
        let Some(told) = self.incidents.get_mut(id) else { return Err(format!("{id} was never opened")) };
        match &stored.event {
            Event::GraceStarted { cause, .. } => told.grace_by_warning = *cause == GraceCause::Warning,
            Event::RollbackStarted { reason, attempt, cause, .. } => {
                told.waits = false;
                if let Some(cause) = cause {
                    let cause = (cause.reason, cause.words.clone(), cause.trigger.clone());
                    self.causes.entry(id.clone()).or_default().push(cause);
                }
                promise!(told.has_cause, "{id} is rolled back without a cause");
                promise!(*attempt == told.attempt + 1, "{id}: attempts are numbered, each once");
                promise!(!told.closed, "{id} is rolled back after it closed");
                self.begun[usize::from(told.rollout != SITES[0])] += u32::from(*attempt == 1);
                (told.attempt, told.attempt_at) = (*attempt, Some(stored.at));
                let at_the_end = matches!(reason, Reason::StillFiring | Reason::Unverified);
                if let Some(warned_at) = told.warned_at.filter(|_| at_the_end && told.grace_by_warning) {
                    let whole = now + TimeDelta::milliseconds(100) >= warned_at + GRACE;
                    promise!(
                        whole || !early_is_known,
                        "{id}: the grace from {warned_at} ended early, at {now}"
                    );
                }
            }
            Event::StepEnded(step) => {
                let site = usize::from(told.rollout != SITES[0]);
                self.recorded_orders[site] += u32::try_from(step.attempts.len()).expect("few");
                promise!(
                    told.attempt_at.is_some_and(|at| at <= step.started_at) || !clocks_agree,
                    "{id}: a step of an earlier attempt counts"
                );
                let read = told.attempt_at.is_some_and(told_zero);
                promise!(
                    !step.step.takes_traffic_off()
                        || step.outcome != StepOutcome::Done
                        || read
                        || !clocks_agree,
                    "{id}: a step is called done although nobody told that the share is 0 %"
                );
            }
            Event::VerificationEnded(verification) => {
                promise!(
                    told.attempt_at.is_some_and(|at| at <= verification.started_at) || !clocks_agree,
                    "{id}: a verdict about an earlier attempt is believed"
                );
                let passed = verification.checks.iter().any(|check| {
                    check.name == CheckName::TrafficShare && check.outcome == CheckOutcome::Pass
                });
                promise!(
                    !passed || told_zero(verification.started_at) || !clocks_agree,
                    "{id}: an unread share is called 0 %"
                );
            }
            Event::RolledBack => {
                let read = told.attempt_at.is_some_and(told_zero);
                promise!(
                    read || !clocks_agree,
                    "{id} is called rolled back, and nobody told that the share is 0 %"
                );
                told.closed = true;
            }
            Event::Cancelled { reason } => {
                let recovered = matches!(reason, Reason::ResolvedConfirmed | Reason::ResolvedUnconfirmed);
                told.recovered_at = recovered.then_some(stored.at);
                let asked = told.alerts.iter().all(|alert| {
                    monitoring.told_gone_at.get(alert).is_some_and(|at| *at + lately >= stored.at)
                });
                match reason {
                    Reason::ResolvedConfirmed => {
                        promise!(
                            asked || !clocks_agree,
                            "{id} is cancelled, and nobody who can be trusted said that it is over"
                        );
                    }
                    Reason::ResolvedUnconfirmed => {
                        promise!(!self.has_sources, "{id} is cancelled without asking")
                    }
                    _ => promise!(
                        told_zero(stored.at - lately) || !clocks_agree,
                        "{id} is cancelled as {reason} without a reading"
                    ),
                }
                told.closed = true;
            }
            Event::CauseAdded(cause) => {
                let cause = (cause.reason, cause.words.clone(), cause.trigger.clone());
                self.causes.entry(id.clone()).or_default().push(cause);
            }
            Event::NoticeRaised { kind: NoticeKind::RepeatedRollback, .. } => {
                self.repeated[usize::from(told.rollout != SITES[0])] += 1;
            }
            Event::Failed { retry_at, .. } => told.waits = retry_at.is_none(),
            Event::Superseded { by } => {
                promise!(
                    (FIRST_REVISION..=self.deployments).any(|one| *by == revision(one)),
                    "{id} is superseded by {by}, which was never on canary"
                );
                told.closed = true;
            }
            Event::Closed { .. } => {
                self.closed_by_person[usize::from(told.rollout != SITES[0])] = true;
                told.closed = true;
            }
            Event::Declined { reason: Reason::ShadowMode | Reason::ModeOff, .. } => told.closed = true,
            Event::Declined { .. } => {
                promise!(
                    told_zero(stored.at - lately) || !clocks_agree,
                    "{id} is declined without a reading of 0 %"
                );
                told.closed = true;
            }
            _ => {}
        }
        Ok(())
    }
}
