//! What follows from the rollouts' states: read off them when somebody asks, not counted along.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::delivery::{Backlogs, add_backlogs, refusing};
use super::labels::OfRollout;
use super::{Metrics, OPEN_STATES};
use crate::incident::{Phase, RolloutName, RolloutState};

impl Metrics {
    /// Sets the gauges that follow from the states; called when they are scraped.
    pub fn observe_states<'a>(
        &self,
        states: impl IntoIterator<Item = (&'a RolloutName, &'a Arc<RolloutState>)>,
        now: DateTime<Utc>,
        watchdog_age_seconds: u64,
    ) {
        let age = i64::try_from(watchdog_age_seconds).unwrap_or(i64::MAX);
        self.families.watchdog_age_seconds.set(age);
        let mut backlogs = Backlogs::default();
        let mut seen: Vec<&RolloutState> = Vec::new();
        for (name, state) in states {
            seen.push(state);
            add_backlogs(&mut backlogs, state);
            self.fill_marks(name, state);
            self.ramp(name, state);
            let open = state.open_incident();
            for known in OPEN_STATES {
                let is_open = open.is_some_and(|incident| incident.phase.name() == known);
                self.open(name, known).set(i64::from(is_open));
            }
            let overdue = open
                .filter(|incident| matches!(incident.phase, Phase::Grace { .. }))
                .and_then(|incident| incident.grace_ends_at)
                .map_or(0, |ends_at| (now - ends_at).num_seconds().max(0));
            let of_rollout = OfRollout { rollout: name.to_string() };
            let known = i64::try_from(state.alerts.len()).unwrap_or(i64::MAX);
            self.families.alerts_known.get_or_create(&of_rollout).set(known);
            self.families.grace_overdue_seconds.get_or_create(&of_rollout).set(overdue);
            let overdue = open
                .filter(|incident| incident.is_overdue(now))
                .and_then(|incident| incident.rollback_due_at)
                .map_or(0, |due_at| (now - due_at).num_seconds().max(1));
            self.families.rollback_overdue_seconds.get_or_create(&of_rollout).set(overdue);
        }
        self.backlogs(&backlogs, now);
        self.refusals(&refusing(&seen));
    }
}
