//! What a reading of the share leads to, and what a critical that nobody saw leads to.

use super::alerts::{fresh, join, open_for, suspicion};
use super::draft::{Activity, Draft};
use super::{Mode, Reading};
use crate::incident::{Alert, AlertStatus, AttachedAlert, Event, GraceCause, Phase, Reason, Severity, Share};

/// A critical fired while Backstop was down; `starts_at` is the last instant at which it fired.
pub(super) fn missed(draft: &mut Draft<'_>, alert: &Alert) -> Reason {
    let armed = draft.context.policy.mode != Mode::Off;
    if !armed {
        return Reason::ModeOff;
    }
    if alert.severity() != Severity::Critical {
        return Reason::SeverityNotActionable;
    }
    if draft.state.open_incident().is_some() {
        return Reason::RollbackRunning;
    }
    let run_started_at = draft.state.run.as_ref().and_then(|run| run.started_at);
    if run_started_at.is_some_and(|started| alert.starts_at <= started) {
        return Reason::OlderThanCanary;
    }
    if draft.state.answered_until.is_some_and(|until| alert.starts_at <= until) {
        return Reason::AlreadyRolledBack;
    }
    match draft.activity() {
        Activity::Inactive => Reason::NoCanary,
        Activity::ReadFirst => Reason::ShareUnread,
        Activity::Active | Activity::Unknown => {
            let attached = AttachedAlert {
                alert: alert.clone(),
                received_at: draft.now(),
                reason: Reason::MissedWhileDown,
                body: None,
            };
            let id = open_for(draft, attached, Reason::MissedWhileDown);
            draft.start_rollback(&id, Reason::MissedWhileDown)
        }
    }
}

/// The share was read.
pub(super) fn share_read(draft: &mut Draft<'_>) -> Option<Reason> {
    // Alerts may wait for a reading from a time when there was a place to read: they are decided
    // all the same, as with a share that can't be read.
    let (mut reason, mut began) = (None, false);
    if let Reading::At { share, .. } = draft.context.reading {
        began = share.is_some_and(|share| share > Share::ZERO) && draft.state.run.is_none();
        if share != draft.state.share || draft.state.share_at.is_none() {
            let stored_zero_at = draft.state.share_at.filter(|_| draft.state.share == Some(Share::ZERO));
            let changed_after = draft.context.last_zero_at.or(stored_zero_at);
            draft.rollout_event(Event::ShareRead { share, changed_after });
        }
        reason = undone(draft, share);
    }
    let waiting = std::mem::take(&mut draft.state.triage);
    if !waiting.is_empty() {
        draft.rollout_event(Event::TriageEnded);
    }
    for attached in waiting {
        // A warning that resolved while it waited needs no grace. A critical has fired: that is enough.
        let resolved = draft
            .state
            .alerts
            .get(&attached.alert.fingerprint)
            .is_some_and(|known| known.alert.status == AlertStatus::Resolved);
        if !(resolved && attached.alert.severity() == Severity::Warning) {
            let stale = attached.reason == Reason::OlderThanResolve;
            let suspicion = suspicion(draft, &attached.alert)
                .filter(|cause| stale || *cause != GraceCause::OlderThanResolve);
            reason = Some(again(draft, attached, suspicion));
        }
    }
    if began {
        let firing: Vec<_> = draft
            .state
            .alerts
            .values()
            .filter(|known| known.alert.status == AlertStatus::Firing)
            .cloned()
            .collect();
        for known in firing {
            let again = firing_again(draft, &known.alert);
            reason = reason.or(Some(again));
        }
    }
    reason
}

/// A canary that has traffic again while its rollback is being verified.
fn undone(draft: &mut Draft<'_>, share: Option<Share>) -> Option<Reason> {
    let share = share.filter(|share| *share > Share::ZERO)?;
    let open = draft.state.open_incident()?;
    let Phase::Verifying { .. } = open.phase else { return None };
    let id = open.id.clone();
    let detail = format!("the canary has {share} of the traffic again");
    Some(super::rollback::fail(draft, &id, Reason::TrafficReturned, detail))
}

fn again(draft: &mut Draft<'_>, attached: AttachedAlert, suspicion: Option<GraceCause>) -> Reason {
    match draft.state.open_incident().map(|open| (open.id.clone(), open.phase.clone())) {
        Some((id, phase)) => join(draft, &id, &phase, attached, suspicion),
        None => fresh(draft, attached, suspicion, false),
    }
}

fn firing_again(draft: &mut Draft<'_>, alert: &Alert) -> Reason {
    if draft.context.policy.mode == Mode::Off || alert.severity() == Severity::Unknown {
        return Reason::Duplicate;
    }
    let received_at = draft.now();
    let attached = AttachedAlert { alert: alert.clone(), received_at, reason: Reason::Duplicate, body: None };
    let suspicion = suspicion(draft, alert);
    again(draft, attached, suspicion)
}
