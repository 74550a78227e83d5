//! What an alert leads to.

use chrono::{DateTime, Utc};

use super::Mode;
use super::draft::{Activity, Draft, Opening};
use crate::incident::{
    Alert, AlertStatus, AttachedAlert, BlobRef, Event, GraceCause, IncidentId, NoticeKind, Phase, Reason,
    Severity, Trigger,
};

/// An alert came.
pub(super) fn received(draft: &mut Draft<'_>, alert: &Alert, body: Option<&BlobRef>) -> Reason {
    match alert.status {
        AlertStatus::Firing => firing(draft, alert, body),
        AlertStatus::Resolved => resolved(draft, alert),
    }
}

fn firing(draft: &mut Draft<'_>, alert: &Alert, body: Option<&BlobRef>) -> Reason {
    let known = draft.state.alerts.get(&alert.fingerprint).cloned();
    let repeat = known.as_ref().is_some_and(|known| {
        known.alert.status == AlertStatus::Firing && known.alert.starts_at == alert.starts_at
    });
    // Looked at before the alert is recorded: its own resolve is what it may be older than.
    let suspicion = suspicion(draft, alert);
    if !repeat {
        let not_before = not_before(draft, alert);
        draft.rollout_event(Event::AlertSeen { alert: alert.clone(), not_before });
    }
    if draft.context.policy.mode == Mode::Off {
        return Reason::ModeOff;
    }
    if alert.severity() == Severity::Unknown {
        return Reason::SeverityNotActionable;
    }
    let attached = AttachedAlert {
        alert: alert.clone(),
        received_at: draft.now(),
        reason: Reason::Duplicate,
        body: body.cloned(),
    };
    match draft.state.open_incident().map(|open| (open.id.clone(), open.phase.clone())) {
        Some((id, phase)) => join(draft, &id, &phase, attached, suspicion),
        None => fresh(draft, attached, suspicion, repeat),
    }
}

/// The earliest instant at which the alert can have begun, where its own word can't be believed.
/// Kept from its first message on: later nothing better is known.
fn not_before(draft: &Draft<'_>, alert: &Alert) -> Option<DateTime<Utc>> {
    match draft.state.alerts.get(&alert.fingerprint) {
        Some(known) if known.alert.status == AlertStatus::Firing => known.not_before,
        _ => draft.context.not_before,
    }
}

/// When the alert began, on our clock: its own word, but not before it can have begun.
/// A sender whose clock is minutes behind must neither end a grace early nor make a fresh critical
/// look older than the canary.
fn began_at(draft: &Draft<'_>, alert: &Alert) -> DateTime<Utc> {
    not_before(draft, alert).map_or(alert.starts_at, |not_before| alert.starts_at.max(not_before))
}

/// Why a firing alert may not be about the canary that runs now.
pub(super) fn suspicion(draft: &Draft<'_>, alert: &Alert) -> Option<GraceCause> {
    let resolved_at = draft.state.alerts.get(&alert.fingerprint).and_then(|known| known.resolved_at);
    if resolved_at.is_some_and(|resolved_at| alert.starts_at <= resolved_at) {
        return Some(GraceCause::OlderThanResolve);
    }
    let run_started_at = draft.state.run.as_ref().and_then(|run| run.started_at);
    // At that instant the canary had no traffic: what fired then is not about it.
    run_started_at
        .is_some_and(|started| began_at(draft, alert) <= started)
        .then_some(GraceCause::OlderThanCanary)
}

/// When the grace that an alert opens ends.
///
/// A warning's runs from its `startsAt`, but never from the future: a sender's clock that is ahead
/// must not lengthen it. One that is older than the canary gets the same time from the canary's
/// start. What may be a stale message is asked about at once.
fn deadline(draft: &Draft<'_>, alert: &Alert, suspicion: Option<GraceCause>) -> DateTime<Utc> {
    let now = draft.now();
    let run_started_at = draft.state.run.as_ref().and_then(|run| run.started_at);
    match (suspicion, alert.severity()) {
        (Some(GraceCause::OlderThanResolve), Severity::Critical) => now,
        (Some(GraceCause::OlderThanCanary), _) => run_started_at.unwrap_or(now) + draft.context.policy.grace,
        _ => began_at(draft, alert).min(now) + draft.context.policy.grace,
    }
}

/// No incident is open.
pub(super) fn fresh(
    draft: &mut Draft<'_>,
    attached: AttachedAlert,
    suspicion: Option<GraceCause>,
    repeat: bool,
) -> Reason {
    let activity = draft.activity();
    match activity {
        // The next poll of the share sees a canary that starts, and looks at the firing alerts.
        Activity::ReadFirst | Activity::Inactive if repeat && draft.polled_zero() => Reason::Duplicate,
        Activity::ReadFirst => {
            // Kept with it: a resolve that comes while it waits must not make it look stale.
            let stale = suspicion == Some(GraceCause::OlderThanResolve);
            let reason = if stale { Reason::OlderThanResolve } else { Reason::ShareUnread };
            draft.rollout_event(Event::TriageStarted { alert: AttachedAlert { reason, ..attached } });
            Reason::ShareUnread
        }
        Activity::Inactive => not_active(draft, attached, repeat),
        Activity::Active | Activity::Unknown => {
            if let Some(reason) = already_answered(draft, &attached, activity, repeat) {
                return reason;
            }
            act(draft, attached, suspicion)
        }
    }
}

fn not_active(draft: &mut Draft<'_>, attached: AttachedAlert, repeat: bool) -> Reason {
    let last = draft
        .state
        .incident
        .as_ref()
        .map(|last| (last.id.clone(), last.phase.clone(), last.carries(&attached.alert.fingerprint)));
    match last {
        Some((id, Phase::RolledBack, _)) => attach(draft, &id, attached, Reason::AlreadyRolledBack),
        Some((_, Phase::Declined { reason: Reason::NoCanary }, true)) if repeat => Reason::Duplicate,
        _ => {
            let id = open_for(draft, attached, Reason::NoCanary);
            draft.incident_event(&id, Event::Declined { reason: Reason::NoCanary });
            Reason::NoCanary
        }
    }
}

/// Whether the last incident already answered this alert.
fn already_answered(
    draft: &mut Draft<'_>,
    attached: &AttachedAlert,
    activity: Activity,
    repeat: bool,
) -> Option<Reason> {
    let last = draft.state.incident.as_ref()?;
    let same_alert = last.carries(&attached.alert.fingerprint);
    let began_at = began_at(draft, &attached.alert);
    let before_its_end = draft.state.answered_until.is_some_and(|until| began_at <= until);
    match (&last.phase, activity) {
        // Nobody can tell whether the canary was started again: only a new episode counts as news.
        (Phase::RolledBack, Activity::Unknown) if repeat || before_its_end => {
            let id = last.id.clone();
            Some(attach(draft, &id, attached.clone(), Reason::AlreadyRolledBack))
        }
        (Phase::Declined { reason: Reason::ShadowMode }, _) if repeat && same_alert => {
            Some(Reason::Duplicate)
        }
        _ => None,
    }
}

/// The canary has, or may have, traffic.
fn act(draft: &mut Draft<'_>, attached: AttachedAlert, suspicion: Option<GraceCause>) -> Reason {
    let alert = attached.alert.clone();
    let ends_at = deadline(draft, &alert, suspicion);
    let (cause, reason) = match (suspicion, alert.severity()) {
        (None, Severity::Critical) => {
            let id = open_for(draft, attached, Reason::CriticalAlert);
            return draft.start_rollback(&id, Reason::CriticalAlert);
        }
        (Some(GraceCause::OlderThanCanary), _) => (GraceCause::OlderThanCanary, Reason::OlderThanCanary),
        (Some(_), Severity::Critical) => (GraceCause::OlderThanResolve, Reason::OlderThanResolve),
        _ => (GraceCause::Warning, Reason::WarningAlert),
    };
    let id = open_for(draft, attached, reason);
    draft.incident_event(&id, Event::GraceStarted { cause, ends_at });
    draft.notice(&id, NoticeKind::GraceOpened, format!("{} fires: grace until {ends_at}", alert.name()));
    reason
}

pub(super) fn open_for(draft: &mut Draft<'_>, attached: AttachedAlert, reason: Reason) -> IncidentId {
    draft.open_incident(Opening {
        severity: attached.alert.severity(),
        reason,
        cause: attached.alert.name().to_owned(),
        trigger: Trigger::Automatic,
        stage: None,
        alert: Some(AttachedAlert { reason, ..attached }),
    })
}

/// An incident is open.
pub(super) fn join(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    phase: &Phase,
    attached: AttachedAlert,
    suspicion: Option<GraceCause>,
) -> Reason {
    let critical = attached.alert.severity() == Severity::Critical && suspicion.is_none();
    match phase {
        Phase::Grace { .. } | Phase::Held(_) if critical => {
            attach(draft, id, attached, Reason::CriticalAlert);
            draft.start_rollback(id, Reason::CriticalAlert)
        }
        Phase::Grace { .. } => {
            let ends_at = deadline(draft, &attached.alert, suspicion);
            let reason = attach(draft, id, attached, Reason::JoinedGrace);
            let current = draft.open(id).and_then(|open| open.grace_ends_at);
            if reason == Reason::JoinedGrace && current.is_some_and(|current| ends_at < current) {
                draft.incident_event(id, Event::GraceMoved { ends_at });
            }
            reason
        }
        Phase::Held(_) => attach(draft, id, attached, Reason::JoinedHold),
        Phase::Opened | Phase::RollingBack { .. } | Phase::Verifying { .. } | Phase::Failed { .. } => {
            attach(draft, id, attached, Reason::RollbackRunning)
        }
        // Closed incidents are not open; named so that a new phase has to be thought of here.
        Phase::RolledBack | Phase::Cancelled { .. } | Phase::Declined { .. } => Reason::Duplicate,
    }
}

/// Attaches the alert unless the incident already carries it just so.
fn attach(draft: &mut Draft<'_>, id: &IncidentId, attached: AttachedAlert, reason: Reason) -> Reason {
    draft.about = Some(id.clone());
    let current = draft.state.incident.as_ref().filter(|incident| incident.id == *id);
    if current.is_some_and(|incident| !incident.takes(&attached.alert)) {
        return Reason::Duplicate;
    }
    draft.incident_event(id, Event::AlertAttached(AttachedAlert { reason, ..attached }));
    reason
}

fn resolved(draft: &mut Draft<'_>, alert: &Alert) -> Reason {
    let ends_at = alert.ends_at.unwrap_or(draft.context.now);
    let known = draft.state.alerts.get(&alert.fingerprint).cloned();
    let news = known.as_ref().is_none_or(|known| {
        known.alert.status == AlertStatus::Firing || known.resolved_at.is_none_or(|earlier| earlier < ends_at)
    });
    if !news {
        return Reason::Duplicate;
    }
    // A resolve of an earlier episode says nothing about the one that fires now.
    let current = known
        .is_none_or(|known| known.alert.status == AlertStatus::Resolved || ends_at > known.alert.starts_at);
    if !current {
        return Reason::ResolvedElsewhere;
    }
    let seen = Alert { ends_at: Some(ends_at), ..alert.clone() };
    draft.rollout_event(Event::AlertSeen { alert: seen, not_before: None });
    let Some(open) = draft.state.open_incident() else { return Reason::ResolvedElsewhere };
    if !open.carries(&alert.fingerprint) {
        return Reason::ResolvedElsewhere;
    }
    let (id, phase) = (open.id.clone(), open.phase.clone());
    draft.incident_event(&id, Event::AlertResolved { fingerprint: alert.fingerprint.clone(), ends_at });
    match phase {
        Phase::Grace { .. } | Phase::Held(_) => Reason::ResolveNotTrusted,
        _ => Reason::RollbackRunning,
    }
}
