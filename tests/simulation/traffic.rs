//! The flag API: who has the traffic, and the ways in which it lets its callers down.

use std::time::Duration;

use async_trait::async_trait;
use backstop::execution::{ActError, ReadError, TrafficRouter};
use backstop::incident::{Answer, Share};
use backstop::outbound::OutboundError;
use chrono::{DateTime, Utc};

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

/// How it tells the share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnRead {
    #[default]
    Tells,
    Down,
    /// Longer than a reading may take.
    Hangs,
}

impl OnRead {
    pub(crate) const ALL: [Self; 3] = [Self::Tells, Self::Down, Self::Hangs];
}

/// The truth, and what was asked and told.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) share: u8,
    pub(crate) on_set: OnSet,
    pub(crate) on_read: OnRead,
    /// Orders that arrived.
    pub(crate) orders: u32,
    /// When it last told that the share is 0 %.
    pub(crate) told_zero_at: Option<DateTime<Utc>>,
    /// When it last went to 0 %, by whomever.
    pub(crate) zeroed_at: Option<DateTime<Utc>>,
    /// When people last gave the canary traffic.
    pub(crate) raised_at: Option<DateTime<Utc>>,
}

fn answer(text: &str) -> Answer {
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
    }
}

#[async_trait]
impl TrafficRouter for World {
    fn describe_set(&self, share: Share) -> String {
        format!("set {share}")
    }

    async fn set_share(&self, share: Share) -> Result<Answer, ActError> {
        self.step().await;
        let never =
            if share == Share::ZERO { Ok(()) } else { Err("Backstop gave a canary traffic".to_owned()) };
        self.keep(self.lock(), never);
        let states = self.stored_states().await;
        let now = self.now();
        let on_set = {
            let mut inner = self.lock();
            inner.traffic.orders += 1;
            let healthy = inner.store_health == crate::world::Health::Good;
            let promise = inner.ledger.ordered(&states, healthy, now);
            let on_set = inner.traffic.on_set;
            self.keep(inner, promise);
            on_set
        };
        self.say(format!("ordered 0 %: {on_set:?}"));
        if on_set == OnSet::Slow {
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        if matches!(on_set, OnSet::Obeys | OnSet::ObeysSilently | OnSet::Slow) {
            let now = self.now();
            self.lock().traffic.set(0, now);
        }
        self.step().await;
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

    fn can_read(&self) -> bool {
        true
    }

    async fn read_share(&self) -> Result<Share, ReadError> {
        self.step().await;
        let on_read = self.lock().traffic.on_read;
        match on_read {
            OnRead::Tells => {}
            OnRead::Down => {
                let error = OutboundError::Unreachable("connection refused".to_owned());
                return Err(ReadError::NoAnswer(error));
            }
            OnRead::Hangs => tokio::time::sleep(Duration::from_secs(5)).await,
        }
        let now = self.now();
        let mut inner = self.lock();
        if inner.traffic.share == 0 {
            inner.traffic.told_zero_at = Some(now);
        }
        Ok(Share(inner.traffic.share))
    }
}
