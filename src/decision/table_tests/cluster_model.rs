//! Rollbacks in a cluster that lives: pods come and go, others write, processes end between any two
//! steps. What must never happen is looked for after each change that Backstop makes.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::decision::world::World;
use crate::decision::{Command, Input, PlanPolicy, Reading};
use crate::incident::{CheckOutcome, Observation, Phase, Pods, Share, Step, StepOutcome, Verdict, Workloads};

/// Courses of a rollback; two seconds of a test.
const SEEDS: u64 = 1_500;

/// Turns in which the cluster changes; after them it holds still, and the rollback has to get to its end.
const TURNS: u32 = 60;

const REPLICAS: u16 = 3;

#[derive(Debug, Clone, Copy)]
struct Cluster {
    share: u8,
    stable_wanted: u16,
    stable_ready: u16,
    canary_wanted: u16,
}

impl Cluster {
    fn seen(self) -> Observation {
        let pods = |wanted, ready| Pods { wanted, available: ready, ready_endpoints: ready };
        let stable = pods(self.stable_wanted, self.stable_ready);
        let canary = pods(self.canary_wanted, self.canary_wanted);
        Observation {
            workloads: Some(Workloads { stable, canary }),
            ..Observation::of_share(Share(self.share))
        }
    }

    /// What Backstop changes.
    fn apply(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::StableUp { replicas } if replicas < self.stable_wanted => {
                Err("stable was lowered".to_owned())
            }
            Step::StableUp { replicas } => {
                self.stable_wanted = replicas;
                Ok(())
            }
            Step::Shift { share, .. } => {
                self.share = share.0;
                if self.stable_ready == 0 { Err("traffic went to nothing".to_owned()) } else { Ok(()) }
            }
            Step::CanaryDown { .. } => {
                self.canary_wanted = 0;
                if self.share > 0 { Err("a canary with traffic went down".to_owned()) } else { Ok(()) }
            }
            Step::TrafficOff => Err("traffic was shifted without a look at stable".to_owned()),
            Step::SetShare { .. } | Step::CanaryUp { .. } | Step::StableDown { .. } => {
                Err("a rollback ramped".to_owned())
            }
            Step::StopOwner => Err("nobody else carries it out".to_owned()),
        }
    }

    /// Kubernetes, an autoscaler and people at work.
    fn lives(&mut self, chance: &mut StdRng) {
        match chance.random_range(0..8) {
            0..4 => self.stable_ready = (self.stable_ready + 1).min(self.stable_wanted),
            4 => self.stable_ready = self.stable_ready.saturating_sub(1),
            5 if chance.random_ratio(1, 4) => self.stable_wanted = chance.random_range(1..4),
            6 if chance.random_ratio(1, 4) => {
                self.share = *[0, 5, 50, 100].get(chance.random_range(0..4)).unwrap_or(&0)
            }
            7 if chance.random_ratio(1, 4) => self.canary_wanted = 3,
            _ => {}
        }
        self.stable_ready = self.stable_ready.min(self.stable_wanted);
    }
}

struct Course {
    world: World,
    cluster: Cluster,
    chance: StdRng,
}

impl Course {
    fn begin(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut world = World::with_people();
        world.policy.plan = PlanPolicy::Workloads {
            replicas: REPLICAS,
            critical_after_seconds: 30,
            warning_after_seconds: 300,
            drain_seconds: 5,
        };
        let share = [1, 5, 25, 50, 100][chance.random_range(0..5)];
        let stable_wanted = chance.random_range(0..6);
        let stable_ready = chance.random_range(0..=stable_wanted);
        // The protocol's last stage takes the weight away, and the canary is all there is.
        let share = if stable_wanted == 0 && chance.random_bool(0.5) { 0 } else { share };
        let cluster = Cluster { share, stable_wanted, stable_ready, canary_wanted: 3 };
        let mut course = Self { world, cluster, chance };
        course.observe();
        course.world.critical("Errors");
        course
    }

    fn observe(&mut self) {
        let seen = self.cluster.seen();
        self.world.reading = Reading::At { at: self.world.now, share: seen.whole_share() };
        self.world.observed = Some((self.world.now, seen));
    }

    /// One command that is due, carried out as a worker would, well or not.
    fn works(&mut self, faults: bool) -> Result<(), String> {
        let Some(command) = self.world.due().into_iter().find(|command| {
            matches!(
                command,
                Command::Look { .. } | Command::RunStep { .. } | Command::Verify { .. } | Command::Tick
            )
        }) else {
            return Ok(());
        };
        let fails = faults && self.chance.random_ratio(1, 5);
        match command {
            Command::Look { incident, attempt } => {
                let error = fails.then(|| "no answer".to_owned());
                if !fails {
                    self.observe();
                }
                self.world.send(&Input::Looked { incident, attempt, error });
            }
            Command::RunStep { step, .. } => {
                // Conditions are as observed: what changes in between is for the target to notice.
                self.observe();
                if fails && self.chance.random_bool(0.5) {
                    self.world.step(StepOutcome::Failed);
                    return Ok(());
                }
                if !holds(step, &self.cluster) {
                    self.world.step(StepOutcome::NotNow);
                    return Ok(());
                }
                self.cluster.apply(step).map_err(|what| format!("{what}: {step:?} on {:?}", self.cluster))?;
                self.observe();
                self.world.step(if fails { StepOutcome::Unknown } else { StepOutcome::Done });
            }
            Command::Verify { .. } => {
                self.observe();
                self.world.send(&Input::ShareRead);
                if self.world.phase() == "verifying" && !faults {
                    self.world.verify(Verdict::Verified, CheckOutcome::Pass);
                }
            }
            _ => drop(self.world.send(&Input::Tick)),
        }
        Ok(())
    }

    /// What was decided just now on what was seen just now has to be right without a target that checks. Only
    /// an attempt's first step may rest on a poll, and makes sure of it.
    fn is_decided_rightly(&self, before: Option<Step>) -> Result<(), String> {
        let begun = self.world.incident().progress.step.filter(|step| before != Some(*step));
        match begun {
            Some(Step::Shift { .. }) if self.cluster.stable_ready == 0 && !self.rests_on_a_poll() => {
                Err("a shift onto nothing".to_owned())
            }
            Some(Step::CanaryDown { .. }) if self.cluster.share > 0 => {
                Err("the canary is to go down with traffic on it".to_owned())
            }
            Some(Step::CanaryDown { .. }) if self.cluster.stable_ready < REPLICAS => {
                Err("the canary is to go down before stable is whole".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn rests_on_a_poll(&self) -> bool {
        let is_first = self.world.incident().progress.last_step_ended_at.is_none();
        is_first && self.world.observed.as_ref().is_some_and(|(at, _)| *at < self.world.now)
    }

    fn runs(&mut self) -> Result<(), String> {
        for _ in 0..TURNS {
            self.cluster.lives(&mut self.chance);
            // A process that ends forgets what it saw, and nothing else.
            if self.chance.random_ratio(1, 10) {
                self.world.observed = None;
            }
            self.world.wait(i64::from(self.chance.random_range(0..10_u8)));
            let before = self.world.incident().progress.step;
            self.works(true)?;
            self.is_decided_rightly(before)?;
        }
        for _ in 0..400 {
            self.cluster.stable_ready = self.cluster.stable_wanted;
            self.world.wait(5);
            self.works(false)?;
        }
        let phase = &self.world.incident().phase;
        let left_to_a_person = matches!(phase, Phase::Failed { retry_at: None, .. });
        let Cluster { share, canary_wanted, stable_ready, .. } = self.cluster;
        match (self.world.phase(), share, canary_wanted) {
            ("rolled_back", 0, 0) if stable_ready >= REPLICAS => Ok(()),
            _ if left_to_a_person => Ok(()),
            (phase, ..) => Err(format!("it ends as {phase}, with {:?}", self.cluster)),
        }
    }
}

/// Whether a target would find the step's own conditions.
fn holds(step: Step, cluster: &Cluster) -> bool {
    match step {
        Step::TrafficOff
        | Step::StableUp { .. }
        | Step::CanaryUp { .. }
        | Step::SetShare { .. }
        | Step::StableDown { .. }
        | Step::StopOwner => true,
        Step::Shift { ready_at_least, .. } => cluster.stable_ready >= ready_at_least,
        Step::CanaryDown { ready_at_least } => cluster.stable_ready >= ready_at_least && cluster.share == 0,
    }
}

#[test]
fn in_a_cluster_that_lives_no_rollback_leaves_users_without_a_version_and_each_gets_to_its_end() {
    for seed in 0..SEEDS {
        let mut course = Course::begin(seed);
        if let Err(broken) = course.runs() {
            panic!("seed {seed}: {broken}");
        }
    }
}
