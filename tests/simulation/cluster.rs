//! A cluster, the second kind of world: pods that come and go, and others who write beside Backstop.

use std::collections::VecDeque;
use std::time::Duration;

use backstop::incident::{Observation, Pods, Share, Workloads};
use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::cluster_causes::Causes;
use crate::process::revision;
use crate::world::{Inner, World};

/// Pods of the stable version that the rollback needs.
pub(crate) const REPLICAS: u16 = 3;

/// How often the cluster's own controllers look.
const TURN: Duration = Duration::from_millis(700);

/// Observations that are remembered, to find out what a decision rested on.
const MOST_TOLD: usize = 5_000;

/// What becomes of the stable version's pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PodsDo {
    #[default]
    ComeUp,
    ComeUpSlowly,
    NeverComeUp,
    Flap,
    Die,
}

/// Something that happens in a cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Pods(PodsDo),
    /// An autoscaler lets the stable version have no more pods than this.
    AutoscalerMax(Option<u16>),
    /// A GitOps tool applies a manifest with this share and a canary that runs, again and again.
    GitOps(Option<u8>),
    ScaleStable(u16),
    ScaleCanary(u16),
    /// Another revision is put on canary while we run.
    Deploy,
    /// The API server carries changes out long after it was asked, and the answers are lost.
    AnswersNobody(bool),
}

impl Change {
    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        use PodsDo::{ComeUp, ComeUpSlowly, Die, Flap, NeverComeUp};
        match rng.random_range(0..20) {
            0..8 => Self::Pods(
                *[ComeUp, ComeUpSlowly, NeverComeUp, Flap, Flap, Die].choose(rng).expect("one of them"),
            ),
            8..10 => Self::AutoscalerMax(*[None, Some(1), Some(2)].choose(rng).expect("one")),
            10..12 => Self::GitOps(*[None, Some(5), Some(50)].choose(rng).expect("one")),
            12..15 => Self::ScaleStable(rng.random_range(0..6)),
            15..16 => Self::ScaleCanary(rng.random_range(0..4)),
            16..17 => Self::Deploy,
            _ => Self::AnswersNobody(rng.random_bool(0.6)),
        }
    }
}

/// The truth, but for the share, which is the traffic's.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) stable_wanted: u16,
    pub(crate) stable_ready: u16,
    pub(crate) canary_wanted: u16,
    /// As a resourceVersion, of both Deployments.
    pub(crate) scaled: u64,
    pub(crate) answers_nobody: bool,
    pub(crate) told: VecDeque<(DateTime<Utc>, Observation)>,
    /// What a planted fault takes for the share: what it sent, as long as nobody else has changed it.
    pub(crate) believed: Option<(u8, u64)>,
    /// When others than Backstop last changed what a rollback sets.
    pub(crate) touched_at: Option<DateTime<Utc>>,
    pub(crate) deployed_at: Option<DateTime<Utc>>,
    /// When the steps of a rollback were last done, and of the last that was called rolled back.
    pub(crate) done_at: Option<DateTime<Utc>>,
    pub(crate) rolled_back_at: Option<DateTime<Utc>>,
    /// The rollback's attempt has ended no step yet, and waited for nothing.
    pub(crate) has_done_nothing: bool,
    pub(crate) causes: Causes,
    pods: PodsDo,
    autoscaler_max: Option<u16>,
    git_ops: Option<u8>,
}

impl Cluster {
    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let stable_wanted = rng.random_range(0..6);
        let stable_ready = rng.random_range(0..=stable_wanted);
        Self { stable_wanted, stable_ready, canary_wanted: REPLICAS, ..Self::default() }
    }

    pub(crate) fn scale_stable(&mut self, replicas: u16) {
        self.stable_wanted = replicas;
        self.stable_ready = self.stable_ready.min(replicas);
        self.scaled += 1;
    }

    pub(crate) fn scale_canary(&mut self, replicas: u16) {
        self.canary_wanted = replicas;
        self.scaled += 1;
    }

    fn pods_turn(&mut self, rng: &mut StdRng) {
        let (ready, wanted) = (self.stable_ready, self.stable_wanted);
        self.stable_ready = match self.pods {
            PodsDo::ComeUp => (ready + 1).min(wanted),
            PodsDo::ComeUpSlowly if rng.random_bool(0.15) => (ready + 1).min(wanted),
            PodsDo::Flap if rng.random_bool(0.5) => (ready + 2).min(wanted),
            PodsDo::Flap | PodsDo::Die => ready.saturating_sub(2),
            PodsDo::ComeUpSlowly | PodsDo::NeverComeUp => ready,
        };
    }
}

impl Inner {
    /// What an observation shows now.
    pub(crate) fn seen(&self) -> Option<Observation> {
        let Cluster { stable_wanted, stable_ready, canary_wanted, .. } = *self.cluster.as_ref()?;
        let pods = |wanted, ready| Pods { wanted, available: ready, ready_endpoints: ready };
        let (stable, canary) = (pods(stable_wanted, stable_ready), pods(canary_wanted, canary_wanted));
        let workloads = Some(Workloads { stable, canary });
        let revision = Some(revision(self.ledger.deployments));
        Some(Observation { workloads, revision, ..Observation::of_share(Share(self.share_as_believed())) })
    }

    pub(crate) fn share_as_believed(&self) -> u8 {
        let traffic = &self.traffic[0];
        let believed = self.cluster.as_ref().and_then(|cluster| cluster.believed);
        believed.filter(|(_, changes)| *changes == traffic.changes).map_or(traffic.share, |(share, _)| share)
    }

    pub(crate) fn told(&mut self, observation: Observation, now: DateTime<Utc>) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.told.push_front((now, observation));
        cluster.told.truncate(MOST_TOLD);
    }

    /// People gave the canary this share, as they do once it runs.
    pub(crate) fn canary_is_given(&mut self, share: u8, now: DateTime<Utc>) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.touched_at = Some(now);
        if share > 0 {
            cluster.scale_canary(REPLICAS);
        }
    }

    pub(crate) fn in_cluster(&mut self, change: Change, now: DateTime<Utc>) {
        let Some(cluster) = &mut self.cluster else { return };
        match change {
            Change::Pods(pods) => return cluster.pods = pods,
            Change::AutoscalerMax(max) => return cluster.autoscaler_max = max,
            Change::GitOps(share) => return cluster.git_ops = share,
            Change::AnswersNobody(so) => return cluster.answers_nobody = so,
            Change::ScaleStable(replicas) => cluster.scale_stable(replicas),
            Change::ScaleCanary(replicas) => cluster.scale_canary(replicas),
            Change::Deploy => {
                cluster.deployed_at = Some(now);
                self.ledger.deployments += 1;
            }
        }
        cluster.touched_at = Some(now);
    }

    /// Nobody interferes any more, and pods come up.
    pub(crate) fn cluster_is_mended(&mut self) {
        if let Some(cluster) = &mut self.cluster {
            (cluster.autoscaler_max, cluster.git_ops) = (None, None);
            (cluster.pods, cluster.answers_nobody) = (PodsDo::ComeUp, false);
        }
    }

    fn turn(&mut self, rng: &mut StdRng, now: DateTime<Utc>) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.pods_turn(rng);
        if let Some(max) = cluster.autoscaler_max.filter(|max| *max < cluster.stable_wanted) {
            cluster.scale_stable(max);
            cluster.touched_at = Some(now);
        }
        if let Some(share) = cluster.git_ops.filter(|_| rng.random_bool(0.1)) {
            cluster.scale_canary(REPLICAS);
            cluster.touched_at = Some(now);
            self.traffic[0].set(share, now);
        }
    }
}

/// The cluster's own controllers, for ever.
pub(crate) async fn lives(world: World, seed: u64) {
    let mut rng = StdRng::seed_from_u64(!seed);
    loop {
        tokio::time::sleep(TURN).await;
        let now = world.now();
        world.lock().turn(&mut rng, now);
    }
}
