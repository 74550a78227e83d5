use std::collections::BTreeMap;

use super::*;
use crate::incident::{CommandCheck, CriterionName, GateReason, GateVerdict, HttpCheck, LogCheck, OnFail};
use crate::ramp::{CommandAnswer, HttpAnswer, LogAnswer, judge_answer};

const JUDGE_INTERVAL: Duration = Duration::from_secs(15);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000 + seconds)
}

fn criterion(question: Question) -> Criterion {
    let name = CriterionName::new("c");
    Criterion { name, title: "C".to_owned(), on_fail: OnFail::Hold, is_advisory: false, question }
}

/// It may take five minutes.
fn program(every_seconds: u32) -> Criterion {
    criterion(Question::Command(CommandCheck {
        argv: vec!["true".to_owned()],
        directory: None,
        environment: Vec::new(),
        variables: BTreeMap::new(),
        timeout_seconds: 300,
        every_seconds,
        file: None,
    }))
}

fn ended(asked_at: DateTime<Utc>, code: i32) -> Answer {
    Answer::Command(CommandAnswer { asked_at, exit_code: Some(code), error: None, last_line: None })
}

/// A stage of an hour that may be left since then.
fn span(now: i64, since: Option<i64>) -> StageSpan {
    let leaving = Some(Leaving { since: since.map(at), judge_interval_seconds: 15 });
    StageSpan { leaving, ..StageSpan::new(at(0), at(now), 3_600) }
}

#[test]
fn what_passed_counts_while_it_is_of_the_stages_end_and_not_out_of_date() {
    for (every, asked_at, now, since, too_old) in [
        // While the stage goes on an answer counts until the next one may be there.
        (3_600, 0, 3_500, None, None),
        (60, 0, 360, None, None),
        (60, 0, 361, None, Some("last asked 6 min ago")),
        // A judge interval at least: it is looked at no more often.
        (1, 0, 315, None, None),
        // The first answer of one that is asked each hour does not end the stage of an hour.
        (3_600, 0, 3_600, Some(3_600), Some("last asked 60 min ago")),
        (3_600, 700, 3_600, Some(3_600), Some("last asked 48 min ago")),
        // What began a judge interval and its time limit before, and ended just now, does.
        (3_600, 3_285, 3_600, Some(3_600), None),
        (3_600, 3_284, 3_600, Some(3_600), Some("last asked 5 min ago")),
        // Where a stage holds, as long as the next one is not due.
        (3_600, 3_590, 7_490, Some(3_600), None),
        (3_600, 3_590, 7_491, Some(3_600), Some("last asked 65 min ago")),
        // Where a person promotes, relative to that.
        (3_600, 0, 60, Some(60), None),
        (3_600, 0, 316, Some(316), Some("last asked 5 min ago")),
    ] {
        let judgement = judge_answer(&ended(at(asked_at), 0), &program(every), &span(now, since));
        let expected = too_old.map_or((GateVerdict::Pass, GateReason::Within, "it ended with 0"), |words| {
            (GateVerdict::Unknown, GateReason::AskedTooLongAgo, words)
        });
        let found = (judgement.verdict, judgement.reason, judgement.detail.as_str());
        assert_eq!(found, expected, "every {every}, asked at {asked_at}, looked at {now}");
    }
}

#[test]
fn what_failed_stays_so_however_old_it_is() {
    let judgement = judge_answer(&ended(at(0), 1), &program(3_600), &span(3_600, Some(3_600)));
    assert_eq!((judgement.verdict, judgement.reason), (GateVerdict::Fail, GateReason::CommandFailed));
}

#[test]
fn apis_and_logs_are_too_old_as_programs_are() {
    let url = "http://127.0.0.1/".to_owned();
    let api = HttpCheck { url, status: 200, pointer: None, expected: None, every_seconds: 3_600 };
    let log = LogCheck { selector: "{a=\"b\"}".to_owned(), at_most: 0, every_seconds: 3_600, file: None };
    for (asked_at, verdict) in [(at(3_525), GateVerdict::Pass), (at(3_524), GateVerdict::Unknown)] {
        let of_api = Answer::Http(HttpAnswer { asked_at, status: Some(200), pointed: None, error: None });
        let of_log = Answer::Logs(LogAnswer { asked_at, lines: Some(0), error: None });
        let span = span(3_600, Some(3_600));
        for (answer, question) in
            [(of_api, Question::Http(api.clone())), (of_log, Question::Logs(log.clone()))]
        {
            assert_eq!(judge_answer(&answer, &criterion(question), &span).verdict, verdict, "{answer:?}");
        }
    }
}

#[test]
fn where_nothing_is_known_of_leaving_every_answer_was_asked_for_just_now() {
    let span = StageSpan::new(at(0), at(90_000), 3_600);
    assert_eq!(judge_answer(&ended(at(0), 0), &program(60), &span).verdict, GateVerdict::Pass);
}

#[test]
fn each_is_asked_at_its_time_and_once_more_so_that_it_is_answered_as_the_stage_may_be_left() {
    for (every, last, took, is_clear, leaves_at, expected) in [
        (60, 100, 1, true, None, 160),
        (60, 100, 1, true, Some(3_600), 160),
        // At 3600 less a judge interval, and what it took the last time.
        (3_600, 0, 40, true, Some(3_600), 3_545),
        // No sooner than its own time limit says that it may be needed.
        (3_600, 0, 9_999, true, Some(3_600), 3_285),
        // Asked so already; from now on at its own time.
        (3_600, 3_545, 40, true, Some(3_600), 7_145),
        // A program that ran as the end was near is asked once more as it ends.
        (3_600, 3_500, 10, true, Some(3_600), 3_575),
        // The end came before it was known: at once.
        (3_600, 0, 0, true, Some(60), 45),
        // What came to no verdict is tried again soon, and not sooner than it is asked anyway.
        (3_600, 100, 1, false, None, 160),
        (20, 100, 1, false, None, 120),
    ] {
        let last = LastAsked { at: at(last), took: TimeDelta::seconds(took), is_clear };
        let pace = Pace::of(&program(every).question).expect("asked by itself");
        let next = next_asked(&last, pace, leaves_at.map(at), JUDGE_INTERVAL);
        assert_eq!(next, at(expected), "{last:?} every {every} s, until {leaves_at:?}");
    }
}

#[test]
fn whenever_an_answer_is_too_old_it_is_asked_for_anew() {
    // However it was asked, at whatever time it is looked at: what is too old is never waited for.
    for every in [1, 60, 600, 3_600, 90_000] {
        for asked_at in (0..7_200).step_by(50) {
            for now in (asked_at..20_000).step_by(250) {
                let since = (now >= 3_600).then_some(3_600);
                let criterion = program(every);
                let is_too_old = too_old(&ended(at(asked_at), 0), &criterion, &span(now, since)).is_some();
                let pace = Pace::of(&criterion.question).expect("asked by itself");
                let last = LastAsked { at: at(asked_at), took: TimeDelta::zero(), is_clear: true };
                let next = next_asked(&last, pace, Some(at(3_600)), JUDGE_INTERVAL);
                assert!(!is_too_old || next <= at(now), "every {every}, asked {asked_at}, now {now}");
            }
        }
    }
}
