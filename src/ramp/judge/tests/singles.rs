//! What is asked for one answer.

use super::*;
use GateReason as R;
use GateVerdict as V;
use serde_json::json;

fn judged(question: Question, answer: Answer) -> (GateVerdict, GateReason, String) {
    let judgement = judge_answer(&answer, &criterion(question), &span(60));
    assert_eq!((judgement.criterion.as_str(), judgement.judged_at), ("c", at(60)));
    (judgement.verdict, judgement.reason, judgement.detail)
}

#[test]
fn an_api_has_to_answer_as_expected() {
    let plain = HttpCheck {
        url: "http://127.0.0.1/".to_owned(),
        status: 200,
        pointer: None,
        expected: None,
        every_seconds: 60,
    };
    let pointing = |expected| HttpCheck { pointer: Some("/ok".to_owned()), expected, ..plain.clone() };
    let answer = |status, pointed| HttpAnswer { asked_at: at(0), status, pointed, error: None };
    for (check, answer, verdict, reason, detail) in [
        (plain.clone(), answer(Some(200), None), V::Pass, R::Within, "status 200"),
        (
            plain.clone(),
            answer(Some(503), None),
            V::Fail,
            R::NotAsExpected,
            "status 503, and it has to be 200",
        ),
        (plain.clone(), answer(None, None), V::Unknown, R::NoAnswer, "no answer came"),
        (pointing(None), answer(Some(200), Some(json!(false))), V::Pass, R::Within, "/ok is false"),
        (
            pointing(None),
            answer(Some(200), None),
            V::Fail,
            R::NotAsExpected,
            "status 200, and nothing at /ok",
        ),
        (
            pointing(Some(json!(true))),
            answer(Some(200), Some(json!(true))),
            V::Pass,
            R::Within,
            "/ok is true",
        ),
        (
            pointing(Some(json!(true))),
            answer(Some(200), Some(json!("true"))),
            V::Fail,
            R::NotAsExpected,
            "/ok is \"true\", and has to be true",
        ),
        (
            plain.clone(),
            HttpAnswer { error: Some("timed out".to_owned()), ..answer(Some(200), None) },
            V::Unknown,
            R::NoAnswer,
            "timed out",
        ),
        (
            plain.clone(),
            HttpAnswer { asked_at: at(-1), ..answer(Some(200), None) },
            V::Unknown,
            R::NotAsked,
            "it was last asked before the stage began",
        ),
    ] {
        let found = judged(Question::Http(check), Answer::Http(answer));
        assert_eq!(found, (verdict, reason, detail.to_owned()));
    }
}

#[test]
fn a_log_may_have_so_many_lines() {
    let check = LogCheck { selector: "{app=\"x\"}".to_owned(), at_most: 2, every_seconds: 60, file: None };
    let answer = |lines| LogAnswer { asked_at: at(0), lines, error: None };
    for (answer, verdict, reason) in [
        (answer(Some(2)), V::Pass, R::Within),
        (answer(Some(3)), V::Fail, R::TooManyLines),
        (answer(None), V::Unknown, R::NoData),
        (LogAnswer { error: Some("no".to_owned()), ..answer(Some(0)) }, V::Unknown, R::NoAnswer),
        (LogAnswer { asked_at: at(-1), ..answer(Some(0)) }, V::Unknown, R::NotAsked),
    ] {
        let (found, because, _) = judged(Question::Logs(check.clone()), Answer::Logs(answer));
        assert_eq!((found, because), (verdict, reason));
    }
}

#[test]
fn only_0_and_1_are_words_of_a_program() {
    let check = CommandCheck {
        argv: vec!["true".to_owned()],
        directory: None,
        environment: Vec::new(),
        variables: BTreeMap::new(),
        timeout_seconds: 1,
        every_seconds: 60,
        file: None,
    };
    let answer = |exit_code| CommandAnswer {
        asked_at: at(0),
        exit_code,
        error: None,
        last_line: Some("3 specs".to_owned()),
    };
    for (answer, verdict, reason, detail) in [
        (answer(Some(0)), V::Pass, R::Within, "it ended with 0: 3 specs"),
        (answer(Some(1)), V::Fail, R::CommandFailed, "it ended with 1: 3 specs"),
        (
            answer(Some(2)),
            V::Unknown,
            R::CommandUnclear,
            "it ended with 2, which says neither yes nor no: 3 specs",
        ),
        (
            answer(Some(-1)),
            V::Unknown,
            R::CommandUnclear,
            "it ended with -1, which says neither yes nor no: 3 specs",
        ),
        (answer(None), V::Unknown, R::CommandUnclear, "it did not end by itself: 3 specs"),
        (
            CommandAnswer { error: Some("no such file".to_owned()), ..answer(Some(0)) },
            V::Unknown,
            R::CommandUnclear,
            "no such file: 3 specs",
        ),
        (
            CommandAnswer { asked_at: at(-1), ..answer(Some(0)) },
            V::Unknown,
            R::NotAsked,
            "it was last asked before the stage began",
        ),
    ] {
        let found = judged(Question::Command(check.clone()), Answer::Command(answer));
        assert_eq!(found, (verdict, reason, detail.to_owned()));
    }
}

#[test]
fn an_approval_is_a_persons_word_and_nothing_else() {
    let of = |who: Option<&str>| Answer::Approval(ApprovalAnswer { approved_by: who.map(str::to_owned) });
    let (verdict, reason, detail) = judged(Question::Approval, of(Some("ayse")));
    assert_eq!((verdict, reason, detail.as_str()), (V::Pass, R::Approved, "ayse approved it"));
    let (verdict, reason, _) = judged(Question::Approval, of(None));
    assert_eq!((verdict, reason), (V::Unknown, R::NotApproved));
    let (verdict, reason, _) = judged(Question::Query(p95()), of(Some("ayse")));
    assert_eq!((verdict, reason), (V::Unknown, R::NoAnswer), "an answer to another question");
}
