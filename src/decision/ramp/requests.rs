//! What people ask of a ramp.

use super::holds::{InTheWay, not_passing};
use super::review::{has_lasted, in_the_way};
use super::{RampRefusal, RampRequest};
use crate::decision::Draft;
use crate::decision::draft::Activity;
use crate::decision::grace::roll_back;
use crate::incident::{HoldReason, Promotion, Ramp, RampEvent, RampSaid, Reason, Share};

pub(in crate::decision) fn asked(
    draft: &mut Draft<'_>,
    actor: &str,
    request: &RampRequest,
) -> Option<Reason> {
    if let RampRequest::Start(start) = request {
        super::start::start(draft, actor, start);
        return None;
    }
    let Some(ramp) = draft.ramp_now() else {
        draft.refuse(RampRefusal::NotRunning.into());
        return None;
    };
    let actor = actor.to_owned();
    let event = match request {
        RampRequest::Start(_) => return None,
        RampRequest::Abort { words } => return abort(draft, &ramp, actor, words),
        RampRequest::Pause { words } => match (ramp.is_finishing(), &ramp.paused) {
            (true, _) => Err(wrong("its last stage has passed: there is nothing to pause")),
            (false, Some(_)) => Err(wrong("it is paused already")),
            (false, None) => Ok(RampEvent::Paused { actor, words: words.clone() }),
        },
        RampRequest::Resume if ramp.paused.is_none() => Err(wrong("it is not paused")),
        RampRequest::Resume => Ok(RampEvent::Resumed { actor }),
        RampRequest::Approve { through } => approval(draft, &ramp, actor, through),
        RampRequest::Promote { is_full, is_forced, words } => promotion(
            draft,
            &ramp,
            Promotion { actor, is_full: *is_full, words: words.clone(), ..Promotion::default() },
            *is_forced,
        ),
    };
    match event {
        Ok(event) => draft.ramp_event(&ramp.id, event),
        Err(refusal) => draft.refuse(refusal.into()),
    }
    None
}

fn wrong(what: &str) -> RampRefusal {
    RampRefusal::WrongState(format!("that can't be done to the ramp: {what}"))
}

/// The last word on a stage: whoever gives it has seen all that the stage has shown.
fn approval(draft: &Draft<'_>, ramp: &Ramp, actor: String, through: &str) -> Result<RampEvent, RampRefusal> {
    let Some(record) = ramp.record().filter(|record| record.began_at.is_some()) else {
        return Err(wrong("its stage has not begun yet"));
    };
    if record.approval.is_some() {
        return Err(wrong("its stage is approved already"));
    }
    let stage = ramp.stage + 1;
    if !has_lasted(draft, ramp) {
        let left = ramp.stage_ends_at().map_or(0, |ends_at| (ends_at - draft.now()).num_seconds().max(0));
        let why = match &ramp.paused {
            Some(_) => "It is paused.".to_owned(),
            None => format!("It lasts for {left} s still."),
        };
        return Err(RampRefusal::ApprovedTooEarly { stage, why });
    }
    let mut in_the_way = in_the_way(draft, ramp, &ramp.judgements());
    in_the_way.retain(|(reason, _)| *reason != HoldReason::ApprovalMissing);
    if !in_the_way.is_empty() {
        return Err(RampRefusal::ApprovedTooEarly { stage, why: in_words(&in_the_way) });
    }
    Ok(RampEvent::Approved { stage: ramp.stage, actor, through: through.to_owned() })
}

/// "Enough waiting". It takes nothing but the time away: the gates are judged once more before the stage is
/// left, and what a person overrules is named.
fn promotion(
    draft: &Draft<'_>,
    ramp: &Ramp,
    promotion: Promotion,
    is_forced: bool,
) -> Result<RampEvent, RampRefusal> {
    if ramp.stage_began_at().is_none() {
        return Err(wrong("its stage has not begun yet"));
    }
    if ramp.is_finishing() || (ramp.is_in_last_stage() && promotion.is_full) {
        return Err(wrong("it is in its last stage"));
    }
    let stage = ramp.stage + 1;
    if ramp.is_in_last_stage() && !is_forced {
        return Err(RampRefusal::LastStageIsWatched { stage });
    }
    let known = ramp.judgements();
    // As if its time were over: only then all that is in the way counts.
    let promoted = ramp.clone().promoted(promotion.clone());
    let mut in_the_way = in_the_way(draft, &promoted, &known);
    if !is_forced {
        // It comes last: the stage waits for it then.
        in_the_way.retain(|(reason, _)| *reason != HoldReason::ApprovalMissing);
    }
    let (overruled, left): (Vec<_>, Vec<_>) =
        in_the_way.into_iter().partition(|(reason, _)| reason.may_be_forced());
    if !left.is_empty() {
        return Err(RampRefusal::CantBeForced { stage, why: in_words(&left) });
    }
    if !overruled.is_empty() && !is_forced {
        return Err(RampRefusal::GatesDontPass { stage, why: in_words(&overruled) });
    }
    if is_forced && promotion.words.as_ref().is_none_or(|words| words.trim().is_empty()) {
        return Err(RampRefusal::NeedsReason);
    }
    let in_spite_of = overruled.into_iter().map(|(reason, _)| reason).collect();
    let in_spite_of_criteria = not_passing(&promoted, &known)
        .map(|(criterion, verdict, _)| (criterion.name.clone(), verdict))
        .collect();
    Ok(RampEvent::Promoted(Promotion { in_spite_of, in_spite_of_criteria, ..promotion }))
}

fn in_words(in_the_way: &[InTheWay]) -> String {
    let said = in_the_way.iter().map(|(reason, detail)| {
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        format!("{}{detail}", reason.meaning())
    });
    said.collect::<Vec<_>>().join(" ")
}

/// Wins in every state. It is a rollback with its evidence wherever the canary has, or may have, traffic.
fn abort(draft: &mut Draft<'_>, ramp: &Ramp, actor: String, words: &str) -> Option<Reason> {
    // Once a change was sent, a reading of 0 % does not say that none lands any more.
    let was_sent = ramp.step.is_some() || ramp.last_step_ended_at.is_some();
    let may_have_traffic = was_sent || draft.share_read().0 != Some(Share::ZERO);
    let reason = may_have_traffic.then(|| roll_back(draft, &actor, (words, None), Activity::Unknown));
    let incident = draft.about.clone();
    let how = format!("{actor} aborted it: {words}");
    let words = words.to_owned();
    draft.ramp_event(&ramp.id, RampEvent::Aborted { actor, words, incident });
    draft.ramp_notice(RampSaid::Ended { how });
    reason
}
