//! What was seen of the ramps of a schedule, and what must hold of each share that is raised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backstop::incident::{Event, Judgement, RampEvent, RampId, StoredAs};
use backstop::store::Loaded;
use chrono::{DateTime, TimeDelta, Utc};

use crate::process::SITES;
use crate::promises::Promise;
use crate::ramping::{CRITERIA, OnAsk, RampPlant, SHARES, STAGE_SECONDS};
use crate::world::Inner;

/// What a stage may be short of its time by: times are stored in milliseconds.
const TOLERANCE: TimeDelta = TimeDelta::milliseconds(2);

/// The ramps of the first rollout.
#[derive(Debug, Default)]
pub(crate) struct Ramps {
    /// How the system behind each criterion answers now.
    pub(crate) on_ask: [OnAsk; CRITERIA.len()],
    pub(crate) plant: Option<RampPlant>,
    /// Every answer that was given: when, and whether it was a pass.
    answers: [Vec<(DateTime<Utc>, bool)>; CRITERIA.len()],
    latest: Option<Seen>,
    /// Ramps that have ended, and whether their record is written.
    ended: BTreeMap<RampId, bool>,
}

/// The latest ramp, by what is on disk and what the flag was told.
#[derive(Debug)]
struct Seen {
    id: RampId,
    /// Why no share of it may be raised any more.
    over: Option<&'static str>,
    /// That this process has ordered the traffic off, for what is on disk or not yet.
    is_ordered_off: bool,
    /// The share that was given last, and when it was there first.
    given: Option<(u8, DateTime<Utc>)>,
    /// Whether its stage was passed since.
    has_passed: bool,
    promoted: bool,
    forced: bool,
    paused_at: Option<DateTime<Utc>>,
    /// For how long the clock of the stage stood still.
    stood_still: TimeDelta,
    has_begun: bool,
    ordered: BTreeSet<u8>,
}

impl Seen {
    fn started(id: RampId) -> Self {
        Self {
            id,
            over: None,
            is_ordered_off: false,
            given: None,
            has_passed: true,
            promoted: false,
            forced: false,
            paused_at: None,
            stood_still: TimeDelta::zero(),
            has_begun: false,
            ordered: BTreeSet::new(),
        }
    }

    /// How long its stage has lasted, without the time for which it was paused.
    fn lasted(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let (_, given_at) = self.given?;
        let until = self.paused_at.map_or(now, |paused_at| paused_at.min(now));
        Some(until - given_at - self.stood_still)
    }
}

impl Ramps {
    pub(crate) fn answered(&mut self, criterion: usize, on_ask: OnAsk, now: DateTime<Utc>) {
        let passes = matches!(on_ask, OnAsk::Passes | OnAsk::Slow);
        self.answers[criterion].push((now, passes));
    }

    /// Whether the last answers to all criteria before this time were passes, each of the stage.
    fn all_passed(&self, since: DateTime<Utc>, at: DateTime<Utc>) -> bool {
        self.answers.iter().all(|answers| {
            let latest = |is_before: &dyn Fn(DateTime<Utc>) -> bool| {
                let latest = answers.iter().rev().find(|(given_at, _)| is_before(*given_at));
                latest.is_some_and(|(given_at, passed)| *passed && *given_at >= since)
            };
            // One that came at that very instant may have been too late.
            latest(&|given_at| given_at <= at) || latest(&|given_at| given_at < at)
        })
    }

    /// What a process reads as it starts.
    pub(crate) fn read_back(&self, mut loaded: Loaded) -> Loaded {
        if self.plant == Some(RampPlant::CountsPauses) {
            for ramp in loaded.rollouts.values_mut().filter_map(|state| state.ramp.as_mut()) {
                let stages = &mut Arc::make_mut(ramp).stages;
                stages.iter_mut().for_each(|record| record.paused_seconds = 0);
            }
        }
        loaded
    }

    /// An event became durable.
    pub(crate) fn stored(&mut self, stored: &StoredAs) -> Promise {
        if stored.rollout.as_str() != SITES[0] {
            return Ok(());
        }
        if let Event::RollbackStarted { .. } = &stored.event {
            self.is_over("a rollback began");
        }
        let Event::Ramp { ramp, happened } = &stored.event else { return Ok(()) };
        if let RampEvent::Started(_) = happened {
            let before = self.latest.as_ref().filter(|seen| seen.over.is_none());
            promise!(before.is_none(), "{ramp} has started beside {before:?}");
            self.latest = Some(Seen::started(ramp.clone()));
            return Ok(());
        }
        self.of_ramp(ramp, happened, stored.at)
    }

    fn of_ramp(&mut self, ramp: &RampId, happened: &RampEvent, at: DateTime<Utc>) -> Promise {
        let Some(seen) = self.latest.as_mut().filter(|seen| seen.id == *ramp) else {
            return Err(format!("{} of {ramp}, which has not started", happened.name()));
        };
        match happened {
            RampEvent::StageBegan { stage } => {
                seen.has_begun = true;
                // A pause that began before the clock did takes nothing from it.
                seen.paused_at = seen.paused_at.map(|_| at);
                // Somebody else may have set what was to be set.
                self.took_effect(SHARES[*stage], at);
            }
            RampEvent::Paused { .. } => seen.paused_at = Some(at),
            RampEvent::Resumed { .. } => {
                if let Some(paused_at) = seen.paused_at.take() {
                    seen.stood_still += at - paused_at;
                }
            }
            RampEvent::Promoted(promotion) => {
                (seen.promoted, seen.forced) = (true, !promotion.in_spite_of.is_empty());
            }
            RampEvent::StagePassed { judgements, .. } => return self.passed(judgements, at),
            RampEvent::Aborted { .. } => self.is_over("a person aborted it"),
            RampEvent::RolledBack { .. } => self.is_over("it is rolled back"),
            RampEvent::EndedOutside { .. } => self.is_over("somebody else has ended it"),
            RampEvent::Succeeded => self.is_over("it has succeeded"),
            RampEvent::EvidenceWritten { stage: None, .. } => {
                self.ended.insert(ramp.clone(), true);
            }
            _ => {}
        }
        Ok(())
    }

    /// Nothing of the latest ramp is raised any more.
    fn is_over(&mut self, why: &'static str) {
        let Some(seen) = &mut self.latest else { return };
        seen.over.get_or_insert(why);
        // One whose first share was never read back has no stage to write about.
        if seen.has_begun {
            self.ended.entry(seen.id.clone()).or_insert(false);
        }
    }

    /// The canary's traffic is ordered off.
    pub(crate) fn ordered_off(&mut self) {
        self.latest.iter_mut().for_each(|seen| seen.is_ordered_off = true);
    }

    /// What a process had only in memory, while the disk could not be written, the next one can't know.
    pub(crate) fn killed(&mut self) {
        self.latest.iter_mut().for_each(|seen| seen.is_ordered_off = false);
    }

    fn passed(&mut self, judgements: &[Judgement], at: DateTime<Utc>) -> Promise {
        let Some(seen) = &self.latest else { return Ok(()) };
        let (id, lasts) = (&seen.id, TimeDelta::seconds(STAGE_SECONDS.into()));
        let Some((share, given_at)) = seen.given else {
            return Err(format!("{id}: a stage is passed whose share was never set"));
        };
        let lasted = seen.lasted(at).unwrap_or_default();
        promise!(
            seen.promoted || lasted + TOLERANCE >= lasts,
            "{id}: the stage of {share} % was left after {lasted}, and lasts {lasts}"
        );
        let judged_at = judgements.iter().map(|judgement| judgement.judged_at).max();
        let is_known = judged_at.is_some_and(|judged_at| self.all_passed(given_at, judged_at));
        promise!(
            seen.forced || (is_known && judgements.len() == CRITERIA.len()),
            "{id}: the stage of {share} % was passed at {at} although its criteria did not pass"
        );
        self.latest.iter_mut().for_each(|seen| seen.has_passed = true);
        Ok(())
    }

    /// A share is ordered for the canary; `now` it has another one.
    pub(crate) fn ordered(&mut self, share: u8, has: u8, now: DateTime<Utc>) -> Promise {
        let Some(seen) = &mut self.latest else { return Err(format!("{share} % is ordered without a ramp")) };
        let id = &seen.id;
        let off = seen.is_ordered_off.then_some("its traffic was ordered off");
        if let Some(over) = seen.over.or(off) {
            promise!(share <= has, "{id}: {share} % is ordered although {over}");
        }
        if seen.ordered.insert(share) {
            promise!(
                seen.has_passed,
                "{id}: {share} % is ordered at {now}, and the stage before was not passed"
            );
        }
        Ok(())
    }

    /// The canary has a share that was ordered for it.
    pub(crate) fn took_effect(&mut self, share: u8, now: DateTime<Utc>) {
        let Some(seen) = &mut self.latest else { return };
        if seen.given.is_none_or(|(given, _)| given < share) {
            seen.given = Some((share, now));
            (seen.has_passed, seen.promoted, seen.forced) = (false, false, false);
            seen.stood_still = TimeDelta::zero();
        }
    }

    /// Whether a share was ever ordered for a ramp.
    pub(crate) fn have_run(&self) -> bool {
        self.latest.is_some()
    }

    /// Ramps that have ended and whose record is not written.
    pub(crate) fn unwritten(&self) -> Option<&RampId> {
        self.ended.iter().find(|(_, is_written)| !**is_written).map(|(id, _)| id)
    }
}

impl Inner {
    /// At the end everything works.
    pub(crate) fn ramps_are_written(&self) -> Promise {
        let unwritten = self.ramps.unwritten();
        promise!(unwritten.is_none(), "the record of {unwritten:?} is not written");
        Ok(())
    }
}
