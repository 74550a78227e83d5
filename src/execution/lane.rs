//! The one way to change a rollout's target: nothing that was begun for an earlier decision stands after
//! what a later one has set.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{ActError, Observer, Target};
use crate::incident::{Answer, Epoch, Share, Step};

/// For how long a call to a target can have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The longest that a call can take. Then it is given up, as one without an answer.
    pub call: Duration,
    /// For how long a request without an answer may still be carried out after it was given up.
    pub unanswered: Duration,
}

/// Lets one decision at a time change a rollout's target: the latest. Clones are the same lane.
///
/// A decision that enters bars all earlier ones at once, and waits for none of them to act. What an
/// earlier one had sent may be carried out all the same. So where that could give the canary more traffic
/// than is set now, the value is set at once, and once more when the earlier call can have no effect any
/// longer; and no canary goes down before then. What that is worth depends on the target:
/// - **A feature flag** takes whatever comes last. An earlier request is over with its answer, and one
///   without an answer [`Reach::unanswered`] after it was given up. What an API carries out later than
///   that looks like a person's change: the next reading of the share finds it.
/// - **A cluster** takes a change only for the version of the object that it was made for. A later step
///   that changes the object makes an earlier request a conflict, which the earlier step does not answer
///   by trying again. Where the later one found nothing to change, the earlier request may succeed; it is
///   undone as with a flag, and after that the rollback's guard finds it.
///
/// What a process had sent when it ended is not known to the next one. It, too, is only found by looking;
/// a rollback's own steps only ever lower the canary's share. The order itself outlives processes,
/// since an [`Epoch`] is read off what is stored; but each lane knows of its own process only. Where
/// several may act, the epoch has to be checked by what is written to, or its holder by a lease.
#[derive(Debug, Clone)]
pub struct Lane {
    target: Observer,
    reach: Reach,
    standing: Arc<watch::Sender<Standing>>,
}

#[derive(Debug, Default)]
struct Standing {
    latest: Epoch,
    calls: Vec<Call>,
    last_number: u64,
}

/// A call that sets the canary's share, as long as it can have an effect.
#[derive(Debug, Clone, Copy)]
struct Call {
    number: u64,
    share: Share,
    /// `None`: it is under way.
    over_at: Option<Instant>,
}

impl Lane {
    /// The lane to this target, which nobody else may change.
    #[must_use]
    pub fn new(target: Arc<dyn Target>, reach: Reach) -> Self {
        Self { target: Observer::new(target), reach, standing: Arc::default() }
    }

    /// The target for those who only look.
    #[must_use]
    pub fn target(&self) -> &Observer {
        &self.target
    }

    /// Bars every earlier decision and lets this one act; `None`: a later one has entered.
    #[must_use]
    pub fn enter(&self, epoch: Epoch) -> Option<Permit> {
        self.standing.send_if_modified(|standing| {
            let is_later = epoch > standing.latest;
            standing.latest = standing.latest.max(epoch);
            is_later
        });
        let permit = Permit { lane: self.clone(), epoch };
        permit.is_latest().then_some(permit)
    }
}

/// One decision's right to change the target, until a later one enters.
#[derive(Debug)]
pub struct Permit {
    lane: Lane,
    epoch: Epoch,
}

impl Permit {
    /// What [`Permit::apply`] sends for this step; see [`Target::describe`].
    #[must_use]
    pub fn describe(&self, step: Step) -> String {
        self.lane.target.0.describe(step)
    }

    /// Carries the step out, see [`Target::apply`], and returns when no earlier call can undo it.
    ///
    /// # Errors
    /// See [`ActError`]; [`ActError::NotNow`] also once a later decision has entered.
    pub async fn apply(&self, step: Step) -> Result<Answer, ActError> {
        if let Step::CanaryDown { .. } = step {
            self.nothing_gives_more_than(Share::ZERO).await?;
        }
        let share = step.sets_share();
        let mut again = false;
        loop {
            let under_way = self.begin(share)?;
            let contested = share.is_some_and(|share| self.rival(share).is_some());
            let called = tokio::time::timeout(self.lane.reach.call, self.lane.target.0.apply(step)).await;
            let mut sent = called.unwrap_or_else(|_| {
                let text = format!("given up after {} s", self.lane.reach.call.as_secs_f64());
                Err(ActError::Unknown(Answer { status: None, text }))
            });
            let may_have_arrived = matches!(sent, Ok(_) | Err(ActError::Unknown(_)));
            under_way.ended(matches!(sent, Err(ActError::Unknown(_))));
            match share.filter(|_| contested && may_have_arrived) {
                Some(share) => self.nothing_gives_more_than(share).await?,
                None => {
                    if let (true, Ok(answer)) = (again, &mut sent) {
                        answer.text.push_str("; set again after an earlier change that was under way");
                    }
                    return sent;
                }
            }
            again = true;
        }
    }

    fn is_latest(&self) -> bool {
        self.lane.standing.borrow().latest == self.epoch
    }

    fn barred() -> ActError {
        let text = "a later decision changes this rollout".to_owned();
        ActError::NotNow(Answer { status: None, text })
    }

    fn begin(&self, share: Option<Share>) -> Result<UnderWay<'_>, ActError> {
        let mut number = None;
        self.lane.standing.send_if_modified(|standing| {
            if standing.latest == self.epoch {
                standing.last_number += 1;
                number = Some(standing.last_number);
                let call = share.map(|share| Call { number: standing.last_number, share, over_at: None });
                standing.calls.extend(call);
            }
            false
        });
        let number = number.ok_or_else(Self::barred)?;
        Ok(UnderWay { lane: &self.lane, number })
    }

    /// A call that may leave the canary more traffic than this: the one that can have an effect longest.
    fn rival(&self, share: Share) -> Option<Call> {
        let (standing, now) = (self.lane.standing.borrow(), Instant::now());
        let rivals = standing.calls.iter().filter(|call| call.share > share);
        let alive = rivals.filter(|call| call.over_at.is_none_or(|over_at| over_at > now));
        alive.max_by_key(|call| (call.over_at.is_none(), call.over_at)).copied()
    }

    async fn nothing_gives_more_than(&self, share: Share) -> Result<(), ActError> {
        let mut changes = self.lane.standing.subscribe();
        loop {
            changes.mark_unchanged();
            if !self.is_latest() {
                return Err(Self::barred());
            }
            let Some(rival) = self.rival(share) else { return Ok(()) };
            // Every call ends within its reach, so that this ends, too; the sender lives as long as the lane.
            let over_at = rival.over_at.unwrap_or_else(|| Instant::now() + self.lane.reach.call);
            drop(tokio::time::timeout_at(over_at, changes.changed()).await);
        }
    }
}

/// A call that was begun; if it is dropped without an end, its request may have been sent.
struct UnderWay<'a> {
    lane: &'a Lane,
    number: u64,
}

impl UnderWay<'_> {
    fn ended(self, may_have_an_effect: bool) {
        if !may_have_an_effect {
            self.lane
                .standing
                .send_modify(|standing| standing.calls.retain(|call| call.number != self.number));
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let (now, unanswered) = (Instant::now(), self.lane.reach.unanswered);
        self.lane.standing.send_modify(|standing| {
            standing.calls.retain(|call| call.over_at.is_none_or(|over_at| over_at > now));
            let own = standing.calls.iter_mut().filter(|call| call.number == self.number);
            own.for_each(|call| call.over_at = Some(now + unanswered));
        });
    }
}

#[cfg(test)]
mod tests;
