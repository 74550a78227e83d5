//! What an alert leads to.

use chrono::{DateTime, TimeDelta, Utc};

use super::Mode;
use super::deadline::deadline;
use super::draft::{Activity, Draft, Opening};
use crate::incident::{
    Alert, AlertFact, AlertState, AlertStatus, AttachedAlert, BlobRef, Event, GraceCause, IncidentId,
    NoticeFact, Phase, Reason, Severity, Trigger,
};

/// How long alerts join an incident that led to nothing. An application without a canary may have
/// alerts for weeks; a day of them is one incident.
const EPISODE: TimeDelta = TimeDelta::days(1);

pub(super) fn received(draft: &mut Draft<'_>, alert: &Alert, body: Option<&BlobRef>) -> Reason {
    // Whatever labels its rollout is matched by.
    if alert.doctor_test().is_some() {
        return Reason::DoctorTest;
    }
    match alert.status {
        AlertStatus::Firing => firing(draft, alert, body),
        AlertStatus::Resolved => {
            let reason = resolved(draft, alert);
            super::aftermath::alerts_ended(draft);
            reason
        }
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
/// Fixed by its first message: later nothing better is known.
fn not_before(draft: &Draft<'_>, alert: &Alert) -> Option<DateTime<Utc>> {
    going_on(draft, alert).map_or(draft.context.not_before, |known| known.not_before)
}

/// What is known of the time of firing that this message is about.
fn going_on<'a>(draft: &'a Draft<'_>, alert: &Alert) -> Option<&'a AlertState> {
    draft.state.alerts.get(&alert.fingerprint).map(AsRef::as_ref).filter(|known| known.goes_on_with(alert))
}

/// When the alert began, on our clock: its own word, but neither before it can have begun nor after it
/// was first reported. A sender whose clock is minutes behind must neither end a grace early nor make a
/// fresh critical look older than the canary; one that is ahead, or a clock of ours that was set back,
/// must not make an old one look fresh.
pub(super) fn began_at(draft: &Draft<'_>, alert: &Alert) -> DateTime<Utc> {
    let reported_at =
        going_on(draft, alert).and_then(|known| known.first_reported_at).unwrap_or(DateTime::<Utc>::MAX_UTC);
    not_before(draft, alert)
        .map_or(alert.starts_at, |not_before| alert.starts_at.max(not_before))
        .min(reported_at)
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

/// What an alert leads to while no incident is open.
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
            // Stored with it: a resolve that comes while it waits must not make it look stale.
            let stale = suspicion == Some(GraceCause::OlderThanResolve);
            let reason = if stale { Reason::OlderThanResolve } else { Reason::ShareUnread };
            draft.rollout_event(Event::TriageStarted { alert: AttachedAlert { reason, ..attached } });
            Reason::ShareUnread
        }
        Activity::Inactive => not_active(draft, attached, repeat),
        Activity::Active | Activity::Unknown if super::ramp::is_released(draft) => {
            decline(draft, attached, Reason::Released, repeat)
        }
        Activity::Active | Activity::Unknown => {
            if let Some(reason) = already_answered(draft, &attached, activity, repeat) {
                return reason;
            }
            act(draft, attached, suspicion)
        }
    }
}

fn not_active(draft: &mut Draft<'_>, attached: AttachedAlert, repeat: bool) -> Reason {
    let last = draft.state.incident.as_ref().map(|last| (last.id.clone(), last.phase.clone()));
    match last {
        Some((id, Phase::RolledBack)) => attach(draft, &id, attached, Reason::AlreadyRolledBack),
        _ => decline(draft, attached, Reason::NoCanary, repeat),
    }
}

fn decline(draft: &mut Draft<'_>, attached: AttachedAlert, reason: Reason, repeat: bool) -> Reason {
    if let Some(reason) = join_declined(draft, &attached, reason, repeat) {
        return reason;
    }
    let id = open_for(draft, attached, reason);
    draft.incident_event(&id, Event::Declined { reason, cause: None });
    reason
}

/// What leads to nothing is recorded once an episode: while the canary stays as it is, further alerts
/// join the incident that was declined for the same reason.
fn join_declined(
    draft: &mut Draft<'_>,
    attached: &AttachedAlert,
    reason: Reason,
    repeat: bool,
) -> Option<Reason> {
    let last = draft.state.incident.as_ref()?;
    let same = matches!(last.phase, Phase::Declined { reason: declined } if declined == reason);
    let goes_on = draft.state.declined.as_ref() == Some(&last.id)
        && last.revision() == draft.context.revision
        && draft.now() < last.opened_at + EPISODE;
    if !same || !goes_on {
        return None;
    }
    if repeat && last.carries(&attached.alert.fingerprint) {
        return Some(Reason::Duplicate);
    }
    let id = last.id.clone();
    Some(attach(draft, &id, attached.clone(), reason))
}

/// Whether the last incident already answered this alert.
fn already_answered(
    draft: &mut Draft<'_>,
    attached: &AttachedAlert,
    activity: Activity,
    repeat: bool,
) -> Option<Reason> {
    if let Some(reason) = join_declined(draft, attached, Reason::ShadowMode, repeat) {
        return Some(reason);
    }
    let last = draft.state.incident.as_ref()?;
    let same_alert = last.carries(&attached.alert.fingerprint);
    let began_at = began_at(draft, &attached.alert);
    let before_its_end = draft.state.answered_until.is_some_and(|until| began_at <= until);
    match (&last.phase, activity) {
        // Whether the canary was started again is not known: only a new episode counts as news.
        (Phase::RolledBack, Activity::Unknown) if repeat || before_its_end => {
            let id = last.id.clone();
            Some(attach(draft, &id, attached.clone(), Reason::AlreadyRolledBack))
        }
        // The person who closed it has seen this alert; only a new episode of it is news.
        (Phase::Closed { .. }, _) if repeat && same_alert => Some(Reason::Duplicate),
        _ => None,
    }
}

/// What an alert leads to while the canary has, or may have, traffic.
fn act(draft: &mut Draft<'_>, attached: AttachedAlert, suspicion: Option<GraceCause>) -> Reason {
    let alert = attached.alert.clone();
    let ends_at = deadline(draft, &alert, suspicion);
    let (cause, reason) = match (suspicion, alert.severity()) {
        (None, Severity::Critical) => {
            let cause = draft.caused_by_alert(Reason::CriticalAlert, &alert);
            let id = open_for(draft, attached, Reason::CriticalAlert);
            return draft.start_rollback(&id, cause);
        }
        (Some(GraceCause::OlderThanCanary), _) => (GraceCause::OlderThanCanary, Reason::OlderThanCanary),
        (Some(_), Severity::Critical) => (GraceCause::OlderThanResolve, Reason::OlderThanResolve),
        _ => (GraceCause::Warning, Reason::WarningAlert),
    };
    let id = open_for(draft, attached, reason);
    draft.incident_event(&id, Event::GraceStarted { cause, ends_at });
    let is_over = ends_at <= draft.now() && cause == GraceCause::Warning;
    let shadow = draft.context.policy.mode == Mode::Shadow;
    draft.notice(&id, NoticeFact::GraceOpened { alert: AlertFact::of(&alert), ends_at, is_over, shadow });
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

/// What an alert leads to while an incident is open.
pub(super) fn join(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    phase: &Phase,
    attached: AttachedAlert,
    suspicion: Option<GraceCause>,
) -> Reason {
    let critical = attached.alert.severity() == Severity::Critical && suspicion.is_none();
    match phase {
        Phase::Grace { .. } | Phase::Held(_) if critical => critical_joins(draft, id, attached),
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
        Phase::Failed { attempt, .. } => {
            let joined = attach(draft, id, attached, Reason::RollbackRunning);
            // A fresh critical waits neither for the next attempt's time nor for a person.
            if critical && joined == Reason::RollbackRunning {
                return draft.try_again(id, Reason::CriticalAlert, *attempt, None);
            }
            joined
        }
        Phase::Opened | Phase::RollingBack { .. } | Phase::Verifying { .. } => {
            attach(draft, id, attached, Reason::RollbackRunning)
        }
        // Closed incidents are not open; named so that a new phase has to be thought of here.
        Phase::RolledBack
        | Phase::Cancelled { .. }
        | Phase::Declined { .. }
        | Phase::Superseded { .. }
        | Phase::Closed { .. } => Reason::Duplicate,
    }
}

/// A critical ends the grace or hold of a warning: it is the cause, not the warning. Also one that
/// fired while nobody was there.
fn critical_joins(draft: &mut Draft<'_>, id: &IncidentId, attached: AttachedAlert) -> Reason {
    let reason = match attached.reason {
        Reason::MissedWhileDown => Reason::MissedWhileDown,
        _ => Reason::CriticalAlert,
    };
    if draft.activity() == Activity::Inactive {
        attach(draft, id, attached, Reason::NoCanary);
        return super::grace::cancel(draft, id, Reason::NoCanary);
    }
    let cause = draft.caused_by_alert(reason, &attached.alert);
    attach(draft, id, attached, reason);
    draft.start_rollback(id, cause)
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
    super::aftermath::resolved(draft, &alert.fingerprint, ends_at);
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
