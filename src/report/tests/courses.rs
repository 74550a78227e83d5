//! The courses of incidents that reports are compared by.

use super::stories::*;
use crate::incident::{
    ChannelName, CheckOutcome, Event, MessageOutcome, NoticeFact, NoticeId, Reason, Revision, Severity,
    StepOutcome, Verdict,
};

/// A critical that is acted upon, read back and verified; somebody takes note.
pub(super) fn critical(foreign: &Foreign) -> Story {
    let mut story = Story::of_alert(foreign, Severity::Critical, Some(25));
    story.begins(810);
    story.step(830, StepOutcome::Done, Some(0));
    story.verified(4_000, Verdict::Verified, CheckOutcome::Pass);
    story.recorded(4_200, None);
    story.acknowledged(126_000);
    story.resolved(180_000);
    let notice = story.notice(180_000, NoticeFact::AlertsEnded, &[SLACK, PAGERDUTY]);
    story.sent(180_500, SLACK, notice);
    story.sent(180_600, PAGERDUTY, notice);
    story
}

/// A warning that is held, and goes away before its grace ends.
pub(super) fn cancelled(foreign: &Foreign) -> Story {
    let mut story = Story::of_alert(foreign, Severity::Warning, Some(5));
    story.grace(800);
    let (actor, until) = (foreign.actor.clone(), at(1_860_000));
    let reason = Reason::HeldByPerson;
    story.tell(60_000, Event::Held { reason, actor: actor.clone(), until });
    let notice = story.notice(60_000, NoticeFact::GraceHeld { actor, reason, until }, &[SLACK]);
    story.sent(60_500, SLACK, notice);
    story.resolved(200_000);
    let reason = Reason::ResolvedConfirmed;
    story.tell(201_000, Event::Confirmed { reason, answers: vec!["http://am/: not listed".to_owned()] });
    story.tell(201_000, Event::Cancelled { reason });
    let notice = story.notice(201_000, NoticeFact::GraceCancelled { reason }, &[SLACK]);
    story.sent(201_500, SLACK, notice);
    story
}

/// A person's rollback whose flag API is down, with an unknown share, until the person closes it.
pub(super) fn failed(foreign: &Foreign) -> Story {
    let mut story = Story::of_person(foreign, None);
    story.begins(810);
    story.step(830, StepOutcome::Failed, None);
    let (reason, detail) = (Reason::StepFailed, foreign.answer.clone());
    story.tell(850, Event::Failed { reason, detail: detail.clone(), retry_at: None });
    let failed = NoticeFact::RollbackFailed { attempt: 1, reason, detail, retry_at: None };
    let notice = story.notice(850, failed, &[SLACK, PAGERDUTY]);
    story.call(900, SLACK, notice, MessageOutcome::GivenUp { error: foreign.error.clone() });
    let (error, retry_at) = (foreign.error.clone(), at(60_000));
    story.call(950, PAGERDUTY, notice, MessageOutcome::Failed { error: error.clone(), retry_at });
    let channel = ChannelName::new(SLACK);
    let notice = story.notice(
        951,
        NoticeFact::ChannelFailed { channel, error, is_tried: false, matters: true },
        &[PAGERDUTY],
    );
    let superseded =
        Event::MessagesSuperseded { channel: ChannelName::new(PAGERDUTY), notices: vec![NoticeId(notice)] };
    story.tell(200_000, superseded);
    let (actor, words) = (foreign.actor.clone(), foreign.words.clone());
    story.tell(240_000, Event::Closed { actor: actor.clone(), words: words.clone() });
    story.notice(240_000, NoticeFact::IncidentClosed { actor, words }, &[PAGERDUTY]);
    story.recorded(241_000, Some(&foreign.answer));
    story
}

/// A grace that ends because another revision is deployed.
pub(super) fn superseded(foreign: &Foreign) -> Story {
    let mut story = Story::of_alert(foreign, Severity::Warning, Some(50));
    story.grace(800);
    let by = Revision::new("v1.4.1");
    story.tell(90_000, Event::Superseded { by: by.clone() });
    let (instead_of, was) =
        (story.incident.revision().clone(), "waiting for the end of the grace".to_owned());
    let notice = story.notice(90_000, NoticeFact::IncidentSuperseded { by, instead_of, was }, &[SLACK]);
    story.sent(90_400, SLACK, notice);
    story
}
