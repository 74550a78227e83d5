//! The share as a rollback begins to act, read at most once at a time for each rollout.
//!
//! A critical's reading is begun while its events are stored, so that the rollback finds it there: a
//! commit and a request to a flag API take about the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex;

use super::{Observed, Rollout, Rollouts};
use crate::clock::Clock;
use crate::decision::Reading;
use crate::incident::{RolloutName, Share};

/// A reading that was asked for this lately says how the traffic was as the rollback began to act.
const OF_THIS_MOMENT: TimeDelta = TimeDelta::seconds(1);

/// How long a rollback may wait for the share just before it acts: it is for the reader of the
/// evidence, and changes nothing. A healthy flag API answers in milliseconds.
const BEFORE_ACTING: Duration = Duration::from_millis(100);

/// Reads shares. Clones take turns with each other.
#[derive(Debug, Clone)]
pub struct ShareReader {
    observed: Arc<Observed>,
    clock: Arc<dyn Clock>,
    turns: Arc<BTreeMap<RolloutName, Arc<Mutex<()>>>>,
}

impl ShareReader {
    /// For these rollouts; what is read is recorded in `observed`.
    #[must_use]
    pub fn new(rollouts: &Rollouts, observed: Arc<Observed>, clock: Arc<dyn Clock>) -> Self {
        let turns = rollouts.iter().map(|rollout| (rollout.name.clone(), Arc::default())).collect();
        Self { observed, clock, turns: Arc::new(turns) }
    }

    /// Begins a reading that nobody waits for, unless there is one of this moment or one is under way:
    /// a storm of criticals asks a flag API no more than one of them does.
    pub fn begin(&self, rollout: &Arc<Rollout>) {
        if !rollout.router.can_read() || self.of_this_moment(rollout).is_some() {
            return;
        }
        let Some(turn) = self.turns.get(&rollout.name) else { return };
        let Ok(turn) = Arc::clone(turn).try_lock_owned() else { return };
        let (reader, rollout) = (self.clone(), Arc::clone(rollout));
        tokio::spawn(async move {
            reader.read(&rollout).await;
            drop(turn);
        });
    }

    /// The share now: the reading that was decided on or begun with it, if it is of this moment, or
    /// else another one. `None`: it can't be read in time.
    pub(super) async fn before_acting(&self, rollout: &Rollout) -> Option<Share> {
        if !rollout.router.can_read() {
            return None;
        }
        let turn = self.turns.get(&rollout.name)?;
        let read = async {
            let _turn = turn.lock().await;
            match self.of_this_moment(rollout) {
                Some(share) => share,
                None => self.read(rollout).await,
            }
        };
        tokio::time::timeout(BEFORE_ACTING, read).await.ok()?
    }

    fn of_this_moment(&self, rollout: &Rollout) -> Option<Option<Share>> {
        let now = self.clock.now();
        match self.observed.reading(&rollout.name, now).0 {
            Reading::At { at, share } if now - at <= OF_THIS_MOMENT => Some(share),
            Reading::At { .. } | Reading::Never | Reading::NotConfigured => None,
        }
    }

    /// A failure is not recorded: the reading from before it says more, and whoever acts tries anyway.
    async fn read(&self, rollout: &Rollout) -> Option<Share> {
        let asked_at = self.observed.moment();
        let read = tokio::time::timeout(BEFORE_ACTING, rollout.router.read_share()).await;
        let share = read.ok()?.ok()?;
        self.observed.share(&rollout.name, asked_at, Some(share));
        Some(share)
    }
}
