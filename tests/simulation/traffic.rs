//! The flag API: who has the traffic, and the ways in which it lets its callers down.

use std::time::Duration;

use async_trait::async_trait;
use backstop::execution::{ActError, ReadError, Target};
use backstop::incident::{Answer, Observation, Share, Step};
use backstop::outbound::OutboundError;
use chrono::{DateTime, Utc};

use crate::process::SITES;
use crate::ramping::RampPlant;
use crate::world::World;

/// How it takes an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnSet {
    #[default]
    Obeys,
    Down,
    Refuses,
    /// Answers 200 and does nothing.
    Lies,
    /// Does it, and the answer is lost.
    ObeysSilently,
    /// Does nothing, and the answer is lost.
    IgnoresSilently,
    Slow,
}

impl OnSet {
    pub(crate) const ALL: [Self; 7] = [
        Self::Obeys,
        Self::Down,
        Self::Refuses,
        Self::Lies,
        Self::ObeysSilently,
        Self::IgnoresSilently,
        Self::Slow,
    ];
}

/// How it answers a read of the share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnRead {
    #[default]
    Tells,
    Down,
    /// Longer than a reading may take.
    Hangs,
    /// Answers what was true when it was asked, a while later.
    Late,
}

impl OnRead {
    pub(crate) const ALL: [Self; 4] = [Self::Tells, Self::Down, Self::Hangs, Self::Late];
}

/// The truth, and what was asked and answered.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) share: u8,
    pub(crate) on_set: OnSet,
    pub(crate) on_read: OnRead,
    /// How often the share was set, by whomever.
    pub(crate) changes: u64,
    /// Orders that arrived.
    pub(crate) orders: u32,
    /// When it last answered that the share is 0 %.
    pub(crate) told_zero_at: Option<DateTime<Utc>>,
    /// When it last went to 0 %, by whomever.
    pub(crate) zeroed_at: Option<DateTime<Utc>>,
    /// When people last gave the canary traffic.
    pub(crate) raised_at: Option<DateTime<Utc>>,
}

pub(crate) fn answer(text: &str) -> Answer {
    Answer { status: None, text: text.to_owned() }
}

impl Traffic {
    pub(crate) fn set(&mut self, share: u8, now: DateTime<Utc>) {
        match (self.share, share) {
            (1.., 0) => self.zeroed_at = Some(now),
            (0, 1..) => self.raised_at = Some(now),
            _ => {}
        }
        self.share = share;
        self.changes += 1;
    }
}

/// The flag of one rollout.
#[derive(Debug, Clone)]
pub(crate) struct Flag {
    pub(crate) world: World,
    pub(crate) site: usize,
    pub(crate) readable: bool,
    pub(crate) plant: Option<RampPlant>,
}

impl Flag {
    /// An order of a ramp arrives.
    fn ordered(&self, share: u8) -> OnSet {
        let (world, now) = (&self.world, self.world.now());
        let mut inner = world.lock();
        let has = inner.traffic[self.site].share;
        let promise = inner.ramps.ordered(share, has, now);
        let on_set = inner.traffic[self.site].on_set;
        world.keep(inner, promise);
        on_set
    }

    /// An order to take the traffic off arrives.
    async fn ordered_off(&self) -> OnSet {
        let Self { world, site, .. } = self;
        let states = world.stored_states().await;
        let now = world.now();
        let mut inner = world.lock();
        inner.traffic[*site].orders += 1;
        if *site == 0 {
            inner.ramps.ordered_off();
        }
        let healthy = inner.store_health == crate::world::Health::Good;
        let zeroed_at = inner.traffic[*site].zeroed_at;
        let in_time = inner.ledger.acted_in_time(*site, zeroed_at, now);
        let promise = inner.ledger.ordered(*site, &states, healthy, now).and(in_time);
        let on_set = inner.traffic[*site].on_set;
        world.keep(inner, promise);
        on_set
    }

    fn takes_effect(&self, share: u8) {
        let now = self.world.now();
        let mut inner = self.world.lock();
        inner.traffic[self.site].set(share, now);
        if share > 0 {
            inner.ramps.took_effect(share, now);
        }
    }

    /// What a planted fault does: somebody on the way has kept the order, and sends it again.
    #[expect(clippy::disallowed_methods, reason = "it goes on without its caller, which is the fault")]
    fn send_again_later(&self, share: u8) {
        let flag = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(4)).await;
            if flag.ordered(share) == OnSet::Obeys {
                flag.takes_effect(share);
            }
        });
    }
}

#[async_trait]
impl Target for Flag {
    fn describe(&self, step: Step) -> String {
        step.as_str().to_owned()
    }

    async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        let Self { world, site, .. } = self;
        world.step().await;
        let share = step.sets_share().map_or(0, |share| share.0);
        let on_set = if share > 0 { self.ordered(share) } else { self.ordered_off().await };
        world.say(format!("{}: ordered {share} %: {on_set:?}", SITES[*site]));
        if share > 0 && self.plant == Some(RampPlant::SetsLate) {
            self.send_again_later(share);
        }
        if on_set == OnSet::Slow {
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        if matches!(on_set, OnSet::Obeys | OnSet::ObeysSilently | OnSet::Slow) {
            self.takes_effect(share);
        }
        world.step().await;
        match on_set {
            OnSet::Obeys | OnSet::Slow | OnSet::Lies => Ok(answer("ok")),
            OnSet::Down => Err(ActError::Retry { answer: answer("connection refused"), after: None }),
            OnSet::Refuses => Err(ActError::Refused(Answer { status: Some(403), text: "no".to_owned() })),
            OnSet::ObeysSilently | OnSet::IgnoresSilently => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(ActError::Unknown(answer("timed out")))
            }
        }
    }

    fn can_observe(&self) -> bool {
        self.readable
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        let Self { world, site, .. } = self;
        world.step().await;
        let (on_read, then) = {
            let inner = world.lock();
            (inner.traffic[*site].on_read, inner.traffic[*site].share)
        };
        match on_read {
            OnRead::Tells => {}
            OnRead::Down => {
                let error = OutboundError::Unreachable("connection refused".to_owned());
                return Err(ReadError::NoAnswer(error));
            }
            OnRead::Hangs => tokio::time::sleep(Duration::from_secs(5)).await,
            OnRead::Late => {
                let asked_at = world.now();
                tokio::time::sleep(Duration::from_millis(1_200)).await;
                if then == 0 {
                    world.lock().traffic[*site].told_zero_at = Some(asked_at);
                }
                return Ok(Observation::of_share(Share(then)));
            }
        }
        let now = world.now();
        let mut inner = world.lock();
        let traffic = &mut inner.traffic[*site];
        if traffic.share == 0 {
            traffic.told_zero_at = Some(now);
        }
        Ok(Observation::of_share(Share(traffic.share)))
    }
}
