//! What is in a ramp's way, and what people are told of it.

use chrono::TimeDelta;

use crate::decision::{Draft, Mode, Reading};
use crate::incident::{
    Criterion, GateVerdict, HoldReason, Judgement, Question, Ramp, RampEvent, RampSaid, Share,
};
use crate::text::shown;

/// One thing that is in the way, with what is to be said of it.
pub(super) type InTheWay = (HoldReason, String);

/// What is in the way of every change, whatever the gates say.
pub(super) fn of_the_rollout(draft: &Draft<'_>, ramp: &Ramp) -> Vec<InTheWay> {
    let (context, mut found) = (draft.context, Vec::new());
    if let Some(paused) = &ramp.paused {
        found.push((HoldReason::Paused, format!("by {}", shown(&paused.actor))));
    }
    if let Some(open) = draft.state.open_incident() {
        found.push((HoldReason::IncidentOpen, open.id.to_string()));
    }
    if !ramp.plan.revision.may_be(context.revision) {
        let seen = shown(context.revision.as_str());
        found.push((HoldReason::RevisionChanged, format!("{seen} is there now")));
    }
    if context.policy.mode != Mode::Armed {
        found.push((HoldReason::NotArmed, String::new()));
    }
    if let Some(silent) = draft.watchdog_silent_seconds() {
        found.push((HoldReason::WatchdogSilent, format!("for {silent} s")));
    }
    if let Some(frozen) = context.frozen {
        found.push((HoldReason::Frozen, frozen.to_owned()));
    }
    found
}

/// What the latest reading of the share says of a stage whose share was set; `None`: as it was set.
pub(super) fn of_the_share(draft: &Draft<'_>, ramp: &Ramp) -> Option<InTheWay> {
    let Reading::At { at, share } = draft.context.reading else {
        return Some((HoldReason::ShareUnread, "it was not read yet".to_owned()));
    };
    if ramp.stage_began_at().is_some_and(|began_at| at <= began_at) {
        // What was asked for before the share was set says nothing of it.
        return None;
    }
    match share {
        Some(share) if share == ramp.share() => {
            let is_old = at + draft.context.policy.reading_valid < draft.now();
            is_old.then(|| (HoldReason::ShareUnread, "it was read too long ago".to_owned()))
        }
        Some(share) => Some((HoldReason::ShareChanged, changed_to(draft, ramp, share))),
        None => Some((HoldReason::ShareUnread, String::new())),
    }
}

/// Who else changed it is said where it can be known.
pub(super) fn changed_to(draft: &Draft<'_>, ramp: &Ramp, share: Share) -> String {
    let by = draft.context.observed.map(|(_, observed)| observed.changed_by_others()).unwrap_or_default();
    format!("it is {share}, and {} was set{by}", ramp.share())
}

/// The criteria of the ramp's stage that don't pass and that nobody has overruled, each with its verdict and why.
pub(super) fn not_passing<'a>(
    ramp: &'a Ramp,
    judgements: &'a [Judgement],
) -> impl Iterator<Item = (&'a Criterion, GateVerdict, &'static str)> {
    let promotion = ramp.record().and_then(|record| record.promotion.as_ref());
    let criteria = ramp.criteria_of(ramp.stage).iter();
    let asked = criteria.filter(|criterion| criterion.question != Question::Approval);
    let judged = asked.map(|criterion| {
        let judgement = judgements.iter().find(|judgement| judgement.criterion == criterion.name);
        judgement.map_or((criterion, GateVerdict::Unknown, "it has not been asked yet."), |judgement| {
            (criterion, judgement.verdict, judgement.reason.meaning())
        })
    });
    judged.filter(move |(criterion, verdict, _)| {
        let is_overruled =
            promotion.is_some_and(|promotion| promotion.overrules_criterion(&criterion.name, *verdict));
        *verdict != GateVerdict::Pass && !is_overruled
    })
}

/// What the gates say: failing first, then what can't be judged, then what needs a person.
pub(super) fn of_the_gates(ramp: &Ramp, judgements: &[Judgement]) -> Vec<InTheWay> {
    let mut found = Vec::new();
    for (reason, of) in [
        (HoldReason::CriterionFails, GateVerdict::Fail),
        (HoldReason::CriterionUnknown, GateVerdict::Unknown),
    ] {
        let said = not_passing(ramp, judgements).filter(|(_, verdict, _)| *verdict == of);
        let said: Vec<_> =
            said.map(|(criterion, _, why)| format!("{}: {why}", shown(&criterion.title))).collect();
        if !said.is_empty() {
            found.push((reason, said.join(" ")));
        }
    }
    let Some(stage) = ramp.stage_plan() else { return found };
    if stage.needs_a_person() && ramp.record().is_none_or(|record| record.approval.is_none()) {
        found.push((HoldReason::ApprovalMissing, String::new()));
    }
    found
}

/// Whether people are told at once, although the stage would not be left yet anyway: somebody has to do
/// something about these. The others may well be gone when the stage has lasted its time.
pub(super) fn counts_at_once(reason: HoldReason) -> bool {
    match reason {
        HoldReason::Paused
        | HoldReason::CriterionFails
        | HoldReason::ShareChanged
        | HoldReason::RevisionChanged
        | HoldReason::StepFailed
        | HoldReason::NotArmed
        | HoldReason::EvidenceUnwritten => true,
        HoldReason::CriterionUnknown
        | HoldReason::ApprovalMissing
        | HoldReason::IncidentOpen
        | HoldReason::WatchdogSilent
        | HoldReason::ShareUnread
        | HoldReason::CanaryNotReady
        | HoldReason::Frozen => false,
    }
}

/// Records what is in the way, where it is not what is known already, and tells people.
pub(super) fn hold(draft: &mut Draft<'_>, ramp: &Ramp, in_the_way: Vec<InTheWay>) {
    let (reasons, details): (Vec<_>, Vec<_>) = in_the_way.into_iter().unzip();
    let details: Vec<_> = details.into_iter().filter(|detail| !detail.is_empty()).collect();
    let detail = crate::text::kept(&details.join("; "));
    let known = ramp.phase.holds_for();
    // What a person did, or is asked for, is seen at once, whatever else it holds for: these don't come and go
    // by themselves. So is what somebody has to do something about, as it comes.
    let of_people = [HoldReason::Paused, HoldReason::ApprovalMissing];
    let is_new = |reason: &HoldReason| reasons.contains(reason) != known.contains(reason);
    let is_urgent = |reason: &HoldReason| counts_at_once(*reason) && !known.contains(reason);
    let at_once = !known.is_empty() && (of_people.iter().any(is_new) || reasons.iter().any(is_urgent));
    // Which criteria they are is said as it changes; other details change with every look.
    let is_of_criteria = reasons.iter().any(|reason| reason.is_of_criteria());
    let is_other = ramp.holding.as_ref().is_none_or(|holding| holding.detail != detail);
    if known != reasons || (is_of_criteria && is_other) {
        draft.ramp_event(
            &ramp.id,
            RampEvent::HoldStarted { reasons: reasons.clone(), detail: detail.clone() },
        );
    }
    tell(draft, reasons, detail, at_once);
}

/// At once, then now and again, and once that it takes too long.
fn tell(draft: &mut Draft<'_>, reasons: Vec<HoldReason>, detail: String, at_once: bool) {
    let now = draft.now();
    let Some((plan, holding)) = draft.ramp().and_then(|ramp| Some((&ramp.plan, ramp.holding.as_ref()?)))
    else {
        return;
    };
    let (since, told_at) = (holding.since, holding.told_at);
    let after = |seconds: u32| TimeDelta::seconds(i64::from(seconds));
    let is_overdue = !holding.is_overdue_reported && since + after(plan.max_hold_seconds) <= now;
    let is_due = at_once || told_at.is_none_or(|told_at| told_at + after(plan.remind_every_seconds) <= now);
    if is_overdue {
        draft.ramp_notice(RampSaid::HoldsTooLong { reasons, detail, since });
    } else if is_due {
        draft.ramp_notice(RampSaid::Holds { reasons, detail, since });
    }
}

/// Records that nothing is in the way any more.
pub(super) fn go_on(draft: &mut Draft<'_>, ramp: &Ramp) {
    let Some(holding) = &ramp.holding else { return };
    draft.ramp_event(&ramp.id, RampEvent::HoldEnded);
    if holding.told_at.is_some() {
        draft.ramp_notice(RampSaid::GoesOn);
    }
}
