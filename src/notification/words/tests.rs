use super::*;
use crate::incident::NoticeKind;
use crate::notification::fixtures::{longest_message, longest_place, message, place};

fn words(kind: NoticeKind) -> Words {
    Words::of(&message(kind), &place())
}

#[test]
fn whether_it_is_safe_is_answered_with_yes_no_or_not_known() {
    for kind in NoticeKind::ALL {
        let safe = words(*kind).safe.plain();
        let answers = ["Yes", "No", "Not known", "Not yet", "Mostly"];
        assert!(safe.is_empty() || answers.iter().any(|answer| safe.starts_with(answer)), "{kind}: {safe}");
    }
}

#[test]
fn a_sentence_begins_and_ends_as_one() {
    for kind in NoticeKind::ALL {
        let words = words(*kind);
        for line in [Some(&words.done), Some(&words.safe), words.next.as_ref()].into_iter().flatten() {
            let line = line.plain();
            assert!(
                line.is_empty() || line.ends_with('.') && line.starts_with(char::is_uppercase),
                "{kind}: {line}"
            );
        }
        let what = words.what.plain();
        assert!(!what.is_empty() && !what.ends_with('.') || what.contains(". "), "{kind}: {what}");
        let glance = words.glance();
        assert!(
            glance.ends_with('.') && !glance.contains("  ") && !glance.contains(".."),
            "{kind}: {glance}"
        );
    }
}

#[test]
fn what_a_hold_is_about_is_said_as_long_as_it_lasts() {
    for kind in [NoticeKind::GraceOpened, NoticeKind::GraceHeld, NoticeKind::GraceResumed] {
        let words = words(kind);
        assert!(
            words.what.plain().contains("CanaryErrorRateCritical: 5xx ratio 7.8 % (limit 0.03)"),
            "{kind}"
        );
        assert!(words.detail.is_some_and(|detail| detail.contains("last 5 minutes")), "{kind}");
    }
}

#[test]
fn nothing_that_somebody_chose_breaks_a_line() {
    for kind in NoticeKind::ALL {
        let words = Words::of(&longest_message(*kind), &longest_place());
        for text in [words.glance(), words.headline(), words.done.plain(), words.detail.unwrap_or_default()] {
            assert!(!text.contains(['\n', '\u{202e}']), "{kind}");
        }
    }
}

#[test]
fn that_the_alerts_have_ended_says_no_more_than_was_read() {
    use std::sync::Arc;

    use crate::incident::{Share, Verdict};
    let said = |share: Option<u8>, verdict: Verdict| {
        let mut message = message(NoticeKind::AlertsEnded);
        Arc::make_mut(&mut message.notice).share = share.map(Share);
        let Subject::Incident(incident) = &mut message.subject else { panic!("of an incident") };
        Arc::make_mut(incident).verification.as_mut().expect("verified").verdict = verdict;
        let words = Words::of(&message, &place());
        (words.mark, words.safe.plain(), words.done.plain())
    };
    let (mark, safe, done) = said(Some(0), Verdict::Verified);
    assert_eq!(
        (mark, safe.as_str(), done.as_str()),
        (Mark::Green, "Yes.", "The canary has 0 % of the traffic.")
    );
    let (mark, safe, _) = said(Some(0), Verdict::NotVerified);
    assert!(mark == Mark::Yellow && safe.starts_with("Not known."), "{safe}");
    let (_, safe, _) = said(Some(0), Verdict::Inconclusive);
    assert!(safe.starts_with("Yes, as far as could be read."), "{safe}");
    let (mark, safe, done) = said(Some(50), Verdict::Verified);
    assert!(mark == Mark::Yellow && safe.starts_with("Not known.") && done.contains("50 %"), "{safe} {done}");
    let (_, safe, done) = said(None, Verdict::Verified);
    assert!(safe.contains("can't be read") && !done.contains("0 %"), "{safe} {done}");
}

#[test]
fn a_lock_screen_shows_what_happened_what_was_done_and_whether_it_is_safe() {
    let glance = words(NoticeKind::RollbackEnded).glance();
    let places = ["It was for", "The canary has 0 %", "Safe now? Yes."].map(|part| glance.find(part));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{glance}");
}

#[test]
fn a_rollback_that_waits_says_where_the_traffic_is_meanwhile() {
    use std::sync::Arc;

    use crate::incident::{NoticeFact, Pause};
    let said = |waiting| {
        let mut message = message(NoticeKind::RollbackWaits);
        Arc::make_mut(&mut message.notice).fact = Some(NoticeFact::RollbackWaits { waiting });
        let words = Words::of(&message, &place());
        (words.what.plain(), words.done.plain(), words.safe.plain())
    };
    let (what, done, _) = said(Pause::NoReadyStable);
    assert!(what.contains("stays where it is") && done.contains("keeps its traffic"), "{what} {done}");
    let (what, done, safe) = said(Pause::NobodyServes);
    assert!(what.contains("users get errors") && !done.contains("traffic"), "{what} {done}");
    assert_eq!(safe, "No. Nobody is served.");
}
