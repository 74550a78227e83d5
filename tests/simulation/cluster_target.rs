//! Backstop's way to the simulated cluster: each step with its own conditions, as the real one checks them,
//! and the faults that a test plants there.

use std::time::Duration;

use async_trait::async_trait;
use backstop::execution::{ActError, ReadError, Target};
use backstop::incident::{Answer, Observation, Share, Step};
use backstop::outbound::OutboundError;

use crate::cluster::Cluster;
use crate::promises::Promise;
use crate::traffic::{OnRead, OnSet, answer};
use crate::world::{Inner, World};

/// When a request is carried out that nobody gets an answer to.
const LATE: Duration = Duration::from_millis(2_500);

/// A fault in Backstop itself that the promises have to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    /// It takes what it sent for what is so, and reads nothing back.
    BelievesWhatItSent,
    /// It shifts whatever serves instead.
    ShiftsBlindly,
}

/// What a step changes, made for these versions of what was read.
#[derive(Debug, Clone, Copy)]
struct Made {
    step: Step,
    versions: (u64, u64),
}

impl Inner {
    fn versions(&self) -> (u64, u64) {
        (self.traffic[0].changes, self.cluster.as_ref().map_or(0, |cluster| cluster.scaled))
    }

    /// Reads what a step depends on, and what is to be sent; nothing, where all is so already.
    fn made(&self, step: Step, plant: Option<Plant>) -> Result<Option<Made>, ActError> {
        let Some(Cluster { stable_wanted, stable_ready, canary_wanted, .. }) = self.cluster else {
            return Ok(None);
        };
        let share = self.share_as_believed();
        let (is_so, holds) = match step {
            Step::StableUp { replicas } => (stable_wanted >= replicas, true),
            Step::TrafficOff => (share == 0, true),
            Step::StopOwner => (true, true),
            Step::Shift { share: to, ready_at_least } => {
                let serves = stable_ready >= ready_at_least.max(1);
                (share <= to.0, serves || plant == Some(Plant::ShiftsBlindly))
            }
            Step::CanaryUp { replicas } => (canary_wanted >= replicas, true),
            // A canary's pods are ready at once here.
            Step::SetShare { share: to, ready_at_least } => (share == to.0, canary_wanted >= ready_at_least),
            Step::StableDown { ready_at_least } => {
                (stable_wanted == 0, share == 100 && canary_wanted >= ready_at_least)
            }
            Step::CanaryDown { ready_at_least } => {
                (canary_wanted == 0, share == 0 && stable_ready >= ready_at_least)
            }
        };
        match (is_so, holds) {
            (true, _) => Ok(None),
            (false, false) => Err(ActError::NotNow(answer("what the step depends on is not so"))),
            (false, true) => Ok(Some(Made { step, versions: self.versions() })),
        }
    }

    /// The promises of the whole of it, at each change that is sent.
    fn may_be_sent(&self, step: Step) -> Promise {
        let (Some(cluster), share) = (&self.cluster, self.traffic[0].share) else { return Ok(()) };
        match step {
            Step::StableUp { replicas } => {
                promise!(replicas >= cluster.stable_wanted, "stable is lowered to {replicas}");
            }
            Step::TrafficOff => return Err("traffic is shifted without a look at stable".to_owned()),
            Step::StopOwner => return Err("there is nobody to stop".to_owned()),
            Step::Shift { share: Share(to), .. } => {
                promise!(
                    to >= share || cluster.stable_ready > 0,
                    "traffic is taken off the canary while no endpoint of stable is ready"
                );
            }
            Step::CanaryUp { replicas } => {
                promise!(replicas >= cluster.canary_wanted, "the canary is lowered to {replicas}");
            }
            Step::SetShare { share: Share(to), ready_at_least } => {
                promise!(
                    to <= share || cluster.canary_wanted >= ready_at_least.max(1),
                    "{to} % go to a canary with {} pods",
                    cluster.canary_wanted
                );
            }
            Step::StableDown { .. } => {
                promise!(share == 100, "stable is scaled to 0 while the canary carries {share} %");
            }
            Step::CanaryDown { .. } => {
                promise!(share == 0, "the canary is scaled to 0 while it carries {share} %");
            }
        }
        Ok(())
    }

    fn land(&mut self, made: Made, now: chrono::DateTime<chrono::Utc>) {
        let is_current = match made.step {
            Step::TrafficOff | Step::Shift { .. } | Step::SetShare { .. } => {
                made.versions.0 == self.versions().0
            }
            Step::StableUp { .. }
            | Step::CanaryDown { .. }
            | Step::CanaryUp { .. }
            | Step::StableDown { .. } => made.versions.1 == self.versions().1,
            Step::StopOwner => false,
        };
        let Some(cluster) = self.cluster.as_mut().filter(|_| is_current) else { return };
        match made.step {
            Step::StableUp { replicas } => cluster.scale_stable(replicas),
            Step::CanaryDown { .. } => cluster.scale_canary(0),
            Step::CanaryUp { replicas } => cluster.scale_canary(replicas),
            Step::StableDown { .. } => cluster.scale_stable(0),
            Step::StopOwner => {}
            Step::TrafficOff => self.traffic[0].set(0, now),
            Step::Shift { share, .. } | Step::SetShare { share, .. } => self.traffic[0].set(share.0, now),
        }
    }
}

/// The cluster of the first rollout.
#[derive(Debug, Clone)]
pub(crate) struct ClusterTarget {
    pub(crate) world: World,
    pub(crate) plant: Option<Plant>,
}

impl ClusterTarget {
    /// Sends it and lets it be carried out at once or, where nobody gets an answer, late.
    #[expect(clippy::disallowed_methods, reason = "it outlives whoever sent it, and ends by itself")]
    fn send(&self, step: Step) -> Result<bool, ActError> {
        let (world, now) = (&self.world, self.world.now());
        let mut inner = world.lock();
        let Some(made) = inner.made(step, self.plant)? else { return Ok(false) };
        let promise = inner.may_be_sent(step);
        let is_late = inner.cluster.as_ref().is_some_and(|cluster| cluster.answers_nobody);
        if !is_late {
            inner.land(made, now);
        }
        world.keep(inner, promise);
        if is_late {
            let world = world.clone();
            tokio::spawn(async move {
                tokio::time::sleep(LATE).await;
                let now = world.now();
                world.lock().land(made, now);
            });
        }
        Ok(is_late)
    }

    fn believe(&self, step: Step) {
        let mut inner = self.world.lock();
        let changes = inner.traffic[0].changes;
        if let (Some(share), Some(cluster)) = (step.sets_share(), &mut inner.cluster) {
            cluster.believed = Some((share.0, changes));
        }
    }
}

#[async_trait]
impl Target for ClusterTarget {
    fn describe(&self, step: Step) -> String {
        step.as_str().to_owned()
    }

    async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        let world = &self.world;
        world.step().await;
        let states = world.stored_states().await;
        let now = world.now();
        let on_set = {
            let mut inner = world.lock();
            inner.traffic[0].orders += 1;
            let promise = inner.may_act_on_it(&states, now);
            let on_set = inner.traffic[0].on_set;
            world.keep(inner, promise);
            on_set
        };
        world.say(format!("ordered {}: {on_set:?}", step.words()));
        if on_set == OnSet::Slow {
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        let mut unanswered = matches!(on_set, OnSet::ObeysSilently | OnSet::IgnoresSilently);
        match on_set {
            OnSet::Obeys | OnSet::Slow | OnSet::ObeysSilently => unanswered |= self.send(step)?,
            OnSet::Lies | OnSet::IgnoresSilently => {}
            OnSet::Down => {
                return Err(ActError::Retry { answer: answer("connection refused"), after: None });
            }
            OnSet::Refuses => {
                return Err(ActError::Refused(Answer { status: Some(403), text: "no".to_owned() }));
            }
        }
        if self.plant == Some(Plant::BelievesWhatItSent) {
            self.believe(step);
        }
        world.step().await;
        if unanswered {
            tokio::time::sleep(Duration::from_secs(1)).await;
            return Err(ActError::Unknown(answer("timed out")));
        }
        Ok(answer("ok"))
    }

    fn can_observe(&self) -> bool {
        true
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        let world = &self.world;
        world.step().await;
        let (on_read, asked_at, then) = {
            let inner = world.lock();
            (inner.traffic[0].on_read, world.now(), inner.seen())
        };
        let unreachable = || ReadError::NoAnswer(OutboundError::Unreachable("connection refused".to_owned()));
        match on_read {
            OnRead::Tells => {}
            OnRead::Down => return Err(unreachable()),
            OnRead::Hangs => tokio::time::sleep(Duration::from_secs(5)).await,
            OnRead::Late => tokio::time::sleep(Duration::from_millis(1_200)).await,
        }
        let mut inner = world.lock();
        let (at, seen) = if on_read == OnRead::Late { (asked_at, then) } else { (world.now(), inner.seen()) };
        let seen = seen.ok_or_else(unreachable)?;
        if seen.is_off() {
            inner.traffic[0].told_zero_at = Some(at);
        }
        inner.told(seen.clone(), world.now());
        Ok(seen)
    }
}
