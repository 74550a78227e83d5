//! Incidents and rollouts as the API shows them (design, section 7).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::decision::{Mode, Reading};
use crate::incident::{
    AttachedAlert, EvidenceFile, Incident, NoteEntry, RolloutState, StepRecord, Verification,
};
use crate::pipeline::Rollout;

/// One incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IncidentView {
    /// Its id.
    pub id: String,
    /// Its rollout.
    pub rollout: String,
    /// The revision on canary when it opened.
    pub revision: String,
    /// The stage, 1 to 5, if known.
    pub stage: Option<u8>,
    /// The canary's share in per cent when it opened, if known.
    pub share_percent: Option<u8>,
    /// Where it stands.
    pub state: String,
    /// `critical` or `warning`.
    pub severity: String,
    /// Why it stands there, by name: `no_canary`, `critical_alert`, …
    pub reason: String,
    /// The alert's name, or what a person wrote.
    pub cause: String,
    /// `Automatic` or `Manual (<who>)`.
    pub triggered_by: String,
    /// When it opened.
    pub opened_at: DateTime<Utc>,
    /// When it closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// When the grace ends or ended.
    pub grace_ends_at: Option<DateTime<Utc>>,
    /// Its alerts.
    pub alerts: Vec<AttachedAlert>,
    /// Its steps with every attempt.
    pub steps: Vec<StepRecord>,
    /// The last finished verification.
    pub verification: Option<Verification>,
    /// Its evidence files.
    pub evidence: Vec<EvidenceFile>,
    /// Messages to people.
    pub notifications: Vec<NotificationView>,
    /// Who has taken note.
    pub acknowledged_by: Option<String>,
    /// Every decision with its reason.
    pub decisions: Vec<NoteEntry>,
}

/// What people had to be told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NotificationView {
    /// When.
    pub at: DateTime<Utc>,
    /// What about.
    pub kind: String,
    /// In a sentence.
    pub text: String,
}

impl From<&Incident> for IncidentView {
    fn from(incident: &Incident) -> Self {
        // The last named reason says why it stands where it does; the first, why it opened.
        let last = incident.notes.iter().rev().find_map(|note| note.reason.filter(|_| decides(&note.event)));
        let notifications = incident.notices.iter().map(|(at, kind, text)| NotificationView {
            at: *at,
            kind: kind.to_string(),
            text: text.clone(),
        });
        Self {
            id: incident.id.to_string(),
            rollout: incident.rollout.to_string(),
            revision: incident.revision().to_string(),
            stage: incident.stage().map(crate::incident::Stage::number),
            share_percent: incident.share().map(|share| share.0),
            state: incident.phase.name().to_owned(),
            severity: incident.severity.as_str().to_owned(),
            reason: last.unwrap_or(incident.opened.reason).to_string(),
            cause: incident.opened.cause.clone(),
            triggered_by: incident.trigger().to_string(),
            opened_at: incident.opened_at,
            closed_at: incident.closed_at,
            grace_ends_at: incident.grace_ends_at,
            alerts: incident.alerts.iter().map(|alert| alert.as_ref().clone()).collect(),
            steps: incident.steps.clone(),
            verification: incident.verification.clone(),
            evidence: incident.evidence.clone(),
            notifications: notifications.collect(),
            acknowledged_by: incident.acknowledged_by.clone(),
            decisions: incident.notes.iter().map(|note| note.as_ref().clone()).collect(),
        }
    }
}

/// Whether an event says why the incident stands where it does. That a rollback was read back does
/// not say why there was one.
fn decides(event: &str) -> bool {
    ["incident_opened", "rollback_started", "cancelled", "declined", "held", "failed"].contains(&event)
}

/// One rollout.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RolloutView {
    /// Its name.
    pub name: String,
    /// `armed`, `shadow` or `off`.
    pub mode: String,
    /// The revision on canary.
    pub revision: String,
    /// The canary's share in per cent as last read; none if it can't be read.
    pub share_percent: Option<u8>,
    /// When it was last read, or tried to be.
    pub share_read_at: Option<DateTime<Utc>>,
    /// Alerts that fire, by their last message.
    pub firing_alerts: Vec<String>,
    /// Seconds since the Watchdog was heard, or since the start.
    pub watchdog_age_seconds: u64,
    /// Whether people were told that it is silent.
    pub watchdog_lost: bool,
    /// Events of all rollouts that are held in memory because the store can't be written.
    pub unrecorded_events: u64,
    /// The open incident, or the one that closed last.
    pub incident: Option<IncidentView>,
}

impl RolloutView {
    /// A rollout as it stands.
    #[must_use]
    pub fn new(rollout: &Rollout, state: &RolloutState, reading: Reading, watchdog_age_seconds: u64) -> Self {
        let mode = match rollout.policy.mode {
            Mode::Armed => "armed",
            Mode::Shadow => "shadow",
            Mode::Off => "off",
        };
        let (share, share_read_at) = match reading {
            Reading::At { at, share } => (share, Some(at)),
            Reading::NotConfigured | Reading::Never => (None, None),
        };
        let firing = state.alerts.values().filter(|known| known.alert.ends_at.is_none());
        Self {
            name: rollout.name.to_string(),
            mode: mode.to_owned(),
            revision: rollout.policy.revision.to_string(),
            share_percent: share.map(|share| share.0),
            share_read_at,
            firing_alerts: firing.map(|known| known.alert.name().to_owned()).collect(),
            watchdog_age_seconds,
            watchdog_lost: state.watchdog_lost,
            unrecorded_events: 0,
            incident: state.incident.as_deref().map(IncidentView::from),
        }
    }
}
