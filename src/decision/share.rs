//! What a reading of the share leads to, and what a critical that nobody saw leads to.

use chrono::{DateTime, Utc};

use super::alerts::{fresh, join, open_for, suspicion};
use super::draft::{Activity, Draft};
use super::plan::{Next, Standing, next_step};
use super::{Mode, Reading};
use crate::incident::{
    Alert, AlertStatus, AttachedAlert, Event, GraceCause, Incident, Observation, Phase, Reason, Severity,
    Share,
};

/// A critical fired while Backstop was down; `starts_at` is the last instant at which it fired.
pub(super) fn missed(draft: &mut Draft<'_>, alert: &Alert) -> Reason {
    let armed = draft.context.policy.mode != Mode::Off;
    if !armed {
        return Reason::ModeOff;
    }
    if alert.severity() != Severity::Critical {
        return Reason::SeverityNotActionable;
    }
    let run_started_at = draft.state.run.as_ref().and_then(|run| run.started_at);
    if run_started_at.is_some_and(|started| alert.starts_at <= started) {
        return Reason::OlderThanCanary;
    }
    if draft.state.answered_until.is_some_and(|until| alert.starts_at <= until) {
        return Reason::AlreadyAnswered;
    }
    let attached = AttachedAlert {
        alert: alert.clone(),
        received_at: draft.now(),
        reason: Reason::MissedWhileDown,
        body: None,
    };
    if let Some((id, phase)) = draft.state.open_incident().map(|open| (open.id.clone(), open.phase.clone())) {
        return join(draft, &id, &phase, attached, None);
    }
    match draft.activity() {
        Activity::Inactive => Reason::NoCanary,
        Activity::ReadFirst => Reason::ShareUnread,
        Activity::Active | Activity::Unknown => {
            let cause = draft.caused_by_alert(Reason::MissedWhileDown, alert);
            let id = open_for(draft, attached, Reason::MissedWhileDown);
            draft.start_rollback(&id, cause)
        }
    }
}

pub(super) fn share_read(draft: &mut Draft<'_>) -> Option<Reason> {
    let (mut reason, mut began) = (None, false);
    if let Reading::At { at, share } = draft.context.reading {
        began = record_share(draft, share);
        reason = undone(draft, at, share);
    }
    // Alerts may wait for a reading from a time when there was a place to read: they are decided
    // all the same, as with a share that can't be read.
    let waiting = draft.state.triage.by_urgency();
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
            let decided = again(draft, attached.as_ref().clone(), suspicion);
            // The most urgent comes first: what became of it is what became of the reading.
            reason = reason.or(Some(decided));
        }
    }
    if began {
        let mut firing: Vec<_> = draft
            .state
            .alerts
            .values()
            .filter(|known| known.alert.status == AlertStatus::Firing)
            .cloned()
            .collect();
        firing.sort_by_key(|known| std::cmp::Reverse(known.alert.severity()));
        for known in firing {
            let again = firing_again(draft, &known.alert);
            reason = reason.or(Some(again));
        }
    }
    reason
}

/// Records a reading that says something new, and whether a canary's run begins with it.
fn record_share(draft: &mut Draft<'_>, share: Option<Share>) -> bool {
    let revision = draft.context.revision.clone();
    let run = draft.state.run.as_ref();
    let another = run.is_some_and(|run| !run.is_of(Some(&revision)));
    let began = share.is_some_and(|share| share > Share::ZERO) && (run.is_none() || another);
    if share != draft.state.share || draft.state.share_at.is_none() || (another && began) {
        let stored_zero_at = draft.state.share_at.filter(|_| draft.state.share == Some(Share::ZERO));
        // Another revision took the traffic over while nobody looked: whatever fired until now may be
        // about the one before.
        let taken_over_at = another.then(|| draft.now());
        let changed_after = taken_over_at.or(draft.context.last_zero_at).or(stored_zero_at);
        draft.rollout_event(Event::ShareRead { share, changed_after, revision: Some(revision) });
    }
    began
}

/// A canary that has traffic again while its rollback is being verified.
/// A reading that was asked for before the traffic was set to 0 % says nothing of what came after.
fn undone(draft: &mut Draft<'_>, asked_at: DateTime<Utc>, share: Option<Share>) -> Option<Reason> {
    let open = draft.state.open_incident()?;
    let Phase::Verifying { since, .. } = open.phase else { return None };
    if asked_at < since {
        return None;
    }
    let id = open.id.clone();
    let returned = share.filter(|share| *share > Share::ZERO);
    let returned = returned.map(|share| format!("the canary has {share} of the traffic again"));
    let changed = changed_back(open, since, draft.context);
    let (reason, detail) = match (returned, changed) {
        (Some(what), _) => (Reason::TrafficReturned, what),
        (None, Some(what)) => (Reason::Undone, what),
        (None, None) => return None,
    };
    let detail = format!("{detail}{}", by_whom(draft.context));
    Some(super::rollback::fail(draft, &id, reason, detail))
}

/// Who has likely undone something, to follow what that is: who changed the objects last, and what was warned of.
pub(super) fn by_whom(context: &super::Context<'_>) -> String {
    let seen = context.observed.map(|(_, observed)| observed);
    let who = seen.map(Observation::changed_by_others).unwrap_or_default();
    let warned: String =
        seen.iter().flat_map(|seen| &seen.warnings).map(|text| format!(". {text}")).collect();
    format!("{who}{warned}")
}

/// What of the plan is no longer so, in words; `None`: all is as it was set, or nobody can say.
fn changed_back(open: &Incident, since: DateTime<Utc>, context: &super::Context<'_>) -> Option<String> {
    let (plan, progress, observed) = (&open.plan, open.progress, context.observed);
    // Whether it is set again is for the failure to say.
    let standing = Standing { plan, since, progress, observed, may_raise: true };
    // Of a target that says no more than the share, the share says it all.
    let (_, observed) = context.observed.filter(|(_, observed)| observed.workloads.is_some())?;
    match next_step(standing, context.now) {
        Next::Do(step) => Some(format!(
            "somebody undid what was set ({}); it is to {} again",
            observed.words(),
            step.words()
        )),
        Next::Look | Next::Wait { .. } | Next::Stuck(_) | Next::Undone(_) | Next::Done => None,
    }
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
