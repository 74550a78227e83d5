//! One incident: the fold of its events.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Alert, AttachedAlert, AttachedAlerts, BlobRef, Event, EvidenceFile, GraceCause, Hold, IncidentId,
    NoticeKind, OpenedIncident, Phase, Reason, Revision, RolloutName, Severity, Share, Stage, StepRecord,
    Trigger, Verification, WhenTaken,
};

/// A decision with its reason, as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// The event's name.
    pub event: String,
    /// Its reason.
    pub reason: Option<Reason>,
    /// In words.
    pub text: String,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Its rollout.
    pub rollout: RolloutName,
    /// What it opened with.
    pub opened: OpenedIncident,
    /// When it opened.
    pub opened_at: DateTime<Utc>,
    /// When nothing more was to be done.
    pub closed_at: Option<DateTime<Utc>>,
    /// Where it stands.
    pub phase: Phase,
    /// The urgency now: a critical may join a warning's grace.
    pub severity: Severity,
    /// When the grace ends or ended.
    pub grace_ends_at: Option<DateTime<Utc>>,
    /// When the first rollback began.
    pub rollback_started_at: Option<DateTime<Utc>>,
    /// When the rollback has to have ended.
    #[serde(default)]
    pub rollback_due_at: Option<DateTime<Utc>>,
    /// Its alerts, each once, in the order they came.
    pub alerts: AttachedAlerts,
    /// Every step carried out.
    pub steps: Vec<StepRecord>,
    /// The last finished verification.
    pub verification: Option<Verification>,
    /// The evidence files.
    pub evidence: Vec<EvidenceFile>,
    /// Whether the evidence is the last one.
    pub evidence_complete: bool,
    /// The metrics snapshots: `None` inside means it could not be taken.
    pub snapshots: Vec<(WhenTaken, Option<BlobRef>, Option<String>)>,
    /// What people had to be told.
    pub notices: Vec<(DateTime<Utc>, NoticeKind, String)>,
    /// Who has taken note.
    pub acknowledged_by: Option<String>,
    /// Every decision with its reason.
    pub notes: Vec<Arc<NoteEntry>>,
}

/// The decisions that one incident remembers. An alert that flaps for days must not grow the
/// incident without bound; the events themselves are all kept in the store.
const MAX_NOTES: usize = 500;

impl Incident {
    /// An incident as it opens.
    #[must_use]
    pub fn open(id: IncidentId, rollout: RolloutName, at: DateTime<Utc>, opened: OpenedIncident) -> Self {
        let mut incident = Self {
            id,
            rollout,
            opened_at: at,
            closed_at: None,
            phase: Phase::Opened,
            severity: opened.severity,
            grace_ends_at: None,
            rollback_started_at: None,
            rollback_due_at: None,
            alerts: opened.alert.iter().cloned().map(Arc::new).collect::<Vec<_>>().into(),
            steps: Vec::new(),
            verification: None,
            evidence: Vec::new(),
            evidence_complete: false,
            snapshots: Vec::new(),
            notices: Vec::new(),
            acknowledged_by: None,
            notes: Vec::new(),
            opened,
        };
        let text = format!("{} ({})", incident.opened.cause, incident.opened.trigger);
        incident.note(at, "incident_opened", Some(incident.opened.reason), text);
        incident
    }

    /// The revision on canary when it opened.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.opened.revision
    }

    /// The stage when it opened.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.opened.stage
    }

    /// The share when it opened.
    #[must_use]
    pub fn share(&self) -> Option<Share> {
        self.opened.share
    }

    /// Who or what caused it.
    #[must_use]
    pub fn trigger(&self) -> &Trigger {
        &self.opened.trigger
    }

    /// Whether a rollback was begun for it.
    #[must_use]
    pub fn has_rolled_back(&self) -> bool {
        self.rollback_started_at.is_some()
    }

    /// Whether the alert is among the incident's.
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

    /// Whether an alert of the incident fires, by the last message about it.
    #[must_use]
    pub fn has_firing_alert(&self) -> bool {
        self.alerts.iter().any(|attached| attached.alert.ends_at.is_none())
    }

    /// Applies one event of this incident. Replaying the same events gives the same incident.
    pub fn apply(&mut self, at: DateTime<Utc>, event: &Event) {
        match event {
            Event::IncidentOpened(_)
            | Event::AlertSeen { .. }
            | Event::TriageStarted { .. }
            | Event::TriageEnded
            | Event::ShareRead { .. }
            | Event::WatchdogLost { .. }
            | Event::WatchdogBack => {}
            Event::ClockStepped { by_milliseconds } => self.clock_stepped(at, *by_milliseconds),
            Event::GraceStarted { cause, ends_at } => {
                self.phase = Phase::Grace { cause: *cause, confirm_early: false };
                self.grace_ends_at = Some(*ends_at);
                self.note(at, event.name(), None, format!("grace until {}", rfc3339(*ends_at)));
            }
            Event::GraceMoved { ends_at } => {
                self.grace_ends_at = Some(*ends_at);
                self.note(at, event.name(), None, format!("grace until {}", rfc3339(*ends_at)));
            }
            Event::AlertAttached(attached) => self.attach(at, attached),
            Event::AlertResolved { fingerprint, ends_at } => {
                self.alerts.resolve(fingerprint, *ends_at);
                let firing = self.has_firing_alert();
                if let Phase::Grace { confirm_early, .. } = &mut self.phase {
                    *confirm_early = !firing;
                }
                self.note(at, event.name(), None, format!("{fingerprint} resolved"));
            }
            Event::Confirmed { reason, answers } => {
                if let Phase::Grace { confirm_early, .. } = &mut self.phase {
                    *confirm_early = false;
                }
                self.note(at, event.name(), Some(*reason), answers.join("; "));
            }
            Event::Held { reason, actor, until } => {
                self.phase = Phase::Held(Hold { actor: actor.clone(), reason: *reason, until: *until });
                self.note(at, event.name(), Some(*reason), format!("{actor}, until {}", rfc3339(*until)));
            }
            Event::Resumed { reason, actor } => {
                self.phase = Phase::Grace { cause: GraceCause::Warning, confirm_early: false };
                self.note(at, event.name(), Some(*reason), actor.clone());
            }
            Event::Acknowledged { actor } => {
                self.acknowledged_by = Some(actor.clone());
                self.note(at, event.name(), Some(Reason::Acknowledged), actor.clone());
            }
            Event::Cancelled { reason } => {
                self.close(at, event, Phase::Cancelled { reason: *reason }, *reason)
            }
            Event::Declined { reason } => self.close(at, event, Phase::Declined { reason: *reason }, *reason),
            Event::RolledBack => self.close(at, event, Phase::RolledBack, Reason::ReadBack),
            Event::RollbackStarted { reason, attempt, due_at } => {
                self.phase = Phase::RollingBack { attempt: *attempt, since: at };
                self.rollback_started_at.get_or_insert(at);
                self.rollback_due_at = self.rollback_due_at.or(*due_at);
                self.note(at, event.name(), Some(*reason), format!("attempt {attempt}"));
            }
            Event::StepEnded(step) => {
                let text =
                    format!("{} {:?} after {} tries", step.step.as_str(), step.outcome, step.attempts.len());
                self.steps.push(step.clone());
                self.note(at, event.name(), None, text);
            }
            Event::VerificationStarted { until } => {
                let attempt = self.attempt();
                self.phase = Phase::Verifying { since: at, until: *until, attempt };
                self.note(at, event.name(), None, format!("verdict due by {}", rfc3339(*until)));
            }
            Event::VerificationEnded(verification) => {
                let text = verification.verdict.as_str().to_owned();
                self.verification = Some(verification.clone());
                self.note(at, event.name(), None, text);
            }
            Event::Failed { reason, detail, retry_at } => {
                let attempt = self.attempt();
                self.phase = Phase::Failed { reason: *reason, attempt, retry_at: *retry_at };
                self.acknowledged_by = None;
                let text = format!("{detail}; tried again at {}", rfc3339(*retry_at));
                self.note(at, event.name(), Some(*reason), text);
            }
            Event::SnapshotTaken { when, body, error } => {
                self.snapshots.retain(|(taken, ..)| taken != when);
                self.snapshots.push((*when, body.clone(), error.clone()));
            }
            Event::EvidenceWritten { complete, files } => {
                self.evidence.clone_from(files);
                self.evidence_complete = *complete;
            }
            Event::NoticeRaised { kind, text } => self.notices.push((at, *kind, text.clone())),
        }
    }

    /// What is due, is due after the same span as before; what has happened keeps its time.
    fn clock_stepped(&mut self, at: DateTime<Utc>, by_milliseconds: i64) {
        let by = TimeDelta::milliseconds(by_milliseconds);
        let due = [&mut self.grace_ends_at, &mut self.rollback_due_at];
        due.into_iter().flatten().for_each(|due| *due += by);
        match &mut self.phase {
            Phase::Held(hold) => hold.until += by,
            Phase::Verifying { since, until, .. } => {
                *since += by;
                *until += by;
            }
            Phase::Failed { retry_at, .. } => *retry_at += by,
            Phase::Opened
            | Phase::Grace { .. }
            | Phase::RollingBack { .. }
            | Phase::RolledBack
            | Phase::Cancelled { .. }
            | Phase::Declined { .. } => {}
        }
        let text = format!("the clock was set by {by_milliseconds} ms; deadlines moved with it");
        self.note(at, "clock_stepped", None, text);
    }

    /// Whether the rollback should have ended by `now` and has not.
    #[must_use]
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        !self.phase.is_closed() && self.rollback_due_at.is_some_and(|due_at| now >= due_at)
    }

    /// Whether people were told that the rollback has not ended in time.
    #[must_use]
    pub fn is_overdue_told(&self) -> bool {
        self.notices.iter().any(|(_, kind, _)| *kind == NoticeKind::RollbackOverdue)
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
            | Phase::Declined { .. } => 0,
        }
    }

    fn attach(&mut self, at: DateTime<Utc>, attached: &AttachedAlert) {
        self.severity = self.severity.max(attached.alert.severity());
        let text = format!("{} {}", attached.alert.name(), attached.alert.fingerprint);
        self.alerts.attach(attached);
        if let Phase::Grace { confirm_early, .. } = &mut self.phase {
            *confirm_early = false;
        }
        self.note(at, "alert_attached", Some(attached.reason), text);
    }

    fn close(&mut self, at: DateTime<Utc>, event: &Event, phase: Phase, reason: Reason) {
        self.phase = phase;
        self.closed_at = Some(at);
        self.note(at, event.name(), Some(reason), String::new());
    }

    fn note(&mut self, at: DateTime<Utc>, event: &str, reason: Option<Reason>, text: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(Arc::new(NoteEntry { at, event: event.to_owned(), reason, text }));
        }
    }
}

/// A time as it is shown everywhere: RFC 3339, UTC, to the millisecond.
fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
