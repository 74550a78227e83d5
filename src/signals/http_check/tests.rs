use chrono::TimeDelta;

use super::*;
use crate::clock::SystemClock;
use crate::config::{AccessConfig, Credentials};
use crate::incident::{CriterionName, GateReason, GateVerdict, OnFail};
use crate::notification::http_fixtures::{Fake, outbound, secret};
use crate::ramp::judge_answer;

fn check(url: &Url, pointer: Option<&str>, expected: Option<serde_json::Value>) -> Criterion {
    Criterion {
        name: CriterionName::new("spot"),
        title: "Spot checks".to_owned(),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question: Question::Http(HttpCheck {
            url: url.to_string(),
            status: 200,
            pointer: pointer.map(str::to_owned),
            expected,
            every_seconds: 60,
        }),
    }
}

async fn ask(judge: &HttpJudge, criterion: &Criterion) -> (HttpAnswer, GateVerdict, GateReason) {
    let now = SystemClock.now();
    let span = StageSpan::new(now - TimeDelta::minutes(15), now, 900);
    let asked = judge.ask(criterion, &span).await;
    let judgement = judge_answer(&asked.answer, criterion, &span);
    match asked.answer {
        Answer::Http(answer) => (answer, judgement.verdict, judgement.reason),
        other => panic!("{other:?}"),
    }
}

fn without_credentials() -> HttpJudge {
    HttpJudge::new(&outbound(&AccessConfig::default()), Vec::new(), Arc::new(SystemClock))
}

#[tokio::test]
async fn a_status_and_what_a_pointer_points_at_pass_or_fail_and_all_else_is_unknown() {
    use GateVerdict::{Fail, Pass, Unknown};
    let fake = Fake::start().await;
    let url = fake.url.join("spot?x=1").expect("a URL");
    let ok = || Some(serde_json::json!("PASS"));
    let long = format!(r#"{{"r":"{}"}}"#, "x".repeat(600));
    let endless = "x".repeat(MAX_ANSWER_BYTES + 1);
    for (status, body, pointer, expected, verdict, reason, words) in [
        (200, "whatever", None, None, Pass, GateReason::Within, ""),
        (500, "whatever", None, None, Fail, GateReason::NotAsExpected, ""),
        // Where it leads is never asked.
        (302, "", None, None, Fail, GateReason::NotAsExpected, ""),
        (200, r#"{"r":{"s":"PASS"}}"#, Some("/r/s"), ok(), Pass, GateReason::Within, ""),
        (200, r#"{"r":{"s":"FAIL"}}"#, Some("/r/s"), ok(), Fail, GateReason::NotAsExpected, ""),
        (200, r#"{"r":{}}"#, Some("/r/s"), ok(), Fail, GateReason::NotAsExpected, ""),
        (200, "<html>", Some("/r/s"), ok(), Unknown, GateReason::NoAnswer, "is no JSON"),
        (502, "<html>", Some("/r/s"), ok(), Fail, GateReason::NotAsExpected, ""),
        (200, &long, Some("/r"), None, Unknown, GateReason::NoAnswer, "too long"),
        (200, &endless, None, None, Unknown, GateReason::NoAnswer, "longer than"),
    ] {
        fake.then_with(status, &[("location", "/elsewhere")], body);
        let (answer, found, why) = ask(&without_credentials(), &check(&url, pointer, expected)).await;
        assert_eq!((found, why), (verdict, reason), "{status} {pointer:?}: {answer:?}");
        assert_eq!(answer.error.is_some(), !words.is_empty(), "{answer:?}");
        assert!(answer.error.unwrap_or_default().contains(words));
    }
    assert!(fake.asked().iter().all(|asked| asked.path == "/spot?x=1" && asked.method == "GET"));
}

#[tokio::test]
async fn who_does_not_answer_in_time_or_is_no_api_is_unknown() {
    let fake = Fake::start().await;
    fake.then_hang();
    let hanging = check(&fake.url, None, None);
    let nobody = check(&Url::parse("http://127.0.0.1:1/").expect("a URL"), None, None);
    let mut no_api = check(&fake.url, None, None);
    if let Question::Http(check) = &mut no_api.question {
        check.url = "file:///etc/passwd".to_owned();
    }
    for (criterion, words) in
        [(hanging, "no answer within"), (nobody, "not sent"), (no_api, "no address of an API")]
    {
        let (answer, verdict, _) = ask(&without_credentials(), &criterion).await;
        let error = answer.error.expect("no answer");
        assert_eq!((verdict, error.contains(words)), (GateVerdict::Unknown, true), "{error}");
    }
}

#[tokio::test]
async fn a_token_goes_to_its_own_origin_alone_and_an_answer_that_repeats_it_is_not_kept() {
    let (theirs, strangers) = (Fake::start().await, Fake::start().await);
    let folder = tempfile::tempdir().expect("a folder");
    let token = secret(&folder, "token", "s3cret-token");
    let access = AccessConfig { credentials: Some(Credentials::Bearer(token)), ..AccessConfig::default() };
    let system = HttpSystem { url: theirs.url.clone(), outbound: outbound(&access) };
    let anybody = outbound(&AccessConfig::default());
    let judge = HttpJudge::new(&anybody, vec![system], Arc::new(SystemClock));
    for (fake, sent) in [(&theirs, Some("Bearer s3cret-token")), (&strangers, None)] {
        fake.then(200, r#"{"you":"Bearer s3cret-token"}"#);
        let (answer, _, _) = ask(&judge, &check(&fake.url, Some("/you"), None)).await;
        assert_eq!(fake.asked()[0].header("authorization"), sent);
        assert_eq!(answer.pointed.is_some(), sent.is_none(), "{answer:?}");
        assert!(sent.is_none() || !format!("{answer:?}").contains("s3cret"), "{answer:?}");
    }
    // The same host at another port is another system.
    assert_ne!(theirs.url.port(), strangers.url.port());
}
