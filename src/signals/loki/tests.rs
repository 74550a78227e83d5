use std::collections::BTreeMap;

use super::*;
use crate::config::AccessConfig;
use crate::incident::{CriterionName, GateReason, GateVerdict, OnFail};
use crate::notification::http_fixtures::{Fake, outbound};
use crate::ramp::judge_answer;

/// Examples of Loki's own reference, without their statistics.
const DOCUMENTED_VECTOR: &str = include_str!("../../../tests/fixtures/loki/query_vector.json");
const DOCUMENTED_STREAMS: &str = include_str!("../../../tests/fixtures/loki/query_range_streams.json");
const DOCUMENTED_SERIES: &str = include_str!("../../../tests/fixtures/loki/series.json");

const SELECTOR: &str = r#"{app="x"} |= "ERROR""#;
const NOTHING: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;

fn criterion() -> Criterion {
    Criterion {
        name: CriterionName::new("logs-clean"),
        title: "Logs clean".to_owned(),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question: Question::Logs(LogCheck {
            selector: SELECTOR.to_owned(),
            at_most: 2,
            every_seconds: 60,
            file: Some("logs_100.txt".to_owned()),
        }),
    }
}

fn span() -> StageSpan {
    let at = |text: &str| text.parse().expect("a time");
    let (began_at, now) = (at("2026-11-24T03:00:00Z"), at("2026-11-24T03:15:00.5Z"));
    StageSpan::new(began_at, now, 900)
}

async fn ask(fake: &Fake) -> (LogAnswer, GateVerdict, GateReason, String) {
    let base = fake.url.join("logs/").expect("a URL");
    let loki = Loki::new(&outbound(&AccessConfig::default()), base);
    let asked = loki.ask(&criterion(), &span()).await;
    let judgement = judge_answer(&asked.answer, &criterion(), &span());
    let Answer::Logs(answer) = asked.answer else { panic!("{:?}", asked.answer) };
    let kept = asked.kept.map(|file| String::from_utf8(file.bytes).expect("text")).unwrap_or_default();
    (answer, judgement.verdict, judgement.reason, kept)
}

fn counted(lines: &str) -> String {
    format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1.5,"{lines}"]}}],"stats":{{}}}}}}"#
    )
}

/// The query of each request, in order.
fn queries(fake: &Fake) -> Vec<(String, BTreeMap<String, String>)> {
    let parsed = |path: &str| {
        let url = fake.url.join(path).expect("a URL");
        (url.path().to_owned(), url.query_pairs().into_owned().collect())
    };
    fake.asked().iter().map(|asked| parsed(&asked.path)).collect()
}

#[tokio::test]
async fn lines_are_counted_over_the_stage_and_the_first_of_them_are_kept() {
    let fake = Fake::start().await;
    let lines = r#"{"status":"success","data":{"resultType":"streams","result":[
        {"stream":{"pod":"b"},"values":[["1764000001500000000","ERROR second"],["1764000003000000000","ERROR \u001b[2J third",{"trace":"1"}]]},
        {"stream":{"pod":"a"},"values":[["1764000001000000000","ERROR first"]]}],"stats":{}}}"#;
    fake.then(200, &counted("5")).then(200, lines);
    let (answer, verdict, reason, kept) = ask(&fake).await;
    assert_eq!((answer.lines, answer.error), (Some(5), None));
    assert_eq!((verdict, reason), (GateVerdict::Fail, GateReason::TooManyLines));
    assert_eq!(
        kept,
        "Selector: {app=\"x\"} |= \"ERROR\"\nFrom: 2026-11-24T03:00:00Z\nTo: 2026-11-24T03:15:00Z\nLines: 5\n\
         2025-11-24T16:00:01.000Z ERROR first\n2025-11-24T16:00:01.500Z ERROR second\n\
         2025-11-24T16:00:03.000Z ERROR \\u{1b}[2J third\n[2 lines more are in Loki]\n"
    );
    let asked = queries(&fake);
    let (path, of_count) = &asked[0];
    assert_eq!(path, "/logs/loki/api/v1/query");
    assert_eq!(of_count["query"], format!("sum(count_over_time({SELECTOR} [900s]))"));
    assert_eq!(of_count["time"], "1795490100500000000");
    let (path, of_lines) = &asked[1];
    assert_eq!(path, "/logs/loki/api/v1/query_range");
    let of_lines: Vec<_> = of_lines.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let (start, end) = ("1795489200000000000", "1795490100500000000");
    assert_eq!(
        of_lines,
        [("direction", "forward"), ("end", end), ("limit", "500"), ("query", SELECTOR), ("start", start)]
    );
}

#[tokio::test]
async fn no_line_is_clean_only_where_there_is_a_stream_that_it_could_be_in() {
    let fake = Fake::start().await;
    fake.then(200, NOTHING).then(200, DOCUMENTED_SERIES);
    let (answer, verdict, _, kept) = ask(&fake).await;
    assert_eq!((answer.lines, verdict), (Some(0), GateVerdict::Pass));
    assert!(kept.ends_with("Lines: 0\n"), "{kept}");
    let (path, of_streams) = &queries(&fake)[1];
    assert_eq!((path.as_str(), of_streams["match[]"].as_str()), ("/logs/loki/api/v1/series", r#"{app="x"}"#));
    assert_eq!(of_streams["start"], "1795489200000000000");

    fake.then(200, NOTHING).then(200, r#"{"status":"success","data":[]}"#);
    let (answer, verdict, reason, kept) = ask(&fake).await;
    assert_eq!((answer.lines, answer.error), (None, None));
    assert_eq!((verdict, reason), (GateVerdict::Unknown, GateReason::NoData));
    assert!(kept.contains("no stream matches"), "{kept}");
}

#[tokio::test]
async fn what_is_no_whole_answer_is_unknown_and_says_why() {
    let warned = counted("0").replacen('{', r#"{"warnings":["maximum number of series reached"],"#, 1);
    for (status, body, words) in [
        (500, "too many outstanding requests", "status 500: too many outstanding requests"),
        (400, "parse error at line 1, col 5", "status 400: parse error"),
        (401, "no org id", "check the token"),
        (200, warned.as_str(), "partial: maximum number of series reached"),
        (200, DOCUMENTED_VECTOR, "3 series came where one is meant"),
        (200, DOCUMENTED_STREAMS, "is the address right?"),
        (200, &counted("0.5"), "no number of lines"),
        (200, &counted("NaN"), "no number of lines"),
        (200, "<html>", "is the address right?"),
        (200, r#"{"status":"success","data":{"resultType":"vector"}}"#, "is the address right?"),
    ] {
        let fake = Fake::start().await;
        fake.then(status, body);
        let (answer, verdict, reason, kept) = ask(&fake).await;
        assert_eq!((verdict, reason), (GateVerdict::Unknown, GateReason::NoAnswer), "{body}");
        assert!(answer.error.as_ref().is_some_and(|error| error.contains(words)), "{answer:?}");
        assert_eq!((answer.lines, kept.as_str()), (None, ""));
    }
}

#[tokio::test]
async fn that_the_lines_do_not_come_changes_no_verdict_and_is_said() {
    let fake = Fake::start().await;
    fake.then(200, &counted("1")).then(500, "too slow");
    let (answer, verdict, _, kept) = ask(&fake).await;
    assert_eq!((answer.lines, verdict), (Some(1), GateVerdict::Pass));
    assert!(kept.contains("did not come: /logs/loki/api/v1/query_range: status 500: too slow"), "{kept}");
}

#[test]
fn the_references_own_examples_are_read() {
    let vector: Whole<Found<Vector>> = serde_json::from_str(DOCUMENTED_VECTOR).expect("as documented");
    assert_eq!(vector.data.result.len(), 3);
    let streams: Whole<Found<Streams>> = serde_json::from_str(DOCUMENTED_STREAMS).expect("as documented");
    let lines: Vec<_> = streams.data.result.into_iter().flat_map(wire::Stream::lines).collect();
    let expected = [(1_569_266_497_240_578_000, "foo"), (1_569_266_492_548_155_000, "bar")];
    assert_eq!(lines.iter().map(|line| (line.nanoseconds, line.text.as_str())).collect::<Vec<_>>(), expected);
    let series: Whole<Vec<serde_json::Value>> =
        serde_json::from_str(DOCUMENTED_SERIES).expect("as documented");
    assert_eq!(series.data.len(), 1);
}

#[test]
fn a_file_of_long_lines_stays_within_its_limit() {
    let Question::Logs(check) = criterion().question else { panic!("logs") };
    let line = |nanoseconds| Line { nanoseconds, text: "ä".repeat(4_000) };
    let window = Window::of(&span());
    let bytes = file(&check, window, Some(2_000), Ok((0..500).map(line).collect()));
    assert!(bytes.len() <= MAX_FILE_BYTES + 100, "{}", bytes.len());
    let text = String::from_utf8(bytes).expect("text");
    let kept = text.lines().count() - 5;
    assert!(kept > 100 && text.ends_with(&format!("[{} lines more are in Loki]\n", 2_000 - kept)), "{kept}");
}
