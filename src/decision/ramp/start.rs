//! Whether a ramp may start.

use super::{RampRefusal, RampStart};
use crate::decision::draft::Activity;
use crate::decision::{Draft, Mode, Reading};
use crate::incident::{Alert, AlertStatus, Event, RampEvent, RampId, RampSaid, RampStarted, Severity, Share};
use crate::text::shown;

/// Starts it, or says why not; the first reason that counts.
pub(super) fn start(draft: &mut Draft<'_>, actor: &str, start: &RampStart) {
    if let Some(refusal) = refusal(draft, start) {
        draft.refuse(refusal.into());
        return;
    }
    let id = RampId::compose(draft.context.rollout, draft.now());
    let warnings = start.warnings.iter().chain(&start.to_be_confirmed).cloned().collect::<Vec<_>>();
    let started = RampStarted {
        plan: start.plan.clone(),
        plan_sha256: start.plan_sha256.clone(),
        actor: actor.to_owned(),
        through: start.through.clone(),
        again_because: start.again_because.clone(),
        warnings: warnings.clone(),
    };
    draft.rollout_event(Event::Ramp { ramp: id, happened: RampEvent::Started(started) });
    let shares = start.plan.stages.iter().map(|stage| stage.share).collect();
    draft.ramp_notice(RampSaid::Started { actor: actor.to_owned(), shares, warnings });
}

fn refusal(draft: &Draft<'_>, start: &RampStart) -> Option<RampRefusal> {
    let context = draft.context;
    if let Some(ramp) = draft.ramp() {
        return Some(RampRefusal::AlreadyRunning(ramp.id.clone()));
    }
    if let Some(last) = draft.state.ramp.as_ref().filter(|last| last.lacks_evidence()) {
        return Some(RampRefusal::EvidenceUnwritten(last.id.clone()));
    }
    if context.policy.mode != Mode::Armed {
        return Some(RampRefusal::NotArmed);
    }
    if let Some(open) = draft.state.open_incident() {
        return Some(RampRefusal::IncidentOpen(open.id.to_string()));
    }
    if let Some(refusal) = of_the_share(draft) {
        return Some(refusal);
    }
    let (wanted, seen) = (&start.plan.revision, context.revision);
    if wanted != seen {
        let (seen, wanted) = (seen.to_string(), wanted.to_string());
        return Some(RampRefusal::OtherRevision { seen, wanted });
    }
    let firing = firing(draft);
    if !firing.is_empty() {
        return Some(RampRefusal::AlertFires(firing));
    }
    if let Some(silent) = draft.watchdog_silent_seconds() {
        return Some(RampRefusal::WatchdogSilent(silent));
    }
    if let Some(frozen) = context.frozen {
        return Some(RampRefusal::Frozen(frozen.to_owned()));
    }
    if !start.unanswered.is_empty() {
        return Some(RampRefusal::Unanswered(start.unanswered.clone()));
    }
    if let Some(at) = draft.state.rolled_back.get(wanted).filter(|_| start.again_because.is_none()) {
        let (revision, at) = (wanted.to_string(), at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        return Some(RampRefusal::RolledBackBefore { revision, at });
    }
    if !start.to_be_confirmed.is_empty() && !start.is_confirmed {
        return Some(RampRefusal::NotConfirmed(start.to_be_confirmed.clone()));
    }
    None
}

fn of_the_share(draft: &Draft<'_>) -> Option<RampRefusal> {
    match (draft.activity(), draft.context.reading) {
        (Activity::Inactive, _) => None,
        (_, Reading::At { share: Some(share @ Share(1..)), .. }) => Some(RampRefusal::ShareNotZero(share)),
        // Whoever asks has read it a moment before.
        _ => Some(RampRefusal::ShareUnread),
    }
}

/// The names of the alerts of the rollout that fire, but for those that are to be ignored. What a severity means that
/// nobody knows may well be "critical": it acts on nothing, and a ramp does not begin over it.
fn firing(draft: &Draft<'_>) -> Vec<String> {
    let known = draft.state.alerts.values().map(|known| &known.alert);
    let is_meant = |alert: &&Alert| !alert.is_severity_known() || alert.severity() != Severity::Unknown;
    let firing = known.filter(|alert| alert.status == AlertStatus::Firing).filter(is_meant);
    let words = |alert: &Alert| {
        let name = shown(alert.name());
        match alert.labels.get("severity").filter(|_| !alert.is_severity_known()) {
            Some(severity) => format!("{name} (alertmanager.severity_map has no {:?})", shown(severity)),
            None => name,
        }
    };
    let mut names: Vec<_> = firing.map(words).collect();
    names.sort();
    names.dedup();
    names
}
