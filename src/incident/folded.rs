//! One incident: the fold of its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Alert, AttachedAlerts, BlobRef, Bounded, Cause, Deliveries, EvidenceFile, IncidentId, Level, Notice,
    OpenedIncident, Phase, Plan, Progress, Reason, Revision, RolloutName, Severity, Share, SnapshotPoint,
    Stage, StepRecord, Trigger, Verification,
};

/// One line of an incident's history: what happened or was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteEntry {
    pub at: DateTime<Utc>,
    /// The name of the event's type, for tools.
    pub event: String,
    pub reason: Option<Reason>,
    /// A sentence for people; foreign text in it is harmless already.
    pub text: String,
}

/// Whom an incident that goes on is reported to next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    pub next: Level,
    pub due_at: DateTime<Utc>,
    /// Whether taking note has put it off: it does so once.
    #[serde(default)]
    pub is_put_off: bool,
}

/// Who took note, before something happened that needs a person anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedBefore {
    /// Foreign text.
    pub actor: String,
    pub need: NewNeed,
}

/// What needs a person anew: whoever took note before it may know nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewNeed {
    /// An attempt failed, by its number.
    Failed(u32),
    /// The rollback has gone on for so long that a next level was told.
    Escalated(Level),
}

/// One incident. Stored as part of checkpoints: a new member needs a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    pub rollout: RolloutName,
    pub opened: OpenedIncident,
    pub opened_at: DateTime<Utc>,
    /// When nothing more was to be done; its evidence may be completed later.
    pub closed_at: Option<DateTime<Utc>>,
    pub phase: Phase,
    /// The urgency now: a critical may join a warning's grace.
    pub severity: Severity,
    /// When the grace ends, or was to end: a critical or a person may have ended it before.
    pub grace_ends_at: Option<DateTime<Utc>>,
    /// When the first attempt began.
    pub rollback_started_at: Option<DateTime<Utc>>,
    /// From then on a rollback that has not ended is reported as overdue.
    #[serde(default)]
    pub rollback_due_at: Option<DateTime<Utc>>,
    /// What its rollback began for; the first that acted is the reason. Empty before one began, and
    /// for rollbacks from before causes were stored.
    #[serde(default)]
    pub causes: Bounded<Cause>,
    /// Its alerts, each once, in the order they came.
    pub alerts: AttachedAlerts,
    /// The steps that ended, done or not, in the order they ended.
    pub steps: Bounded<StepRecord>,
    /// What its rollback is to reach.
    #[serde(default)]
    pub plan: Plan,
    /// How far the current attempt is.
    #[serde(default)]
    pub progress: Progress,
    /// Since when a step is under way of which nothing is recorded yet.
    #[serde(default)]
    pub step_begun_at: Option<DateTime<Utc>>,
    /// How often an attempt failed, by reason: some may not be repeated for ever.
    #[serde(default)]
    pub failures: BTreeMap<Reason, u32>,
    /// The last finished verification.
    pub verification: Option<Verification>,
    pub evidence: Vec<EvidenceFile>,
    /// Whether no further round of evidence is due.
    pub evidence_complete: bool,
    /// The metrics snapshots. `None` as the blob: the metrics could not be read, for the reason beside it.
    pub snapshots: Vec<(SnapshotPoint, Option<BlobRef>, Option<String>)>,
    pub notices: Bounded<Notice>,
    /// Whether it was reported that the rollback has not ended in time.
    #[serde(default)]
    pub overdue_reported: bool,
    /// The first who took note since a person was last needed anew.
    pub acknowledged_by: Option<String>,
    /// Who had taken note before that.
    #[serde(default)]
    pub noted_before: Option<NotedBefore>,
    pub notes: Bounded<Arc<NoteEntry>>,
    /// What is on its way to people.
    #[serde(default)]
    pub deliveries: Deliveries,
    /// `None`: no rollback began, it has ended, or the last level was told.
    #[serde(default)]
    pub escalation: Option<Escalation>,
    /// Whether nobody waits for the end of its alerts any more.
    #[serde(default)]
    pub alerts_ended: bool,
    /// Whether a later incident of the same revision has rolled back since: how the revision stands is
    /// that one's to say from then on, and what pages for it is that one's to end.
    #[serde(default)]
    pub is_followed: bool,
}

impl Incident {
    /// A person is needed anew: who took note before no longer counts as the one who has it in hand.
    pub(super) fn needs_a_person(&mut self, need: NewNeed) {
        if let Some(actor) = self.acknowledged_by.take() {
            self.noted_before = Some(NotedBefore { actor, need });
        }
    }

    /// The revision on canary when it opened.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.opened.revision
    }

    /// What made its rollback begin or, while none has begun, what it opened with.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.causes.first().cloned().unwrap_or_else(|| Cause::of_opening(&self.opened, self.opened_at))
    }

    /// The causes that arrived after the one that acted.
    pub fn further_causes(&self) -> impl Iterator<Item = &Cause> {
        self.causes.iter().skip(1)
    }

    /// The stage of its cause, 1 to 5.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.cause().stage
    }

    /// The share that its cause was decided on.
    #[must_use]
    pub fn share(&self) -> Option<Share> {
        self.cause().share
    }

    /// Who or what caused its rollback or, while none has begun, its opening.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.cause().trigger
    }

    /// Whether a rollback was begun for it, whatever came of it.
    #[must_use]
    pub fn has_rolled_back(&self) -> bool {
        self.rollback_started_at.is_some()
    }

    /// Whether the alert is among the incident's: not one that a full incident left out.
    #[must_use]
    pub fn carries(&self, fingerprint: &super::Fingerprint) -> bool {
        self.alerts.find(fingerprint).is_some()
    }

    /// Whether attaching the alert would change anything: an incident that is full takes no other,
    /// or a storm would be stored again with each of its repeats.
    #[must_use]
    pub fn takes(&self, alert: &Alert) -> bool {
        match self.alerts.find(&alert.fingerprint) {
            Some(known) => known.alert.status != alert.status || known.alert.starts_at != alert.starts_at,
            None => {
                let confirms_early = matches!(self.phase, Phase::Grace { confirm_early: true, .. });
                !self.alerts.is_full() || alert.severity() > self.severity || confirms_early
            }
        }
    }

    /// Whether it has rolled back and closed, and its alerts were not yet seen to end.
    #[must_use]
    pub fn awaits_end_of_alerts(&self) -> bool {
        matches!(self.phase, Phase::RolledBack) && !self.alerts_ended && self.deliveries.last_notice > 0
    }

    /// Whether something is left to be done for it once it has closed: evidence, messages, the alerts'
    /// end.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        let evidence = self.has_rolled_back() && !self.evidence_complete;
        evidence || !self.deliveries.is_settled() || self.awaits_end_of_alerts()
    }

    /// Whether an alert of the incident fires, by the last message about it.
    #[must_use]
    pub fn has_firing_alert(&self) -> bool {
        self.alerts.iter().any(|attached| attached.alert.ends_at.is_none())
    }

    /// Whether the rollback should have ended by `now` and has not.
    #[must_use]
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        !self.phase.is_closed() && self.rollback_due_at.is_some_and(|due_at| now >= due_at)
    }

    /// Whether it may yet have to be reported that the rollback has not ended in time.
    #[must_use]
    pub fn may_be_overdue(&self) -> bool {
        !self.phase.is_closed() && !self.overdue_reported && self.rollback_due_at.is_some()
    }

    /// The rollback attempt that runs or ran last; 0 before the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        match self.phase {
            Phase::RollingBack { attempt, .. }
            | Phase::Verifying { attempt, .. }
            | Phase::Failed { attempt, .. } => attempt,
            Phase::Opened
            | Phase::Grace { .. }
            | Phase::Held(_)
            | Phase::RolledBack
            | Phase::Cancelled { .. }
            | Phase::Declined { .. }
            | Phase::Superseded { .. }
            | Phase::Closed { .. } => 0,
        }
    }
}
