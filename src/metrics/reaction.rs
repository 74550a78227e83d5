//! How long it takes from an alert's start until something was done about it, and marks for dashboards.

use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Metrics;
use super::labels::{OfIncident, OfRollout, ReactionStage};
use crate::incident::{Event, Incident, IncidentId, RolloutName, RolloutState, Severity, StoredAs, Verdict};

/// Upper ends of the buckets, in seconds. A critical is acted upon at once: what it takes is the
/// scrape, the evaluation and some seconds. A warning is after the protocol's grace of 300 s, so
/// nothing may end before that edge, and what the decision adds shows just above it; a verification
/// takes up to ten minutes more.
const EDGES_SECONDS: [f64; 12] = [0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 305.0, 315.0, 360.0, 600.0, 1_200.0];

/// The longest name and value of an exemplar together, in characters (OpenMetrics 1.0, Exemplars).
const MOST_EXEMPLAR_CHARS: usize = 128;

pub(super) const STAGES: [&str; 3] = ["received", "traffic_off", "verified"];
pub(super) const SEVERITIES: [Severity; 2] = [Severity::Critical, Severity::Warning];

type Histogram = HistogramWithExemplars<OfIncident>;

/// A histogram for each rollout, severity and stage.
#[derive(Debug, Clone)]
pub(super) struct Reactions(pub(super) Family<ReactionStage, Histogram>);

impl Default for Reactions {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| HistogramWithExemplars::new(EDGES_SECONDS.into_iter())))
    }
}

/// When something last happened to a rollout, in Unix seconds, 0 before the first time.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) warning: Family<OfRollout, Gauge>,
    pub(super) rollback_started: Family<OfRollout, Gauge>,
    pub(super) rollback_ended: Family<OfRollout, Gauge>,
}

impl Metrics {
    pub(super) fn initialise_reactions(&self, rollout: &RolloutName) {
        for (stage, severity) in STAGES.into_iter().flat_map(|stage| SEVERITIES.map(|known| (stage, known))) {
            drop(self.families.reactions.0.get_or_create_owned(&labels(rollout, severity, stage)));
        }
        let of_rollout = OfRollout { rollout: rollout.to_string() };
        let marks = &self.families.marks;
        for mark in [&marks.warning, &marks.rollback_started, &marks.rollback_ended] {
            super::touch(mark, &of_rollout);
        }
    }

    pub(super) fn reacted(&self, stored: &StoredAs, incident: Option<&Incident>) {
        let Some(id) = &stored.incident else { return };
        let observe =
            |severity, stage, reached: Reached| self.observe(stored, id, (severity, stage), reached);
        self.mark(stored, incident);
        match (&stored.event, incident) {
            (Event::IncidentOpened(opened), _) => {
                let alert = opened.alert.as_ref().filter(|attached| attached.dates_the_trouble());
                let Some(attached) = alert else { return };
                let reached = Reached { since: attached.alert.starts_at, at: attached.received_at };
                observe(attached.alert.severity(), "received", reached);
            }
            (Event::StepEnded(step), Some(incident)) => {
                let reaction = incident.reaction();
                let acknowledged = step.acknowledged_at();
                let first = acknowledged.filter(|_| acknowledged == reaction.traffic_off_at);
                if let (Some(severity), Some(since), Some(at)) =
                    (reaction.severity, reaction.started_at, first)
                {
                    observe(severity, "traffic_off", Reached { since, at });
                }
            }
            (Event::RolledBack, Some(incident)) => {
                let reaction = incident.reaction();
                let verified =
                    incident.verification.as_ref().filter(|ended| ended.verdict == Verdict::Verified);
                let reached = reaction.started_at.zip(verified.map(|ended| ended.ended_at));
                if let (Some(severity), Some((since, at))) = (reaction.severity, reached) {
                    observe(severity, "verified", Reached { since, at });
                }
            }
            _ => {}
        }
    }

    fn observe(&self, stored: &StoredAs, id: &IncidentId, of: (Severity, &'static str), reached: Reached) {
        let exemplar = OfIncident { incident: id.to_string() };
        let fits = "incident".len() + exemplar.incident.chars().count() <= MOST_EXEMPLAR_CHARS;
        let histogram = self.families.reactions.0.get_or_create_owned(&labels(&stored.rollout, of.0, of.1));
        histogram.observe(reached.seconds(), fits.then_some(exemplar), Some(SystemTime::from(reached.at)));
    }

    fn mark(&self, stored: &StoredAs, incident: Option<&Incident>) {
        let marks = &self.families.marks;
        let mark = match &stored.event {
            Event::GraceStarted { .. } => &marks.warning,
            Event::RollbackStarted { attempt: 1, .. } => &marks.rollback_started,
            Event::RolledBack | Event::Superseded { .. } | Event::Closed { .. }
                if incident.is_some_and(Incident::has_rolled_back) =>
            {
                &marks.rollback_ended
            }
            _ => return,
        };
        set(mark, &stored.rollout, stored.at);
    }

    /// After a restart nothing was counted yet: what is known of the last incident fills in.
    pub(super) fn fill_marks(&self, rollout: &RolloutName, state: &RolloutState) {
        let marks = &self.families.marks;
        let last = state.incident.as_deref();
        let rollback = last.and_then(|incident| incident.rollback_started_at);
        let earlier = state.rollbacks.back().map(|(at, _)| *at);
        let ended = last.filter(|incident| incident.has_rolled_back());
        let warning = last.filter(|incident| incident.grace_ends_at.is_some());
        for (mark, at) in [
            (&marks.warning, warning.map(|incident| incident.opened_at)),
            (&marks.rollback_started, rollback.or(earlier)),
            (&marks.rollback_ended, ended.and_then(|incident| incident.closed_at)),
        ] {
            let known = mark.get_or_create_owned(&OfRollout { rollout: rollout.to_string() });
            if let Some(at) = at.filter(|_| known.get() == 0) {
                known.set(at.timestamp());
            }
        }
    }
}

/// From when to when.
struct Reached {
    since: DateTime<Utc>,
    at: DateTime<Utc>,
}

impl Reached {
    /// Clocks that differ, or are set back, make no time negative.
    fn seconds(&self) -> f64 {
        (self.at - self.since).max(TimeDelta::zero()).as_seconds_f64()
    }
}

fn labels(rollout: &RolloutName, severity: Severity, stage: &str) -> ReactionStage {
    let severity = severity.as_str().to_owned();
    ReactionStage { rollout: rollout.to_string(), severity, stage: stage.to_owned() }
}

fn set(mark: &Family<OfRollout, Gauge>, rollout: &RolloutName, at: DateTime<Utc>) {
    mark.get_or_create_owned(&OfRollout { rollout: rollout.to_string() }).set(at.timestamp());
}

#[cfg(test)]
mod tests;
