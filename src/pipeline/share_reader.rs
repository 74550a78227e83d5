//! The share as a rollback begins to act, read at most once at a time for each rollout.
//!
//! A critical's reading is begun while its events are stored, so that the rollback finds it there: a
//! commit and a request to a flag API take about the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex;

use super::observed_target::ObservedTarget;
use super::{Observed, Rollout, Rollouts};
use crate::clock::Clock;
use crate::decision::Reading;
use crate::incident::{RolloutName, Share};

/// A reading that was asked for this lately says how the traffic was as the rollback began to act.
const OF_THIS_MOMENT: TimeDelta = TimeDelta::seconds(1);

/// How long a rollback may wait for the share just before it acts: it is for the reader of the
/// evidence, and changes nothing. A healthy flag API answers in milliseconds.
const BEFORE_ACTING: Duration = Duration::from_millis(100);

/// How closely a share is looked at.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// As few reads as possible, see [`ObservedTarget::glance`].
    Glance,
    Observation,
}

/// Reads shares. Clones take turns with each other.
#[derive(Debug, Clone)]
pub struct ShareReader {
    observed: Arc<Observed>,
    clock: Arc<dyn Clock>,
    turns: Arc<BTreeMap<RolloutName, Arc<Mutex<()>>>>,
}

impl ShareReader {
    /// For these rollouts; what is read is recorded in `observed`.
    #[must_use]
    pub fn new(rollouts: &Rollouts, observed: Arc<Observed>, clock: Arc<dyn Clock>) -> Self {
        let turns = rollouts.iter().map(|rollout| (rollout.name.clone(), Arc::default())).collect();
        Self { observed, clock, turns: Arc::new(turns) }
    }

    /// Begins a reading that nobody waits for, unless there is one of this moment or one is under way:
    /// a storm of criticals asks a flag API no more than one of them does.
    #[expect(clippy::disallowed_methods, reason = "who finds no reading because this one died reads again")]
    pub fn begin(&self, rollout: &Arc<Rollout>) {
        if !rollout.lane.target().can_observe() || self.of_this_moment(rollout).is_some() {
            return;
        }
        let Some(turn) = self.turns.get(&rollout.name) else { return };
        let Ok(turn) = Arc::clone(turn).try_lock_owned() else { return };
        let (reader, rollout) = (self.clone(), Arc::clone(rollout));
        tokio::spawn(async move {
            reader.read(&rollout, BEFORE_ACTING, Look::Glance).await;
            drop(turn);
        });
    }

    /// The share now: the reading that was decided on or begun with it, if it is of this moment, or
    /// else another one. `None`: it can't be read in time.
    pub(super) async fn before_acting(&self, rollout: &Rollout) -> Option<Share> {
        self.within(rollout, BEFORE_ACTING, Look::Glance).await
    }

    /// The same for who has time, and has to know what anybody has set by now.
    pub(super) async fn observed_within(&self, rollout: &Rollout, limit: Duration) -> Option<Share> {
        self.within(rollout, limit, Look::Observation).await
    }

    async fn within(&self, rollout: &Rollout, limit: Duration, look: Look) -> Option<Share> {
        if !rollout.lane.target().can_observe() {
            return None;
        }
        let turn = self.turns.get(&rollout.name)?;
        let read = async {
            let _turn = turn.lock().await;
            match self.of_this_moment(rollout) {
                Some(share) => share,
                None => self.read(rollout, limit, look).await,
            }
        };
        tokio::time::timeout(limit, read).await.ok()?
    }

    fn of_this_moment(&self, rollout: &Rollout) -> Option<Option<Share>> {
        let now = self.clock.now();
        match self.observed.reading(&rollout.name, now).0 {
            Reading::At { at, share } if now - at <= OF_THIS_MOMENT => Some(share),
            Reading::At { .. } | Reading::Never | Reading::NotConfigured => None,
        }
    }

    /// A failure is not recorded: the reading from before it says more, and whoever acts tries anyway.
    async fn read(&self, rollout: &Rollout, limit: Duration, look: Look) -> Option<Share> {
        let target = ObservedTarget { rollout, observed: &self.observed, clock: self.clock.as_ref() };
        let read = async {
            let glanced = match look {
                Look::Glance => target.glance().await,
                Look::Observation => None,
            };
            match glanced {
                Some(share) => Some(share),
                None => target.observe().await.ok()?.whole_share(),
            }
        };
        tokio::time::timeout(limit, read).await.ok()?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::clock::SteppedClock;
    use crate::decision::Watchdog;
    use crate::execution::Glance;
    use crate::incident::{Observation, Revision};
    use crate::pipeline::fixtures::{Flag, rollout};

    struct Scene {
        flag: Arc<Flag>,
        rollout: Arc<Rollout>,
        reader: ShareReader,
    }

    impl Scene {
        fn of(share: Option<Share>) -> Self {
            let flag = Flag::new(share);
            let rollouts = Rollouts::new([rollout(Arc::clone(&flag))]);
            let rollout = rollouts.iter().next().cloned().expect("one");
            let clock = Arc::new(SteppedClock::starting_at("2026-11-24T03:00:00Z".parse().expect("a time")));
            let observed = Arc::new(Observed::new(clock.clone(), Watchdog::named("Watchdog")));
            Self { flag, rollout, reader: ShareReader::new(&rollouts, observed, clock) }
        }

        fn reads(&self) -> usize {
            self.flag.reads.load(Ordering::Relaxed)
        }

        async fn before_acting(&self) -> Option<Share> {
            self.reader.before_acting(&self.rollout).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollback_waits_for_the_reading_that_was_begun_with_its_alert_and_asks_no_second_time() {
        let scene = Scene::of(Some(Share(25)));
        scene.flag.hangs.send_replace(true);
        scene.reader.begin(&scene.rollout);
        let answered = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            scene.flag.hangs.send_replace(false);
        };
        let (share, ()) = tokio::join!(scene.before_acting(), answered);
        assert_eq!((share, scene.reads()), (Some(Share(25)), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_criticals_reads_the_share_once_a_second() {
        let scene = Scene::of(Some(Share(25)));
        for second in 1..=3 {
            for _ in 0..100 {
                scene.reader.begin(&scene.rollout);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(scene.reads(), second);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        scene.flag.hangs.send_replace(true);
        for _ in 0..100 {
            scene.reader.begin(&scene.rollout);
            tokio::task::yield_now().await;
        }
        assert_eq!(scene.reads(), 4, "one is under way");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flag_that_hangs_keeps_a_rollback_waiting_for_a_tenth_of_a_second() {
        let scene = Scene::of(Some(Share(25)));
        scene.flag.hangs.send_replace(true);
        scene.reader.begin(&scene.rollout);
        let began = tokio::time::Instant::now();
        assert_eq!(scene.before_acting().await, None);
        assert_eq!(began.elapsed(), BEFORE_ACTING);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_place_to_read_nothing_is_asked() {
        let scene = Scene::of(None);
        scene.reader.begin(&scene.rollout);
        tokio::task::yield_now().await;
        assert_eq!((scene.before_acting().await, scene.reads()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_reading_is_not_how_the_traffic_was_as_the_rollback_began() {
        let scene = Scene::of(Some(Share(25)));
        scene.reader.observed.share(&scene.rollout.name, scene.reader.observed.moment(), Some(Share(5)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((scene.before_acting().await, scene.reads()), (Some(Share(5)), 0));
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!((scene.before_acting().await, scene.reads()), (Some(Share(25)), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_to_know_what_anybody_has_set_is_not_content_with_a_glance() {
        let scene = Scene::of(Some(Share(25)));
        let revision = Some(Revision::new("v1"));
        let known = Observation { revision: revision.clone(), ..Observation::of_share(Share(1)) };
        let record = &scene.reader.observed;
        record.target(&scene.rollout.name, record.moment(), known);
        tokio::time::advance(Duration::from_secs(20)).await;
        *scene.flag.glance.lock().expect("whole") = Some(Glance { share: Share(5), revision });
        let share = scene.reader.observed_within(&scene.rollout, Duration::from_secs(1)).await;
        assert_eq!((share, scene.reads()), (Some(Share(25)), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_glance_is_enough_for_traffic_on_the_revision_that_was_observed_and_for_nothing_else() {
        let revision = |text: &str| Some(Revision::new(text));
        for (observed, seen, share, reads) in [
            (revision("v1"), revision("v1"), Share(5), 0),
            (revision("v1"), revision("v2"), Share(5), 1),
            (revision("v1"), None, Share(5), 1),
            // That it has none depends on what serves, too.
            (revision("v1"), revision("v1"), Share::ZERO, 1),
            (None, revision("v1"), Share(5), 1),
        ] {
            let scene = Scene::of(Some(Share(25)));
            let (name, record) = (&scene.rollout.name, &scene.reader.observed);
            let known = Observation { revision: observed.clone(), ..Observation::of_share(Share(1)) };
            record.target(name, record.moment(), known);
            tokio::time::advance(Duration::from_secs(20)).await;
            let glance = Glance { share, revision: seen.clone() };
            *scene.flag.glance.lock().expect("whole") = Some(glance);
            let before = scene.before_acting().await;
            let case = format!("{observed:?}, {seen:?}, {share}");
            let expected = if reads == 0 { share } else { Share(25) };
            assert_eq!((before, scene.flag.reads.load(Ordering::Relaxed)), (Some(expected), reads), "{case}");
            let now = scene.reader.clock.now();
            let seen_at = record.revision_seen_at(name, now).expect("seen");
            assert_eq!(now - seen_at, TimeDelta::zero(), "{case}");
        }
    }
}
