//! What the tests of this room share: a rollout over a flag that they steer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{JournalParts, Observed, Rollout, Rollouts};
use crate::clock::SteppedClock;
use crate::decision::Watchdog;
use crate::decision::world::armed_policy;
use crate::execution::{ActError, Glance, Lane, Reach, ReadError, StepLimits, Target};
use crate::incident::{Answer, Observation, RolloutName, Share, Step};
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::ramp::{NobodyAnswers, NothingOffered};
use crate::randomness::Randomness;
use crate::store::IncidentStore;
use crate::verification::{Application, TrafficShare, Verifier};

pub(super) fn name() -> RolloutName {
    RolloutName::new("spark-trading")
}

/// A flag that nobody sets.
#[derive(Debug)]
pub(super) struct Flag {
    /// `None`: there is no place to read it.
    share: Option<Share>,
    /// While it hangs, no reading is answered.
    pub(super) hangs: watch::Sender<bool>,
    pub(super) reads: AtomicUsize,
    /// What it says of itself at a glance; `None`: it has to be observed.
    pub(super) glance: Mutex<Option<Glance>>,
}

impl Flag {
    pub(super) fn new(share: Option<Share>) -> Arc<Self> {
        Arc::new(Self {
            share,
            hangs: watch::channel(false).0,
            reads: AtomicUsize::new(0),
            glance: Mutex::default(),
        })
    }
}

#[async_trait]
impl Target for Flag {
    fn describe(&self, _: Step) -> String {
        String::new()
    }

    async fn apply(&self, _: Step) -> Result<Answer, ActError> {
        unreachable!("nobody works here")
    }

    fn can_observe(&self) -> bool {
        self.share.is_some()
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        drop(self.hangs.subscribe().wait_for(|hangs| !hangs).await);
        self.share.ok_or(ReadError::NotConfigured).map(Observation::of_share)
    }

    async fn glance(&self) -> Option<Result<Glance, ReadError>> {
        self.glance.lock().expect("whole").clone().map(Ok)
    }
}

/// What a journal over a store works with, at a time that a test steps, and that clock.
pub(super) fn journal_parts(
    store: Arc<dyn IncidentStore>,
    rollouts: Rollouts,
    at: DateTime<Utc>,
) -> (JournalParts, Arc<SteppedClock>) {
    let clock = Arc::new(SteppedClock::starting_at(at));
    let observed = Arc::new(Observed::new(clock.clone(), Watchdog::named("Watchdog")));
    let (metrics, randomness) = (Metrics::new(&[name()], &[]), Randomness::seeded(1));
    (JournalParts { store, rollouts, observed, clock: clock.clone(), randomness, metrics }, clock)
}

pub(super) fn rollout(flag: Arc<Flag>) -> Rollout {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let outbound = Outbound::new(Duration::from_secs(1), None).expect("a client");
    let second = Duration::from_secs(1);
    let lane = Lane::new(flag, Reach { call: second, unanswered: second });
    Rollout {
        name: name(),
        policy: armed_policy(),
        application: Application::new(outbound, None),
        verifier: Verifier { probes: vec![Arc::new(TrafficShare)] },
        lane,
        step_limits: StepLimits::default(),
        freeze: crate::ramp::freeze::FreezeWindows::default(),
        offers: Arc::new(NothingOffered { why: "no ramp is configured".to_owned() }),
        judge: Arc::new(NobodyAnswers { why: "nobody can be asked".to_owned() }),
        tagger: None,
        judge_interval: Duration::from_secs(15),
        verify_interval: Duration::from_secs(1),
    }
}
