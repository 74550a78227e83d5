//! Runs one schedule: what happens, when, and how messages travel.

use std::sync::Arc;
use std::time::Duration;

use backstop::clock::SteppedClock;
use backstop::decision::Request;
use backstop::incident::{Alert, IncidentId};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster;
use crate::delivery::{SharedDoor, deliver};
use crate::monitoring::{self, is_critical};
use crate::people::OnSend;
use crate::plan::{Action, Plan, TROUBLE, Travel};
use crate::process::{Process, rollout_name};
use crate::promises;
use crate::ramping::Act;
use crate::traffic::{OnRead, OnSet};
use crate::world::{Health, World};

/// How long everything has to be right again after all is mended: a failed rollback is tried again
/// after five minutes at the latest, a silence looked at as often.
const MENDED: Duration = Duration::from_secs(1_500);

/// The revision that is on canary first: v1.4.0.
pub(crate) const FIRST_REVISION: u32 = 4;

/// Runs the schedule of a seed and returns its story. Panics with the promise that it broke.
pub(crate) fn run(seed: u64) -> String {
    run_plan(seed, Plan::of(seed))
}

/// The same with another plan than the seed's own.
pub(crate) fn run_plan(seed: u64, mut plan: Plan) -> String {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let base = "2026-11-24T03:00:00Z".parse().expect("a time");
        let world = World::new(base, &plan);
        let clock = Arc::new(SteppedClock::starting_at(base));
        {
            let mut inner = world.lock();
            inner.ledger.knows(&plan);
            inner.ledger.deployments = FIRST_REVISION;
            inner.cluster = plan.cluster.take();
            inner.monitoring.has_strange_watchdog = plan.has_strange_watchdog;
            inner.monitoring.relabelled = plan.relabelled;
            inner.ramps.plant = plan.ramping.and_then(|ramping| ramping.plant);
        }
        Run {
            seed,
            lives: 0,
            deployments: FIRST_REVISION,
            deploys: false,
            words: 0,
            unseen: None,
            world,
            clock,
            plan,
            process: None,
            door: Arc::default(),
            messages: JoinSet::new(),
        }
        .through()
        .await
    })
}

struct Run {
    seed: u64,
    lives: u64,
    /// The revision on canary is counted by deployments.
    deployments: u32,
    deploys: bool,
    words: u32,
    /// A critical that fires once nobody is there, and when the next life may end.
    unseen: Option<(u8, u32)>,
    world: World,
    clock: Arc<SteppedClock>,
    plan: Plan,
    process: Option<Process>,
    door: SharedDoor,
    messages: JoinSet<()>,
}

impl Run {
    async fn through(mut self) -> String {
        self.start().await;
        if self.world.lock().cluster.is_some() {
            self.messages.spawn(cluster::lives(self.world.clone(), self.seed));
        }
        let began = Instant::now();
        let mut actions = std::mem::take(&mut self.plan.actions).into_iter().peekable();
        let mut rest = Duration::from_secs(1);
        let mut reborn_at: Option<Instant> = None;
        let crash = Arc::clone(&self.world.crash);
        loop {
            let next_at = began + actions.peek().map_or(TROUBLE, |(at, _)| *at);
            let start_at = reborn_at.unwrap_or_else(|| Instant::now() + TROUBLE);
            tokio::select! {
                biased;
                () = crash.notified() => {
                    self.stop_if_broken();
                    self.kill();
                    reborn_at = Some(Instant::now() + rest);
                }
                () = tokio::time::sleep_until(start_at), if reborn_at.is_some() => {
                    reborn_at = None;
                    let unseen = self.unseen.take();
                    let now = self.world.now();
                    unseen.inspect(|(alert, _)| self.world.lock().fires_unseen(*alert, now));
                    self.start().await;
                    // Often before it has looked back: the next one has to.
                    unseen.filter(|(_, steps)| *steps < 12).inspect(|(_, steps)| self.world.crash_in(*steps));
                }
                () = tokio::time::sleep_until(next_at) => match actions.next() {
                    Some((_, Action::Crash { steps, rest: after, unseen })) => {
                        (rest, self.unseen) = (after, unseen.map(|alert| (alert, steps)));
                        self.world.crash_in(steps);
                    }
                    Some((_, Action::Deploy)) => {
                        self.deploys = true;
                        rest = Duration::from_millis(500);
                        self.world.crash_in(0);
                    }
                    Some((_, action)) => self.act(action),
                    None => break,
                },
            }
        }
        self.mend().await;
        self.settle().await;
        let end = promises::hold_at_the_end(&self.world.lock());
        self.world.keep(self.world.lock(), end);
        self.stop_if_broken();
        let inner = self.world.lock();
        inner.ledger.story()
    }

    fn stop_if_broken(&self) {
        let broken = self.world.lock().ledger.broken().map(str::to_owned);
        if let Some(broken) = broken {
            panic!("{broken}");
        }
    }

    async fn start(&mut self) {
        self.lives += 1;
        self.world.say("started".to_owned());
        let seed = self.seed ^ (self.lives << 48);
        let process = Process::start(&self.world, &self.plan, &self.clock, seed, self.deployments).await;
        *self.door.lock().expect("a lock") = Some(Arc::new(process.door()));
        self.process = Some(process);
        let now = self.world.now();
        self.world.lock().ledger.started(now);
    }

    fn kill(&mut self) {
        self.world.say("KILLED".to_owned());
        *self.door.lock().expect("a lock") = None;
        if let Some(process) = self.process.take() {
            process.kill();
        }
        if std::mem::take(&mut self.deploys) {
            self.deployments = self.world.lock().ledger.deployments + 1;
            // What fires meanwhile may be about the revision before.
            self.unseen = None;
            self.world.lock().ledger.deployments = self.deployments;
        }
        let now = self.world.now();
        let mut inner = self.world.lock();
        inner.ledger.killed(now);
        inner.ramps.killed();
    }

    fn act(&mut self, action: Action) {
        self.world.say(format!("{action:?}"));
        let now = self.world.now();
        match action {
            Action::Fire(alert) => self.fire(&[alert], now),
            Action::FireTogether(alerts) => {
                let alerts: Vec<_> = (0..8).filter(|alert| alerts & (1 << alert) != 0).collect();
                self.fire(&alerts, now);
            }
            Action::Recover(alert) => self.recover(alert, now),
            Action::PrometheusDies => self.prometheus_dies(now),
            Action::PrometheusBack => self.prometheus_back(now),
            Action::SetClock { seconds } => {
                self.clock.step(TimeDelta::seconds(seconds));
                self.world.lock().ledger.clock_set(now);
            }
            Action::Hold(site) => self.person(site, |incident| Request::Hold { incident, until: None }),
            Action::Resume(site) => self.person(site, |incident| Request::Resume { incident }),
            Action::Acknowledge(site) => self.person(site, |incident| Request::Acknowledge { incident }),
            Action::Close(site) => {
                self.person(site, |incident| Request::Close { incident, words: "seen".to_owned() });
            }
            Action::RollBack(site) => {
                self.words += 1;
                let reason = format!("by hand, number {}", self.words);
                self.person(site, |_| Request::RollBack { reason, stage: None });
            }
            Action::Ramp(Act::OnAsk(which, on_ask)) => self.world.lock().ramps.on_ask[which] = on_ask,
            Action::Ramp(act) => {
                self.words += 1;
                let (deployments, number) = (self.deployments, self.words);
                let ramping = self.plan.ramping;
                if let Some(request) = ramping.and_then(|ramping| act.request(ramping, deployments, number)) {
                    self.person(0, |_| Request::Ramp(request));
                }
            }
            simple => self.world.lock().change(simple, now),
        }
    }

    /// Alerts begin to hold, and one message reports all.
    fn fire(&mut self, alerts: &[u8], now: DateTime<Utc>) {
        let mut told = Vec::new();
        {
            let mut inner = self.world.lock();
            let monitoring = &mut inner.monitoring;
            for alert in alerts {
                if monitoring.holds.contains_key(alert) {
                    continue;
                }
                monitoring.holds.insert(*alert, now);
                if monitoring.prometheus_dead {
                    continue;
                }
                if is_critical(*alert) {
                    monitoring.fired.insert(*alert, now);
                }
                monitoring.listed.insert(*alert, now);
                if !monitoring.silenced.contains(alert) && !monitoring.alertmanager_down {
                    told.push(monitoring::alert(*alert, now, None));
                }
            }
        }
        self.send(told);
    }

    fn recover(&mut self, alert: u8, now: DateTime<Utc>) {
        let listed = {
            let mut inner = self.world.lock();
            let monitoring = &mut inner.monitoring;
            if monitoring.holds.remove(&alert).is_none() || monitoring.prometheus_dead {
                return;
            }
            if is_critical(alert) {
                monitoring.fired.insert(alert, now);
            }
            let listed = monitoring.listed.remove(&alert);
            listed.filter(|_| !monitoring.silenced.contains(&alert) && !monitoring.alertmanager_down)
        };
        if let Some(starts_at) = listed {
            self.send(vec![monitoring::alert(alert, starts_at, Some(now))]);
        }
    }

    /// Its alerts expire with it, which looks like a recovery.
    fn prometheus_dies(&mut self, now: DateTime<Utc>) {
        let expired = self.world.lock().monitoring.prometheus_dies(now);
        for (alert, starts_at) in expired {
            self.send(vec![monitoring::alert(alert, starts_at, Some(now))]);
        }
    }

    fn prometheus_back(&mut self, now: DateTime<Utc>) {
        let again = self.world.lock().monitoring.prometheus_returns(now);
        let Some(again) = again else { return };
        self.send(again.into_iter().map(|alert| monitoring::alert(alert, now, None)).collect());
    }

    fn person(&mut self, site: usize, request: impl FnOnce(IncidentId) -> Request) {
        let Some(process) = &self.process else { return };
        let states = process.journal.states();
        let incident = states.get(&rollout_name(site)).and_then(|state| state.incident.clone());
        let id = incident.map_or_else(|| IncidentId::new("none"), |incident| incident.id.clone());
        self.messages.spawn(process.ask(&self.world, site, request(id)));
    }

    fn send(&mut self, alerts: Vec<Alert>) {
        let Travel { lost, delay, copy_after } = self.plan.travel();
        if lost || alerts.is_empty() {
            return;
        }
        for delay in [Some(delay), copy_after.map(|after| delay + after)].into_iter().flatten() {
            let (world, door) = (self.world.clone(), Arc::clone(&self.door));
            self.messages.spawn(deliver(world, door, alerts.clone(), delay));
        }
    }

    /// Everything works again, nobody is silenced, and Prometheus reports what holds.
    async fn mend(&mut self) {
        self.world.say("MENDED".to_owned());
        if self.process.is_none() {
            self.start().await;
        }
        let now = self.world.now();
        self.prometheus_back(now);
        let mut inner = self.world.lock();
        inner.cluster_is_mended();
        inner.monitoring.alertmanager_down = false;
        inner.monitoring.restarted_at = None;
        inner.monitoring.silenced.clear();
        for traffic in &mut inner.traffic {
            (traffic.on_set, traffic.on_read) = (OnSet::Obeys, OnRead::Tells);
        }
        (inner.store_health, inner.evidence_health) = (Health::Good, Health::Good);
        inner.ramps.on_ask = Default::default();
        inner.people.iter_mut().for_each(|people| people.on_send = OnSend::Delivers);
    }

    async fn settle(&mut self) {
        let crash = Arc::clone(&self.world.crash);
        let until = Instant::now() + MENDED;
        loop {
            tokio::select! {
                biased;
                () = crash.notified() => {
                    self.stop_if_broken();
                    self.kill();
                    self.start().await;
                }
                // What was held in memory is recorded, what was lost is found by then.
                () = tokio::time::sleep(Duration::from_secs(6)) => {}
            }
            let now = self.world.now();
            if promises::is_settled(&self.world.lock(), now) || Instant::now() >= until {
                break;
            }
        }
    }
}
