//! What people ask of a ramp.

use super::holds::InTheWay;
use super::review::in_the_way;
use super::{RampRefusal, RampRequest};
use crate::decision::Draft;
use crate::decision::draft::Activity;
use crate::decision::grace::roll_back;
use crate::incident::{Judgement, Promotion, Ramp, RampEvent, RampSaid, Reason, Share};

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
        RampRequest::Approve { through } => match ramp.record() {
            Some(record) if record.approval.is_some() => Err(wrong("its stage is approved already")),
            Some(record) if record.began_at.is_none() => Err(wrong("its stage has not begun yet")),
            _ => Ok(RampEvent::Approved { stage: ramp.stage, actor, through: through.clone() }),
        },
        RampRequest::Promote { is_full, is_forced, words } => promotion(
            draft,
            &ramp,
            Promotion { actor, is_full: *is_full, words: words.clone(), in_spite_of: Vec::new() },
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
    let known: Vec<Judgement> =
        ramp.record().map(|record| record.judgements.values().cloned().collect()).unwrap_or_default();
    // As if its time were over: only then all that is in the way counts.
    let promoted = ramp.clone().promoted(promotion.clone());
    let in_the_way = in_the_way(draft, &promoted, &known);
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
    Ok(RampEvent::Promoted(Promotion { in_spite_of, ..promotion }))
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
