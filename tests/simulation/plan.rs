//! What happens outside of Backstop in one schedule, drawn from its seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use backstop::decision::Mode;

use crate::cluster::{Change, Cluster};
use crate::cluster_target::Plant;
use crate::people::OnSend;
use crate::ramping::{Act, Ramping};
use crate::traffic::{OnRead, OnSet};

/// How long things go wrong; then everything is mended, and the end has to be right.
pub(crate) const TROUBLE: Duration = Duration::from_secs(60);

/// Alerts of each rollout: the even ones are criticals.
pub(crate) const ALERTS: u8 = 4;

/// The part of the schedules whose events are stored by the real SQLite, which takes real time.
const ON_DISK: f64 = 0.004;

/// The part of the schedules in which channels to people fail: what they retry takes minutes, which are
/// many polls of everything else.
const PEOPLE_FAIL: f64 = 0.15;

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// People set the canary's share.
    Share(usize, u8),
    /// An alert's condition begins to hold.
    Fire(u8),
    /// Several begin at once, and one message reports all: each bit is an alert.
    FireTogether(u8),
    /// It no longer holds.
    Recover(u8),
    PrometheusDies,
    PrometheusBack,
    AlertmanagerDown,
    AlertmanagerUp,
    /// It forgets its alerts until Prometheus sends them again.
    AlertmanagerRestarts,
    Silence(u8),
    Unsilence(u8),
    OnSet(usize, OnSet),
    OnRead(usize, OnRead),
    /// A channel to people takes messages so from now on.
    OnSend(usize, OnSend),
    StoreDown,
    StoreHangs(Duration),
    StoreUp,
    EvidenceDown,
    EvidenceHangs,
    EvidenceUp,
    /// The process is killed at its n-th step from now, and started again after a while.
    Crash {
        steps: u32,
        rest: Duration,
        /// A critical that fires for a moment while nobody is there.
        unseen: Option<u8>,
    },
    /// Our wall clock is set.
    SetClock {
        seconds: i64,
    },
    /// The process is stopped, and started again with the next revision on canary.
    Deploy,
    Hold(usize),
    Resume(usize),
    Acknowledge(usize),
    Close(usize),
    RollBack(usize),
    Cluster(Change),
    Ramp(Act),
}

/// How one message travels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Travel {
    pub(crate) lost: bool,
    pub(crate) delay: Duration,
    /// A copy, as from a second Alertmanager, this much later.
    pub(crate) copy_after: Option<Duration>,
}

/// One schedule.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) actions: Vec<(Duration, Action)>,
    pub(crate) has_alertmanager: bool,
    pub(crate) has_prometheus: bool,
    /// The cluster as it is at first, where the first rollout is in one.
    pub(crate) cluster: Option<Cluster>,
    /// A fault in Backstop itself, which has to be found.
    pub(crate) plant: Option<Plant>,
    /// Set where the first rollout is ramped.
    pub(crate) ramping: Option<Ramping>,
    /// Whether there is a second rollout.
    pub(crate) has_other: bool,
    pub(crate) modes: [Mode; 2],
    /// Whether there is a place to read the shares.
    pub(crate) readable: bool,
    pub(crate) has_strange_watchdog: bool,
    pub(crate) relabelled: bool,
    /// Whether the events are stored by the real store.
    pub(crate) on_disk: bool,
    /// Whether the clock is ever set: then times of different clocks are compared, and some answers
    /// may rightly be later.
    pub(crate) sets_clock: bool,
    /// Decides what is drawn while the schedule runs.
    pub(crate) rng: StdRng,
}

impl Plan {
    /// With a flag.
    pub(crate) fn of(seed: u64) -> Self {
        Self::draw(seed, false, None)
    }

    /// In a cluster; perhaps with a fault in Backstop itself.
    pub(crate) fn in_a_cluster(seed: u64, plant: Option<Plant>) -> Self {
        Self::draw(seed, true, plant)
    }

    fn draw(seed: u64, in_a_cluster: bool, plant: Option<Plant>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut of_cluster = StdRng::seed_from_u64(seed.rotate_left(32));
        let cluster = in_a_cluster.then(|| Cluster::draw(&mut of_cluster));
        let has_alertmanager = rng.random_bool(0.85);
        let has_prometheus = rng.random_bool(0.5);
        let sets_clock = rng.random_bool(0.15) && !in_a_cluster;
        let calm = rng.random_bool(0.2);
        let has_other = rng.random_bool(0.3) && !in_a_cluster;
        let readable = rng.random_bool(0.9) || in_a_cluster;
        let has_strange_watchdog = rng.random_bool(0.3);
        let relabelled = rng.random_bool(0.2);
        let on_disk = rng.random_bool(ON_DISK);
        let people_fail = rng.random_bool(PEOPLE_FAIL);
        let modes = [0, 1].map(|_| match rng.random_range(0..10) {
            0 => Mode::Shadow,
            1 => Mode::Off,
            _ => Mode::Armed,
        });
        let count = rng.random_range(4..24);
        let mut actions =
            vec![(Duration::ZERO, Action::Share(0, *[0, 1, 5, 25, 100].choose(&mut rng).expect("a share")))];
        if has_other {
            actions.push((Duration::ZERO, Action::Share(1, *[0, 5, 25].choose(&mut rng).expect("a share"))));
        }
        for _ in 0..count {
            let at = Duration::from_millis(rng.random_range(0..TROUBLE.as_millis() as u64));
            let site = usize::from(has_other && rng.random_bool(0.4));
            actions.push((at, action(&mut rng, site, calm, sets_clock)));
        }
        for _ in 0..if in_a_cluster { of_cluster.random_range(3..14) } else { 0 } {
            let at = Duration::from_millis(of_cluster.random_range(0..TROUBLE.as_millis() as u64));
            actions.push((at, Action::Cluster(Change::draw(&mut of_cluster))));
        }
        for _ in 0..if people_fail { rng.random_range(1..6) } else { 0 } {
            let at = Duration::from_millis(rng.random_range(0..TROUBLE.as_millis() as u64));
            let fault = *OnSend::ALL.choose(&mut rng).expect("a fault");
            actions.push((at, Action::OnSend(rng.random_range(0..2), fault)));
        }
        actions.sort_by_key(|(at, _)| *at);
        Self {
            actions,
            has_alertmanager,
            has_prometheus,
            cluster,
            plant,
            ramping: None,
            has_other,
            modes,
            readable,
            has_strange_watchdog,
            relabelled,
            on_disk,
            sets_clock,
            rng,
        }
    }

    pub(crate) fn travel(&mut self) -> Travel {
        let rng = &mut self.rng;
        let delay = if rng.random_bool(0.7) { rng.random_range(0..200) } else { rng.random_range(0..8_000) };
        Travel {
            lost: rng.random_bool(0.15),
            delay: Duration::from_millis(delay),
            copy_after: rng.random_bool(0.3).then(|| Duration::from_millis(rng.random_range(0..15_000))),
        }
    }
}

fn action(rng: &mut StdRng, site: usize, calm: bool, sets_clock: bool) -> Action {
    let alert = rng.random_range(0..ALERTS) + ALERTS * u8::try_from(site).expect("two");
    let kinds = if calm { 44 } else { 104 };
    match rng.random_range(0..kinds) {
        0..14 => Action::Fire(alert),
        14..18 => Action::FireTogether(rng.random_range(1..16) << (4 * site)),
        18..28 => Action::Recover(alert),
        28..32 => Action::Share(site, *[0, 0, 1, 5, 25].choose(rng).expect("a share")),
        32..35 => Action::RollBack(site),
        35..37 => Action::Hold(site),
        37..39 => Action::Resume(site),
        39..41 => Action::Acknowledge(site),
        41..43 => Action::Close(site),
        43..44 => Action::Deploy,
        44..56 => {
            let unseen = rng.random_bool(0.5).then_some(alert & !1);
            // Short enough that a grace which was open still is.
            let longest = if unseen.is_some() { 5_000 } else { 20_000 };
            let rest = Duration::from_millis(rng.random_range(0..longest));
            Action::Crash { steps: rng.random_range(0..30), rest, unseen }
        }
        56..62 => Action::OnSet(site, *OnSet::ALL.choose(rng).expect("a fault")),
        62..68 => Action::OnRead(site, *OnRead::ALL.choose(rng).expect("a fault")),
        68..71 => Action::StoreDown,
        71..74 => Action::StoreHangs(Duration::from_millis(rng.random_range(100..15_000))),
        74..78 => Action::StoreUp,
        78..81 => Action::EvidenceDown,
        81..83 => Action::EvidenceHangs,
        83..85 => Action::EvidenceUp,
        85..88 => Action::PrometheusDies,
        88..90 => Action::PrometheusBack,
        90..92 => Action::AlertmanagerDown,
        92..94 => Action::AlertmanagerUp,
        94..96 => Action::AlertmanagerRestarts,
        96..98 => Action::Silence(alert),
        98..100 => Action::Unsilence(alert),
        _ if sets_clock => Action::SetClock { seconds: rng.random_range(-7_200..7_200) },
        _ => Action::Recover(alert),
    }
}
