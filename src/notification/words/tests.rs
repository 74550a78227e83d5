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
