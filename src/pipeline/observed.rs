//! What was observed since the process began and needn't survive it: readings of the share, the
//! Watchdog's last sign of life, what Alertmanager last listed. Losing it costs one more reading.
//!
//! Ages are measured with the clock that nobody can set, so that a step of the wall clock makes no
//! reading look fresh and no Watchdog silent. Times are given on the wall clock of the one who asks.

mod asked;
mod doctor_tests;
mod glances;
mod trying;
mod watchdogs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

pub use trying::Trying;
use watchdogs::Watchdogs;

use crate::clock::{Clock, Moment};
use crate::decision::{Reading, Watchdog};
use crate::incident::{Alert, Fingerprint, Observation, RolloutName, Share};

/// Clocks that differ by less count as equal: HTTP's `Date` has whole seconds, and a request takes its
/// time too.
pub const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(5);

type Labels = BTreeMap<String, String>;

/// The observations, shared by all who observe and decide. Lost when the process ends.
#[derive(Debug)]
pub struct Observed {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    readings: BTreeMap<RolloutName, ShareReading>,
    observations: BTreeMap<RolloutName, (Moment, Arc<Observation>)>,
    glances: BTreeMap<RolloutName, Moment>,
    listed: BTreeMap<RolloutName, Listed>,
    asked: BTreeSet<RolloutName>,
    clocks_ahead: BTreeMap<String, TimeDelta>,
    /// By how much this clock was set since another one was last compared with it.
    set_by: TimeDelta,
    watchdogs: Watchdogs,
    trying: BTreeMap<RolloutName, Trying>,
    doctor_tests: VecDeque<(String, DateTime<Utc>)>,
}

#[derive(Debug, Clone, Copy)]
struct ShareReading {
    asked_at: Moment,
    /// Until when it says how things stand: a share is as old as its question, because the answer may
    /// have been on its way while the share was changed. That it can't be read is known at the end.
    at: Moment,
    share: Option<Share>,
    zero_at: Option<Moment>,
}

#[derive(Debug)]
struct Listed {
    at: Moment,
    fingerprints: BTreeSet<Fingerprint>,
}

impl Observed {
    /// Nothing is observed yet: every share is [`Reading::Never`], and the Watchdog's silence begins now.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, watchdog: Watchdog) -> Self {
        let inner = Inner {
            readings: BTreeMap::new(),
            observations: BTreeMap::new(),
            glances: BTreeMap::new(),
            listed: BTreeMap::new(),
            asked: BTreeSet::new(),
            clocks_ahead: BTreeMap::new(),
            set_by: TimeDelta::zero(),
            watchdogs: Watchdogs::new(watchdog),
            trying: BTreeMap::new(),
            doctor_tests: VecDeque::new(),
        };
        Self { clock, inner: Mutex::new(inner) }
    }

    /// The present, as readings are dated by it.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.clock.moment()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a reading of the share that was asked for at `asked_at`; `None`: it could not be read.
    ///
    /// One that was asked for before the latest is not the latest, whenever its answer comes: an
    /// answer from before a rollback must not say that the traffic came back.
    pub fn share(&self, rollout: &RolloutName, asked_at: Moment, share: Option<Share>) {
        let now = self.clock.moment();
        let zero_now = (share == Some(Share::ZERO)).then_some(asked_at);
        let at = if share.is_some() { asked_at } else { now };
        let mut inner = self.lock();
        match inner.readings.get_mut(rollout) {
            Some(latest) if latest.asked_at > asked_at => latest.zero_at = latest.zero_at.max(zero_now),
            latest => {
                let zero_at = latest.and_then(|latest| latest.zero_at).max(zero_now);
                inner.readings.insert(rollout.clone(), ShareReading { asked_at, at, share, zero_at });
            }
        }
    }

    /// Records an observation that was asked for at `asked_at`, and the share that it says.
    pub fn target(&self, rollout: &RolloutName, asked_at: Moment, observation: Observation) {
        self.share(rollout, asked_at, observation.whole_share());
        let mut inner = self.lock();
        if inner.observations.get(rollout).is_none_or(|(latest, _)| *latest <= asked_at) {
            inner.observations.insert(rollout.clone(), (asked_at, Arc::new(observation)));
        }
    }

    /// The latest observation with when it was asked for, on the wall clock that shows `now`.
    #[must_use]
    pub fn observation(
        &self,
        rollout: &RolloutName,
        now: DateTime<Utc>,
    ) -> Option<(DateTime<Utc>, Arc<Observation>)> {
        let (at, observation) = self.lock().observations.get(rollout).cloned()?;
        Some((self.on_wall(at, now), observation))
    }

    /// The latest reading with when it was asked for, and when the share was last asked for and read
    /// as 0 %, on the wall clock that shows `now`.
    #[must_use]
    pub fn reading(&self, rollout: &RolloutName, now: DateTime<Utc>) -> (Reading, Option<DateTime<Utc>>) {
        let Some(reading) = self.lock().readings.get(rollout).copied() else { return (Reading::Never, None) };
        let zero_at = reading.zero_at.map(|at| self.on_wall(at, now));
        (Reading::At { at: self.on_wall(reading.at, now), share: reading.share }, zero_at)
    }

    /// Every Alertmanager answered a question that was asked at `asked_at`; these are the alerts of
    /// the rollout that one of them lists, silenced ones included.
    pub fn listed(&self, rollout: &RolloutName, asked_at: Moment, fingerprints: BTreeSet<Fingerprint>) {
        self.lock().listed.insert(rollout.clone(), Listed { at: asked_at, fingerprints });
    }

    /// What the clock of another system showed while this one's showed `now`.
    pub fn clock_of(&self, source: &str, theirs: DateTime<Utc>, now: DateTime<Utc>) {
        let ahead = theirs - now;
        let before = {
            let mut inner = self.lock();
            inner.set_by = TimeDelta::zero();
            inner.clocks_ahead.insert(source.to_owned(), ahead)
        };
        let differs = |ahead: TimeDelta| ahead.abs() >= CLOCKS_DIFFER;
        if differs(ahead) && !before.is_some_and(differs) {
            tracing::warn!(
                source,
                ahead_seconds = ahead.num_seconds(),
                "its clock and this one's differ: let NTP keep both; until then, times in alerts are checked against what was listed when"
            );
        }
    }

    /// This clock was set: until it is compared with another one, nobody knows which was right.
    pub fn clock_set(&self, by: TimeDelta) {
        let mut inner = self.lock();
        inner.set_by += by;
        inner.clocks_ahead.values_mut().for_each(|ahead| *ahead -= by);
    }

    /// By how many seconds each other system's clock is ahead of this one's.
    #[must_use]
    pub fn clocks_ahead_seconds(&self) -> Vec<(String, i64)> {
        let inner = self.lock();
        inner.clocks_ahead.iter().map(|(source, ahead)| (source.clone(), ahead.num_seconds())).collect()
    }

    /// The earliest instant at which an alert can have begun, on the wall clock that shows `now`;
    /// `None` while all clocks agree, so that its own word is right.
    ///
    /// An alert doesn't say who dated it, so the later of two counts: its own time as if the clock that is
    /// furthest behind had dated it, and when Alertmanager, asked for everything, last did not list it.
    #[must_use]
    pub fn not_before(
        &self,
        rollout: &RolloutName,
        alert: &Alert,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let inner = self.lock();
        let behind = inner.clocks_ahead.values().map(|ahead| -*ahead).chain([inner.set_by]);
        behind.clone().find(|behind| behind.abs() >= CLOCKS_DIFFER)?;
        let behind = behind.max().unwrap_or_default();
        let corrected = (alert.starts_at + behind.max(TimeDelta::zero())).min(now);
        let listed = inner.listed.get(rollout);
        let unlisted = listed.filter(|listed| !listed.fingerprints.contains(&alert.fingerprint));
        Some(unlisted.map_or(corrected, |listed| corrected.max(self.on_wall(listed.at, now))))
    }

    /// A Watchdog of these labels was heard just now; noted if it is one that counts.
    pub fn watchdog_heard(&self, labels: &Labels) {
        self.lock().watchdogs.heard(labels);
    }

    /// Seconds since a Watchdog was heard that speaks for alerts of these labels, or since the start.
    #[must_use]
    pub fn watchdog_silent_seconds(&self, labels: &Labels) -> u64 {
        self.lock().watchdogs.silent_seconds(labels)
    }

    fn on_wall(&self, at: Moment, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::from_std(self.clock.moment().since(at)).unwrap_or(TimeDelta::MAX)
    }
}

#[cfg(test)]
mod tests {
    use crate::incident::fixtures::firing;
    use std::time::Duration;

    use super::*;
    use crate::clock::SteppedClock;

    fn rollout() -> RolloutName {
        RolloutName::new("spark-trading")
    }

    fn alert(name: &Fingerprint, starts_at: DateTime<Utc>) -> Alert {
        firing(name.as_str(), &[], starts_at)
    }

    fn noon() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().expect("a time")
    }

    fn observed() -> (Observed, Arc<SteppedClock>) {
        let clock = Arc::new(SteppedClock::starting_at(noon()));
        (Observed::new(clock.clone(), Watchdog::named("Watchdog")), clock)
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_ages_with_its_own_clock_whatever_the_wall_clock_shows() {
        let (observed, _) = observed();
        observed.share(&rollout(), observed.moment(), Some(Share::ZERO));
        observed.watchdog_heard(&Labels::from([("alertname".to_owned(), "Watchdog".to_owned())]));
        tokio::time::advance(Duration::from_secs(3)).await;
        for wall in [noon(), noon() + TimeDelta::hours(2), noon() - TimeDelta::hours(2)] {
            let three_ago = wall - TimeDelta::seconds(3);
            let expected = Reading::At { at: three_ago, share: Some(Share::ZERO) };
            assert_eq!(observed.reading(&rollout(), wall), (expected, Some(three_ago)));
        }
        assert_eq!(observed.watchdog_silent_seconds(&Labels::new()), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_from_before_the_machine_slept_is_old_and_the_watchdog_was_not_silent() {
        let (observed, clock) = observed();
        observed.share(&rollout(), observed.moment(), Some(Share(25)));
        observed.watchdog_heard(&Labels::from([("alertname".to_owned(), "Watchdog".to_owned())]));
        clock.suspend(Duration::from_secs(3_600));
        let at = noon();
        assert_eq!(observed.reading(&rollout(), clock.now()).0, Reading::At { at, share: Some(Share(25)) });
        assert_eq!(observed.watchdog_silent_seconds(&Labels::new()), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_is_as_old_as_its_question_and_a_late_answer_replaces_no_newer_one() {
        let (observed, clock) = observed();
        let before = observed.moment();
        tokio::time::advance(Duration::from_secs(1)).await;
        let after = observed.moment();
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = noon() + TimeDelta::seconds(1);
        let reading = || observed.reading(&rollout(), clock.now());

        observed.share(&rollout(), after, Some(Share::ZERO));
        assert_eq!(reading(), (Reading::At { at: second, share: Some(Share::ZERO) }, Some(second)));
        for late in [Some(Share(25)), None, Some(Share::ZERO)] {
            observed.share(&rollout(), before, late);
            let expected = Reading::At { at: second, share: Some(Share::ZERO) };
            assert_eq!(reading(), (expected, Some(second)), "asked before the traffic was off: {late:?}");
        }

        observed.share(&rollout(), after, Some(Share(25)));
        let expected = Reading::At { at: second, share: Some(Share(25)) };
        assert_eq!(reading(), (expected, Some(second)), "asked at the same time, answered later");
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_of_0_percent_still_tells_when_the_canary_had_no_traffic() {
        let (observed, clock) = observed();
        let before = observed.moment();
        tokio::time::advance(Duration::from_secs(1)).await;
        observed.share(&rollout(), observed.moment(), Some(Share(25)));
        observed.share(&rollout(), before, Some(Share::ZERO));
        let expected = Reading::At { at: clock.now(), share: Some(Share(25)) };
        assert_eq!(observed.reading(&rollout(), clock.now()), (expected, Some(noon())));
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_share_cant_be_read_is_as_fresh_as_the_end_of_the_try() {
        let (observed, clock) = observed();
        let asked_at = observed.moment();
        tokio::time::advance(Duration::from_secs(2)).await;
        observed.share(&rollout(), asked_at, None);
        let at = noon() + TimeDelta::seconds(2);
        assert_eq!(observed.reading(&rollout(), clock.now()).0, Reading::At { at, share: None });
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_listed_counts_only_while_clocks_differ() {
        let (observed, _) = observed();
        let (old, new) = (Fingerprint::new("old"), Fingerprint::new("new"));
        observed.listed(&rollout(), observed.moment(), BTreeSet::from([old.clone()]));
        tokio::time::advance(Duration::from_secs(10)).await;
        let began = |name: &Fingerprint, minutes_ago| {
            let alert = alert(name, noon() - TimeDelta::minutes(minutes_ago));
            observed.not_before(&rollout(), &alert, noon())
        };
        observed.clock_of("am", noon() + TimeDelta::seconds(4), noon());
        assert_eq!(began(&new, 6), None, "the clocks agree");
        observed.clock_of("am", noon() + TimeDelta::minutes(6), noon());
        assert_eq!(began(&new, 6), Some(noon() - TimeDelta::seconds(10)), "not listed then");
        assert_eq!(began(&old, 6), Some(noon() - TimeDelta::minutes(6)), "listed, and perhaps dated rightly");
        observed.clock_of("am", noon() - TimeDelta::minutes(6), noon());
        assert_eq!(began(&old, 6), Some(noon()), "dated by a clock that is behind");
        assert_eq!(began(&old, 8), Some(noon() - TimeDelta::minutes(2)));
        assert_eq!(began(&old, -8), Some(noon()), "never in the future");
        assert_eq!(observed.clocks_ahead_seconds(), [("am".to_owned(), -360)]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_this_clock_was_set_an_alert_is_not_older_than_it_can_be_until_clocks_are_compared() {
        let (observed, _) = observed();
        observed.clock_set(TimeDelta::minutes(30));
        let old = alert(&Fingerprint::new("old"), noon() - TimeDelta::minutes(31));
        let began = || observed.not_before(&rollout(), &old, noon());
        assert_eq!(began(), Some(noon() - TimeDelta::minutes(1)));
        observed.clock_of("am", noon(), noon());
        assert_eq!(began(), None, "this clock had been wrong");
    }
}
