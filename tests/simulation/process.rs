//! One life of Backstop: its real parts over a simulated world, from a start to a kill.

use std::collections::BTreeMap;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request as HttpRequest;
use backstop::clock::SteppedClock;
use backstop::decision::{OnUnverified, PlanPolicy, Policy, Request, Watchdog};
use backstop::execution::{Lane, Reach, StepLimits, Target};
use backstop::incident::{Revision, RolloutName, SeverityMap};
use backstop::metrics::Metrics;
use backstop::outbound::Outbound;
use backstop::pipeline::{
    Gates, Journal, JournalParts, Kinds, Observed, Rollout, Rollouts, Rounds, Severities, ShareReader,
    Sources, Submission, Watcher, Worker,
};
use backstop::ramp::{Judge, NobodyAnswers, NothingOffered};
use backstop::randomness::Randomness;
use backstop::store::IncidentStore;
use backstop::verification::{Application, Verifier};
use backstop::webhook::auth::WebhookAuth;
use backstop::webhook::body::Budget;
use backstop::webhook::{Quarantine, Receiver, router};
use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::cluster::REPLICAS;
use crate::cluster_target::ClusterTarget;
use crate::people;
use crate::plan::Plan;
use crate::probes::probes;
use crate::ramping::SimulatedJudge;
use crate::traffic::Flag;
use crate::world::World;

/// The grace of the simulated rollout, short so that a schedule is.
pub(crate) const GRACE: TimeDelta = TimeDelta::seconds(10);

/// The most orders of one step.
pub(crate) const MAX_ATTEMPTS: u32 = 4;

/// The rollouts, which have alerts of the same names.
pub(crate) const SITES: [&str; 2] = ["sim", "other"];

pub(crate) fn rollout_name(site: usize) -> RolloutName {
    RolloutName::new(SITES[site])
}

fn outbound() -> Outbound {
    static OUTBOUND: OnceLock<Outbound> = OnceLock::new();
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    });
    OUTBOUND.get_or_init(|| Outbound::new(Duration::from_secs(1), None).expect("a client")).clone()
}

/// The revision that is on canary after so many deployments.
pub(crate) fn revision(deployments: u32) -> Revision {
    Revision::new(format!("v1.{deployments}.0"))
}

/// What a rollback in the simulated cluster is to reach, and for how long it is watched.
const IN_A_CLUSTER: (PlanPolicy, TimeDelta) = (
    PlanPolicy::Workloads {
        replicas: REPLICAS,
        critical_after_seconds: 6,
        warning_after_seconds: 12,
        drain_seconds: 2,
    },
    TimeDelta::seconds(8),
);

fn rollout(world: &World, plan: &Plan, site: usize, deployments: u32) -> Rollout {
    let in_a_cluster = world.lock().cluster.is_some();
    let (goals, guard) =
        if in_a_cluster { IN_A_CLUSTER } else { (PlanPolicy::TrafficOnly, TimeDelta::zero()) };
    let policy = Policy {
        mode: plan.modes[site],
        matching: BTreeMap::from([("rollout".to_owned(), SITES[site].to_owned())]),
        revision: revision(deployments),
        grace: GRACE,
        hold: TimeDelta::seconds(20),
        on_unverified: OnUnverified::RollBack,
        plan: goals,
        verify_window: TimeDelta::seconds(5),
        guard,
        rollback_deadline: TimeDelta::seconds(30),
        reading_valid: TimeDelta::seconds(4),
        watchdog_timeout: TimeDelta::seconds(6),
        recipients: people::recipients(),
    };
    let plant = plan.ramping.and_then(|ramping| ramping.plant);
    let judge: Arc<dyn Judge> = match plan.ramping {
        Some(_) => Arc::new(SimulatedJudge { world: world.clone(), plant }),
        None => Arc::new(NobodyAnswers { why: "nobody can be asked".to_owned() }),
    };
    let target: Arc<dyn Target> = if in_a_cluster {
        Arc::new(ClusterTarget { world: world.clone(), plant: plan.plant })
    } else {
        Arc::new(Flag { world: world.clone(), site, readable: plan.readable, plant })
    };
    let reach = Reach { call: Duration::from_secs(3), unanswered: Duration::from_secs(2) };
    let lane = Lane::new(target, reach);
    Rollout {
        name: rollout_name(site),
        policy,
        application: Application::new(outbound(), None),
        verifier: Verifier { probes: probes(world, plan) },
        lane,
        offers: Arc::new(NothingOffered { why: "no ramp is configured".to_owned() }),
        judge,
        tagger: None,
        judge_interval: Duration::from_secs(2),
        step_limits: StepLimits {
            deadline: Duration::from_secs(3),
            max_attempts: MAX_ATTEMPTS,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(1),
            reads: 2,
            read_pause: Duration::from_millis(100),
        },
        freeze: backstop::ramp::freeze::FreezeWindows::default(),
        verify_interval: Duration::from_secs(1),
    }
}

/// A running Backstop.
pub(crate) struct Process {
    pub(crate) journal: Journal,
    receiver: axum::Router,
    dead: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Process {
    /// Starts over what is stored.
    pub(crate) async fn start(
        world: &World,
        plan: &Plan,
        clock: &Arc<SteppedClock>,
        seed: u64,
        deployments: u32,
    ) -> Self {
        world.reborn();
        let stored = world.load().await.expect("memory");
        let sites = 0..if plan.has_other { 2 } else { 1 };
        let rollouts = Rollouts::new(sites.map(|site| rollout(world, plan, site, deployments)));
        let metrics = Metrics::new(&[rollout_name(0), rollout_name(1)], &[]);
        let observed = Arc::new(Observed::new(clock.clone(), Watchdog::named("Watchdog")));
        let randomness = Randomness::seeded(seed);
        let parts = JournalParts {
            store: Arc::new(world.clone()),
            rollouts: rollouts.clone(),
            observed: Arc::clone(&observed),
            clock: clock.clone(),
            randomness: randomness.clone(),
            metrics: metrics.clone(),
        };
        let (journal, journal_task) = Journal::new(parts, stored);
        let sources = Sources {
            alertmanagers: if plan.has_alertmanager { vec![Arc::new(world.clone())] } else { Vec::new() },
            prometheus: if plan.has_prometheus { Some(Arc::new(world.clone())) } else { None },
            watchdog: Watchdog::named("Watchdog"),
            severities: Severities::new(SeverityMap::default(), metrics.clone()),
        };
        let worker = Worker {
            journal: journal.clone(),
            rollouts: rollouts.clone(),
            observed: Arc::clone(&observed),
            share_reader: ShareReader::new(&rollouts, Arc::clone(&observed), clock.clone()),
            sources,
            rounds: Rounds::default(),
            grafana: None,
            channels: people::channels(world),
            evidence: Arc::new(world.clone()),
            store: Arc::new(world.clone()),
            clock: clock.clone(),
            randomness,
            metrics: metrics.clone(),
        };
        let reconcile = Arc::new(Notify::new());
        let watcher = Watcher {
            worker: worker.clone(),
            every: Duration::from_secs(2),
            wake: Arc::clone(&reconcile),
            retention: TimeDelta::days(1),
        };
        let receiver = router(Receiver {
            journal: journal.clone(),
            rollouts,
            observed,
            share_reader: worker.share_reader.clone(),
            watchdog: "Watchdog".to_owned(),
            auth: WebhookAuth::default(),
            reconcile,
            metrics,
            strangers: Kinds::default(),
            told: Kinds::default(),
            severities: worker.sources.severities.clone(),
            quarantine: Quarantine::new("/nonexistent".into()),
            clock: Arc::<SteppedClock>::clone(clock),
            budget: Budget::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(journal_task.run(CancellationToken::new()));
        if plan.ramping.is_some() {
            tasks.spawn(Gates { worker: worker.clone() }.run(CancellationToken::new()));
        }
        tasks.spawn(worker.run(CancellationToken::new(), Duration::ZERO));
        tasks.spawn(watcher.run(CancellationToken::new()));
        Self { journal, receiver, dead: CancellationToken::new(), _tasks: tasks }
    }

    /// SIGKILL.
    pub(crate) fn kill(self) {
        self.dead.cancel();
    }

    /// A way in, which stays when the process has gone.
    pub(crate) fn door(&self) -> Door {
        Door { receiver: self.receiver.clone(), dead: self.dead.clone() }
    }

    /// A person asks. What comes of it is written down: their words have to come out again.
    pub(crate) fn ask(
        &self,
        world: &World,
        site: usize,
        request: Request,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (journal, dead, world) = (self.journal.clone(), self.dead.clone(), world.clone());
        let words = match &request {
            Request::RollBack { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        let input = backstop::decision::Input::Person { actor: "ada".to_owned(), request };
        async move {
            let name = rollout_name(site);
            let inputs = vec![(name, input)];
            let submission = Submission { inputs, blobs: Vec::new() };
            // As the API does: a person waits for what is done, not for the disk.
            let taken = tokio::select! {
                biased;
                () = dead.cancelled() => return,
                taken = journal.report(submission) => taken,
            };
            let Ok(taken) = taken else { return };
            let incident = taken.rulings.into_iter().next().and_then(|ruling| ruling.incident);
            if let (Some(words), Some(incident), true) = (words, incident, taken.durable) {
                world.lock().ledger.asked.push((incident, words));
            }
        }
    }
}

/// Where webhooks go in.
pub(crate) struct Door {
    receiver: axum::Router,
    dead: CancellationToken,
}

impl Door {
    /// Posts a body; the status, or nothing if the process went away before it answered.
    pub(crate) async fn post(&self, body: String) -> Option<u16> {
        let request = HttpRequest::post("/api/v1/alertmanager").body(Body::from(body)).expect("a request");
        tokio::select! {
            biased;
            () = self.dead.cancelled() => None,
            answer = self.receiver.clone().oneshot(request) => answer.ok().map(|answer| answer.status().as_u16()),
        }
    }
}
