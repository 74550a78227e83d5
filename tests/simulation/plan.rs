//! What happens outside of Backstop in one schedule, drawn from its seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::traffic::{OnRead, OnSet};

/// How long things go wrong; then everything is mended, and the end has to be right.
pub(crate) const TROUBLE: Duration = Duration::from_secs(60);

/// Alerts that there are: the even ones are criticals.
pub(crate) const ALERTS: u8 = 4;

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// People set the canary's share.
    Share(u8),
    /// An alert's condition begins to hold.
    Fire(u8),
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
    OnSet(OnSet),
    OnRead(OnRead),
    StoreDown,
    StoreHangs,
    StoreUp,
    EvidenceDown,
    EvidenceHangs,
    EvidenceUp,
    /// The process is killed at its n-th step from now, and started again after a while.
    Crash {
        steps: u32,
        rest: Duration,
    },
    /// Our wall clock is set.
    SetClock {
        seconds: i64,
    },
    Hold,
    Resume,
    Acknowledge,
    RollBack,
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
    /// Whether the clock is ever set: then times of different clocks are compared, and some answers
    /// may rightly be later.
    pub(crate) sets_clock: bool,
    /// Decides what is drawn while the schedule runs.
    pub(crate) rng: StdRng,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let has_alertmanager = rng.random_bool(0.85);
        let has_prometheus = rng.random_bool(0.5);
        let sets_clock = rng.random_bool(0.15);
        let calm = rng.random_bool(0.2);
        let count = rng.random_range(4..24);
        let mut actions =
            vec![(Duration::ZERO, Action::Share(*[1, 5, 25, 100].choose(&mut rng).expect("a share")))];
        for _ in 0..count {
            let at = Duration::from_millis(rng.random_range(0..TROUBLE.as_millis() as u64));
            actions.push((at, action(&mut rng, calm, sets_clock)));
        }
        actions.sort_by_key(|(at, _)| *at);
        Self { actions, has_alertmanager, has_prometheus, sets_clock, rng }
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

fn action(rng: &mut StdRng, calm: bool, sets_clock: bool) -> Action {
    let alert = rng.random_range(0..ALERTS);
    let kinds = if calm { 40 } else { 100 };
    match rng.random_range(0..kinds) {
        0..18 => Action::Fire(alert),
        18..28 => Action::Recover(alert),
        28..32 => Action::Share(*[0, 0, 1, 5, 25].choose(rng).expect("a share")),
        32..34 => Action::RollBack,
        34..36 => Action::Hold,
        36..38 => Action::Resume,
        38..40 => Action::Acknowledge,
        40..52 => Action::Crash {
            steps: rng.random_range(0..30),
            rest: Duration::from_millis(rng.random_range(0..20_000)),
        },
        52..58 => Action::OnSet(*OnSet::ALL.choose(rng).expect("a fault")),
        58..64 => Action::OnRead(*OnRead::ALL.choose(rng).expect("a fault")),
        64..68 => Action::StoreDown,
        68..70 => Action::StoreHangs,
        70..74 => Action::StoreUp,
        74..77 => Action::EvidenceDown,
        77..79 => Action::EvidenceHangs,
        79..81 => Action::EvidenceUp,
        81..84 => Action::PrometheusDies,
        84..86 => Action::PrometheusBack,
        86..88 => Action::AlertmanagerDown,
        88..90 => Action::AlertmanagerUp,
        90..92 => Action::AlertmanagerRestarts,
        92..94 => Action::Silence(alert),
        94..96 => Action::Unsilence(alert),
        _ if sets_clock => Action::SetClock { seconds: rng.random_range(-7_200..7_200) },
        _ => Action::Recover(alert),
    }
}
