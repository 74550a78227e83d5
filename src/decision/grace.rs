//! The end of a grace, and what people may do with one.

use chrono::{DateTime, TimeDelta, Utc};

use super::draft::{Activity, Draft, Opening};
use super::{Confirmation, OnUnverified, Refusal, Request};
use crate::incident::{
    AlertStatus, Event, Fingerprint, IncidentId, NoticeFact, Phase, Reason, Severity, Stage,
};

/// How long a silenced alert is left before it is asked about again.
const SILENCE_RECHECK: TimeDelta = TimeDelta::minutes(5);

/// Who holds when Backstop itself does.
const BACKSTOP: &str = "backstop";

/// Alertmanager and Prometheus were asked about an incident's alerts: at the end of its grace or hold,
/// or early because they all resolved by message.
pub(super) fn confirmed(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    asked: &[(Fingerprint, DateTime<Utc>)],
    (answer, answers): (Confirmation, &[String]),
) -> Option<Reason> {
    let open = draft.open(id)?;
    // An alert that joined while the question was under way is not answered: the state asks again.
    let joined = open.alerts.iter().map(|attached| &attached.alert).any(|alert| {
        alert.status == AlertStatus::Firing
            && !asked
                .iter()
                .any(|(known, starts_at)| *known == alert.fingerprint && *starts_at == alert.starts_at)
    });
    if joined && answer != Confirmation::StillFiring {
        return None;
    }
    let due = match &open.phase {
        Phase::Grace { .. } => open.grace_ends_at.is_none_or(|ends_at| draft.context.now >= ends_at),
        Phase::Held(hold) => draft.context.now >= hold.until,
        _ => return None,
    };
    let held = matches!(open.phase, Phase::Held(_));
    let all_resolved = !open.has_firing_alert();
    // Early, only a trusted "gone" ends the grace; at its end every answer leads somewhere.
    let ends_early = answer == Confirmation::Gone || (answer == Confirmation::NobodyToAsk && all_resolved);
    if !due && !ends_early {
        let reason = Reason::ResolveNotTrusted;
        draft.incident_event(id, Event::Confirmed { reason, answers: answers.to_vec() });
        return Some(reason);
    }
    let still_silenced = held && due && answer == Confirmation::Silenced;
    if still_silenced {
        // Nothing is new but the time: a silence of a week must not fill the store.
        return Some(extend_hold(draft, id));
    }
    if due && held {
        let resumed = Event::Resumed { reason: Reason::HoldExpired, actor: BACKSTOP.to_owned() };
        draft.incident_event(id, resumed);
    }
    let reason = match answer {
        Confirmation::StillFiring => Reason::StillFiring,
        Confirmation::Silenced => Reason::HeldBySilence,
        Confirmation::Gone => Reason::ResolvedConfirmed,
        Confirmation::NobodyToAsk if all_resolved => Reason::ResolvedUnconfirmed,
        Confirmation::NobodyToAsk => Reason::NobodyToAsk,
        Confirmation::NoAnswer => match draft.context.policy.on_unverified {
            OnUnverified::RollBack => Reason::Unverified,
            OnUnverified::Hold => Reason::HeldUnverified,
        },
    };
    draft.incident_event(id, Event::Confirmed { reason, answers: answers.to_vec() });
    Some(settle(draft, id, reason))
}

fn settle(draft: &mut Draft<'_>, id: &IncidentId, reason: Reason) -> Reason {
    match reason {
        Reason::ResolvedConfirmed | Reason::ResolvedUnconfirmed => cancel(draft, id, reason),
        Reason::HeldBySilence => hold(draft, id, reason, SILENCE_RECHECK),
        Reason::HeldUnverified => hold(draft, id, reason, draft.context.policy.hold),
        // Somebody may have set the canary to 0 % by hand meanwhile.
        _ if draft.activity() == Activity::Inactive => cancel(draft, id, Reason::NoCanary),
        _ => match draft.caused_by_incident(id, reason) {
            Some(cause) => draft.start_rollback(id, cause),
            // A grace has at least the alert that opened it; without any there is no cause to act for.
            None => cancel(draft, id, Reason::ResolvedUnconfirmed),
        },
    }
}

pub(super) fn cancel(draft: &mut Draft<'_>, id: &IncidentId, reason: Reason) -> Reason {
    draft.incident_event(id, Event::Cancelled { reason });
    draft.notice(id, NoticeFact::GraceCancelled { reason });
    reason
}

fn extend_hold(draft: &mut Draft<'_>, id: &IncidentId) -> Reason {
    let reason = Reason::HeldBySilence;
    let until = draft.now() + SILENCE_RECHECK;
    draft.incident_event(id, Event::Held { reason, actor: BACKSTOP.to_owned(), until });
    reason
}

fn hold(draft: &mut Draft<'_>, id: &IncidentId, reason: Reason, span: TimeDelta) -> Reason {
    let until = draft.now() + span;
    draft.incident_event(id, Event::Held { reason, actor: BACKSTOP.to_owned(), until });
    draft.notice(id, NoticeFact::GraceHeld { actor: BACKSTOP.to_owned(), reason, until });
    reason
}

/// Returns `None` and drafts a refusal where the state does not allow the request.
pub(super) fn person(draft: &mut Draft<'_>, actor: &str, request: &Request) -> Option<Reason> {
    match request {
        Request::RollBack { reason, stage } => {
            let activity = draft.activity();
            Some(roll_back(draft, actor, (reason, *stage), activity))
        }
        Request::RollBackIncident { incident, reason } => {
            let phase = phase_of(draft, incident)?;
            if !matches!(phase, Phase::Grace { .. } | Phase::Held(_) | Phase::Failed { .. }) {
                return wrong_state(draft, incident, &phase, "its rollback is under way already");
            }
            let activity = draft.activity();
            Some(roll_back(draft, actor, (reason, None), activity))
        }
        Request::Hold { incident, until } => {
            let until = until.unwrap_or(draft.context.now + draft.context.policy.hold);
            let phase = phase_of(draft, incident)?;
            // Who holds wants no rollback yet: a hold that is shorter than the grace must not bring one forward.
            let grace_ends_at = draft.open(incident).and_then(|open| open.grace_ends_at);
            let until = grace_ends_at.map_or(until, |ends_at| until.max(ends_at));
            if !matches!(phase, Phase::Grace { .. } | Phase::Held(_)) {
                return wrong_state(draft, incident, &phase, "only a grace can be held");
            }
            let reason = Reason::HeldByPerson;
            draft.incident_event(incident, Event::Held { reason, actor: actor.to_owned(), until });
            draft.notice(incident, NoticeFact::GraceHeld { actor: actor.to_owned(), reason, until });
            Some(reason)
        }
        Request::Resume { incident } => {
            let phase = phase_of(draft, incident)?;
            if !matches!(phase, Phase::Held(_)) {
                return wrong_state(draft, incident, &phase, "only a hold can be resumed");
            }
            let reason = Reason::ResumedByPerson;
            draft.incident_event(incident, Event::Resumed { reason, actor: actor.to_owned() });
            let ends_at = draft.open(incident).and_then(|open| open.grace_ends_at);
            draft.notice(incident, NoticeFact::GraceResumed { actor: actor.to_owned(), ends_at });
            Some(reason)
        }
        Request::Acknowledge { incident } => {
            // Also one that has closed: it may have paged, and whoever is paged says that they saw it.
            let Some(known) = draft.state.known_incident(incident) else {
                draft.refuse(Refusal::NotOpen(incident.clone()));
                return None;
            };
            if let Some(by) = &known.acknowledged_by {
                let refusal = Refusal::already_acknowledged(by, actor);
                draft.refuse(refusal);
                return None;
            }
            draft.incident_event(incident, Event::Acknowledged { actor: actor.to_owned() });
            super::escalation::put_off(draft, incident);
            draft.notice(incident, NoticeFact::Acknowledged { actor: actor.to_owned() });
            Some(Reason::Acknowledged)
        }
        Request::Ramp(request) => super::ramp::asked(draft, actor, request),
        Request::Close { incident, words } => close(draft, actor, incident, words),
    }
}

/// A person ends an incident. A rollback that runs is not interrupted, not even so: it would leave
/// nobody knowing where the traffic is.
fn close(draft: &mut Draft<'_>, actor: &str, id: &IncidentId, words: &str) -> Option<Reason> {
    let phase = phase_of(draft, id)?;
    if !matches!(phase, Phase::Grace { .. } | Phase::Held(_) | Phase::Failed { .. }) {
        return wrong_state(
            draft,
            id,
            &phase,
            "a rollback that runs is never interrupted: wait until it has ended",
        );
    }
    draft.incident_event(id, Event::Closed { actor: actor.to_owned(), words: words.to_owned() });
    draft.notice(id, NoticeFact::IncidentClosed { actor: actor.to_owned(), words: words.to_owned() });
    Some(Reason::ClosedByPerson)
}

fn phase_of(draft: &mut Draft<'_>, id: &IncidentId) -> Option<Phase> {
    let phase = draft.open(id).map(|open| open.phase.clone());
    if phase.is_none() {
        draft.refuse(Refusal::NotOpen(id.clone()));
    }
    phase
}

fn wrong_state(
    draft: &mut Draft<'_>,
    id: &IncidentId,
    phase: &Phase,
    wanted: &'static str,
) -> Option<Reason> {
    draft.refuse(Refusal::WrongState { incident: id.clone(), state: phase.sentence(), wanted });
    None
}

/// Who does something about an incident has taken note of it, unless somebody has before.
fn takes_note(draft: &mut Draft<'_>, id: &IncidentId, actor: &str) {
    if draft.open(id).is_some_and(|open| open.acknowledged_by.is_none()) {
        draft.incident_event(id, Event::Acknowledged { actor: actor.to_owned() });
    }
}

/// A person orders a rollback. It is carried out in every mode: the mode limits what Backstop
/// decides, not what a person does. In any state the person's words become the cause, or a further one.
/// `activity`: the canary's, as far as the caller knows; with none there is nothing to roll back.
pub(super) fn roll_back(
    draft: &mut Draft<'_>,
    actor: &str,
    (words, stage): (&str, Option<Stage>),
    activity: Activity,
) -> Reason {
    let cause = draft.caused_by_person(actor, words, stage);
    if let Some((id, phase)) = draft.state.open_incident().map(|open| (open.id.clone(), open.phase.clone())) {
        draft.about = Some(id.clone());
        return match phase {
            Phase::Grace { .. } | Phase::Held(_) => {
                takes_note(draft, &id, actor);
                draft.start_rollback(&id, cause)
            }
            Phase::Failed { attempt, .. } => {
                takes_note(draft, &id, actor);
                draft.try_again(&id, Reason::Manual, attempt, Some(cause))
            }
            Phase::Opened | Phase::RollingBack { .. } | Phase::Verifying { .. } => {
                draft.incident_event(&id, Event::CauseAdded(cause));
                Reason::RollbackRunning
            }
            // Closed incidents are not open; named so that a new phase has to be thought of here.
            Phase::RolledBack
            | Phase::Cancelled { .. }
            | Phase::Declined { .. }
            | Phase::Superseded { .. }
            | Phase::Closed { .. } => Reason::AlreadyAnswered,
        };
    }
    let id = draft.open_incident(Opening {
        severity: Severity::Critical,
        reason: Reason::Manual,
        cause: words.to_owned(),
        trigger: cause.trigger.clone(),
        stage,
        alert: None,
    });
    if activity == Activity::Inactive {
        draft.incident_event(&id, Event::Declined { reason: Reason::NoCanary, cause: None });
        return Reason::NoCanary;
    }
    // Whoever orders it has acknowledged it, as in a grace.
    takes_note(draft, &id, actor);
    draft.start_rollback(&id, cause)
}
