//! Incidents and rollouts as the API shows them (design, section 7).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::told::{GivenUpView, NotificationView, UndeliveredView, own_notifications};
use super::{NextView, RampView};
use crate::decision::{Mode, Reading};
use crate::incident::{
    AttachedAlert, Cause, EvidenceFile, Incident, NoteEntry, NotedBefore, Observation, Phase, Reason,
    RolloutState, Stage, StepRecord, Verification,
};
use crate::pipeline::{Rollout, Trying};

/// An incident as JSON. The command line parses it, so a field that is renamed breaks those of
/// other versions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IncidentView {
    pub id: String,
    pub rollout: String,
    /// The revision on canary when it opened.
    pub revision: String,
    /// The stage, 1 to 5, if known: of the rollback once one began.
    pub stage: Option<u8>,
    /// The canary's share in per cent that the decision rested on, if known.
    pub share_percent: Option<u8>,
    /// When that share was asked for.
    pub share_read_at: Option<DateTime<Utc>>,
    /// In the answer to a person's request: whether it is stored. If not, it is acted upon, and forgotten
    /// if the process ends before the store can be written again.
    #[serde(default = "yes")]
    pub durable: bool,
    /// Where it stands, by name.
    pub state: String,
    /// Where it stands, in a sentence.
    pub state_sentence: String,
    /// What happens next, and when; none once it has closed.
    pub next: Option<NextView>,
    /// Who holds its grace; none while nobody does.
    pub held_by: Option<String>,
    pub severity: String,
    /// Why there is a rollback, by name (`critical_alert`, `manual`, …), once one began; until then
    /// why it stands where it does (`no_canary`, `warning_alert`, …).
    pub reason: String,
    /// Why it stands where it does now, by name: a failed rollback's is not its cause.
    pub state_reason: String,
    /// The alert's name, or what a person wrote: of the rollback once one began.
    pub cause: String,
    /// Causes that arrived after the one that acted.
    pub further_causes: Vec<Cause>,
    /// `Automatic` or `Manual (<who>)`.
    pub triggered_by: String,
    pub opened_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    /// When the grace ends or ended.
    pub grace_ends_at: Option<DateTime<Utc>>,
    pub alerts: Vec<AttachedAlert>,
    /// Its steps with every attempt.
    pub steps: Vec<StepRecord>,
    /// The last finished verification.
    pub verification: Option<Verification>,
    pub evidence: Vec<EvidenceFile>,
    pub notifications: Vec<NotificationView>,
    pub acknowledged_by: Option<String>,
    /// Who had taken note before a person was needed anew, and what needed one, in words.
    #[serde(default)]
    pub noted_before: Option<String>,
    /// Every decision with its reason.
    pub decisions: Vec<NoteEntry>,
}

/// What older servers, which don't say it, are assumed to have done.
pub(super) fn yes() -> bool {
    true
}

impl From<&Incident> for IncidentView {
    fn from(incident: &Incident) -> Self {
        let cause = incident.cause();
        let state_reason = state_reason(incident);
        let reason = if incident.has_rolled_back() { cause.reason } else { state_reason };
        let notifications =
            incident.notices.iter().map(|notice| NotificationView::of(notice, &incident.deliveries));
        Self {
            id: incident.id.to_string(),
            rollout: incident.rollout.to_string(),
            revision: incident.revision().to_string(),
            stage: cause.stage.map(crate::incident::Stage::number),
            share_percent: cause.share.map(|share| share.0),
            share_read_at: cause.share.and(cause.share_read_at),
            durable: true,
            state: incident.phase.name().to_owned(),
            state_sentence: incident.phase.sentence(),
            next: NextView::of(incident),
            held_by: if let Phase::Held(hold) = &incident.phase { Some(hold.actor.clone()) } else { None },
            severity: incident.severity.as_str().to_owned(),
            reason: reason.to_string(),
            state_reason: state_reason.to_string(),
            further_causes: incident.further_causes().cloned().collect(),
            triggered_by: cause.trigger.to_string(),
            cause: cause.words,
            opened_at: incident.opened_at,
            closed_at: incident.closed_at,
            grace_ends_at: incident.grace_ends_at,
            alerts: incident.alerts.iter().map(|alert| alert.as_ref().clone()).collect(),
            steps: incident.steps.to_vec(),
            verification: incident.verification.clone(),
            evidence: incident.evidence.clone(),
            notifications: notifications.collect(),
            acknowledged_by: incident.acknowledged_by.clone(),
            noted_before: incident.noted_before.as_ref().map(NotedBefore::words),
            decisions: incident.notes.iter().map(|note| note.as_ref().clone()).collect(),
        }
    }
}

/// The last decision that says why the incident stands where it does. That a rollback was read back
/// does not say why there was one.
fn state_reason(incident: &Incident) -> Reason {
    const DECIDES: [&str; 9] = [
        "incident_opened",
        "rollback_started",
        "cancelled",
        "declined",
        "held",
        "resumed",
        "failed",
        "superseded",
        "closed",
    ];
    let mut decisions = incident.notes.iter().rev().filter(|note| DECIDES.contains(&note.event.as_str()));
    decisions.find_map(|note| note.reason).unwrap_or(incident.opened.reason)
}

/// A rollout as JSON, as the command line parses it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RolloutView {
    pub name: String,
    /// `armed`, `shadow` or `off`.
    pub mode: String,
    pub revision: String,
    /// The canary's share in per cent as last read; none if it can't be read.
    pub share_percent: Option<u8>,
    /// The protocol's stage that this share belongs to, 1 to 5; none without a share, or at 0 %.
    #[serde(default)]
    pub stage: Option<u8>,
    /// When it was last read, or tried to be.
    pub share_read_at: Option<DateTime<Utc>>,
    /// Since when it has been what it is, as far as that was read; none if it is not stored yet.
    pub share_since: Option<DateTime<Utc>>,
    /// The server's time as it answered: what is due counts from it.
    pub now: DateTime<Utc>,
    /// Names of the alerts that fire, by their last report.
    pub firing_alerts: Vec<String>,
    /// Seconds since the Watchdog was heard, or since the start.
    pub watchdog_age_seconds: u64,
    /// Whether its silence was reported.
    pub watchdog_lost: bool,
    /// Events of all rollouts that are held in memory because the store can't be written.
    pub unrecorded_events: u64,
    /// Whether all was well with the evidence that was last written, of any rollout, and with all of the
    /// last hour.
    pub evidence_healthy: bool,
    /// Whether the store can be written, as far as is known: it is looked at every half a minute at least.
    #[serde(default = "yes")]
    pub store_healthy: bool,
    /// The requests of the step under way, which the incident lists once it has ended.
    #[serde(default)]
    pub trying: Option<Trying>,
    /// What was last seen of a target that says more than its share: pods, header rules, obstacles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Observation>,
    /// What has not reached its channel, of all of its incidents and of the rollout itself.
    #[serde(default)]
    pub undelivered: Vec<UndeliveredView>,
    /// What its configured channels have refused for good, each until a later message reaches it.
    #[serde(default)]
    pub given_up: Vec<GivenUpView>,
    /// Notices of the rollout itself that wait, such as its Watchdog's.
    #[serde(default)]
    pub notifications: Vec<NotificationView>,
    /// The ramp that runs, or the last that ran.
    #[serde(default)]
    pub ramp: Option<RampView>,
    /// The open incident, or the one that closed last.
    pub incident: Option<IncidentView>,
}

impl RolloutView {
    /// What is the same for all rollouts (`unrecorded_events`, `evidence_healthy`, `store_healthy`), and
    /// `given_up`, `trying`, `target` and `ramp`, are left at their healthy values, for the caller to set.
    #[must_use]
    pub fn new(
        rollout: &Rollout,
        state: &RolloutState,
        reading: Reading,
        seen: Option<&Observation>,
        watchdog_age_seconds: u64,
        now: DateTime<Utc>,
    ) -> Self {
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
            revision: rollout.policy.revision_now(state, seen).to_string(),
            share_percent: share.map(|share| share.0),
            stage: share.and_then(|share| Stage::from_share(share.0)).map(Stage::number),
            share_read_at,
            share_since: state.share_at.filter(|_| state.share == share),
            now,
            firing_alerts: firing.map(|known| known.alert.name().to_owned()).collect(),
            watchdog_age_seconds,
            watchdog_lost: state.watchdog_lost,
            unrecorded_events: 0,
            evidence_healthy: true,
            store_healthy: true,
            trying: None,
            target: None,
            undelivered: state.backlogs().iter().map(UndeliveredView::from).collect(),
            given_up: Vec::new(),
            notifications: own_notifications(&state.deliveries),
            ramp: None,
            incident: state.incident.as_deref().map(IncidentView::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::fixtures::opened_by_warning;
    use crate::incident::{Event, GraceCause, IncidentId, RolloutName};

    #[test]
    fn the_state_has_the_reason_of_the_last_decision_that_led_to_it() {
        let at = DateTime::UNIX_EPOCH;
        let mut incident =
            Incident::open(IncidentId::new("i"), RolloutName::new("r"), at, opened_by_warning("Latency"));
        let actor = || "ada".to_owned();
        for (event, expected) in [
            (Event::GraceStarted { cause: GraceCause::Warning, ends_at: at }, Reason::WarningAlert),
            (Event::Held { reason: Reason::HeldByPerson, actor: actor(), until: at }, Reason::HeldByPerson),
            (Event::Acknowledged { actor: actor() }, Reason::HeldByPerson),
            (Event::Resumed { reason: Reason::ResumedByPerson, actor: actor() }, Reason::ResumedByPerson),
            (Event::Closed { actor: actor(), words: "seen".to_owned() }, Reason::ClosedByPerson),
        ] {
            incident.apply(at, &event);
            assert_eq!(state_reason(&incident), expected, "{event:?}");
        }
    }
}
