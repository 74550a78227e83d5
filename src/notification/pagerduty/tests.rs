//! What PagerDuty is sent, and what its answers lead to.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::config::AccessConfig;
use crate::incident::Trigger;
use crate::notification::http_fixtures::{Fake, deliver, golden, outbound, secret};
use crate::notification::{Subject, fixtures};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const ACCEPTED: &str = r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#;

struct Setup {
    fake: Fake,
    pagerduty: PagerDuty,
    _folder: TempDir,
}

async fn setup_in(place: Place, path: &str) -> Setup {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    for way in ["v2/enqueue", "v2/change/enqueue"] {
        fake.always(&format!("POST {path}/{way}"), 202, ACCEPTED);
    }
    let levels = [secret(&folder, "l2", &"2".repeat(32)), secret(&folder, "l3", &"3".repeat(32))];
    let keys = PagerDutyKeys { first: secret(&folder, "key", KEY), others: Some(levels) };
    let base = fake.url.join(path).expect("an address");
    let pagerduty = PagerDuty::new(outbound(&AccessConfig::default()), base, keys, place);
    Setup { fake, pagerduty, _folder: folder }
}

async fn setup() -> Setup {
    setup_in(fixtures::place(), "").await
}

/// As it is once the page was triggered.
fn paged(kind: NoticeKind) -> Message {
    let mut message = fixtures::message(kind);
    let key = key::dedup_key(&message.subject, &fixtures::place());
    message.references.insert("page".to_owned(), key);
    message
}

fn member<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test]
async fn who_triggered_it_is_said_in_the_words_of_the_webhook() {
    let Setup { fake, pagerduty, .. } = setup().await;
    for (trigger, word, actor) in [
        (Trigger::Automatic, "alert", None),
        (Trigger::Manual { actor: "zoe".to_owned() }, "person", Some("zoe")),
    ] {
        let message = fixtures::message(NoticeKind::RollbackStarted);
        let mut incident = message.subject.incident().expect("an incident").clone();
        (incident.causes, incident.opened.trigger) = (Default::default(), trigger);
        let mut message = Message { subject: Subject::Incident(Arc::new(incident)), ..message };
        deliver(&pagerduty, &mut message).await.1.expect("sent");
        let asked = fake.asked().last().expect("a page").json();
        let details = &asked["payload"]["custom_details"];
        assert_eq!((details["triggered_by"].as_str(), details["actor"].as_str()), (Some(word), actor));
    }
}

#[tokio::test]
async fn every_notice_is_told_as_in_its_golden_file() {
    for kind in NoticeKind::ALL {
        let Setup { fake, mut pagerduty, .. } = setup().await;
        pagerduty.keys.others = None;
        let is_of_a_record = [NoticeKind::EvidenceProblem, NoticeKind::RampRecordProblem].contains(kind);
        assert_eq!(pagerduty.wants(*kind), !is_of_a_record);
        let pages = matches!(kind, NoticeKind::RollbackStarted | NoticeKind::WatchdogLost);
        let mut message = if pages { fixtures::message(*kind) } else { paged(*kind) };
        let (_, outcome) = deliver(&pagerduty, &mut message).await;
        assert_eq!(outcome, Ok(()), "{kind}");
        let sent = fake.asked().into_iter().map(|asked| json!({ "path": asked.path, "body": asked.json() }));
        golden("pagerduty", kind.as_str(), &sent.collect());
        let Setup { fake, mut pagerduty, .. } = setup().await;
        pagerduty.keys.others = None;
        assert_eq!(deliver(&pagerduty, &mut fixtures::longest_message(*kind)).await.1, Ok(()), "{kind}");
        let sent = fake.asked().into_iter().map(|asked| json!({ "path": asked.path, "body": asked.json() }));
        golden("pagerduty", &format!("{kind}.longest"), &sent.collect());
    }
}

#[tokio::test]
async fn trigger_acknowledge_and_resolve_go_in_order_under_one_key_that_is_remembered() {
    let Setup { fake, pagerduty, _folder } = setup().await;
    let mut references = References::new();
    for kind in [
        NoticeKind::RollbackStarted,
        NoticeKind::RollbackFailed,
        NoticeKind::Acknowledged,
        NoticeKind::RollbackEnded,
        NoticeKind::AlertsEnded,
    ] {
        let mut message = Message { references, ..fixtures::message(kind) };
        assert_eq!(deliver(&pagerduty, &mut message).await.1, Ok(()));
        references = message.references;
    }
    let asked = fake.asked();
    let actions: Vec<_> = asked.iter().map(|asked| asked.json()["event_action"].clone()).collect();
    assert_eq!(
        actions,
        ["trigger", "trigger", "acknowledge", "null", "resolve"].map(|action| match action {
            "null" => Value::Null,
            action => action.into(),
        })
    );
    assert_eq!(fake.calls()[3], "POST /v2/change/enqueue", "that it ended is a change, and no resolve");
    for event in asked.iter().map(|asked| asked.json()).filter(|event| !event["event_action"].is_null()) {
        assert_eq!(member(&event, "/dedup_key"), "backstop/prod-eu/spark-trading/v1.4.0");
        assert_eq!(member(&event, "/routing_key"), KEY);
    }
    assert_eq!(references.get("page").map(String::as_str), Some(""), "nothing is open any more");
}

#[tokio::test]
async fn a_page_is_ended_under_the_key_that_it_was_triggered_with() {
    let Setup { fake, pagerduty, _folder } = setup().await;
    let mut back = fixtures::message(NoticeKind::WatchdogBack);
    back.references.insert("page".to_owned(), "backstop/prod-eu/spark-trading/v1.3.9/watchdog".to_owned());
    assert_eq!(deliver(&pagerduty, &mut back).await.1, Ok(()));
    let sent = fake.asked()[0].json();
    assert_eq!(member(&sent, "/dedup_key"), "backstop/prod-eu/spark-trading/v1.3.9/watchdog");
}

#[tokio::test]
async fn each_level_is_paged_by_its_own_key_and_told_of_the_end() {
    let Setup { fake, pagerduty, _folder } = setup().await;
    let mut escalated = paged(NoticeKind::Escalated);
    assert_eq!(deliver(&pagerduty, &mut escalated).await, (vec!["trigger_l2"], Ok(())));
    let references = escalated.references;
    let mut ended = Message { references, ..fixtures::message(NoticeKind::AlertsEnded) };
    assert_eq!(deliver(&pagerduty, &mut ended).await, (vec!["resolve", "resolve_l2"], Ok(())));
    let keys: Vec<_> = fake.asked().iter().map(|asked| asked.json()["routing_key"].clone()).collect();
    assert_eq!(keys, ["2".repeat(32), KEY.to_owned(), "2".repeat(32)]);
}

#[tokio::test]
async fn what_is_answered_says_whether_it_is_sent_again() {
    let Setup { fake, pagerduty, _folder } = setup().await;
    let invalid = format!(r#"{{"status":"invalid event","errors":["'routing_key' {KEY} is unknown"]}}"#);
    fake.then(400, &invalid).then_with(429, &[("retry-after", "17")], "slow down");
    fake.then(503, "no upstream").then_hang();
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(deliver(&pagerduty, &mut message).await.1.expect_err("not accepted"));
    }
    let SendError::Refused { error } = &outcomes[0] else { panic!("{outcomes:?}") };
    assert!(error.contains("400") && error.contains("is unknown"), "PagerDuty's words: {error}");
    assert!(!error.contains(KEY) && error.contains("[redacted]"), "{error}");
    let after = Some(Duration::from_secs(17));
    assert!(matches!(&outcomes[1], SendError::Failed { retry_after, .. } if *retry_after == after));
    assert!(matches!(&outcomes[2], SendError::Unknown { .. }), "{outcomes:?}");
    assert!(matches!(&outcomes[3], SendError::Unknown { error } if error.contains("no answer")));
    assert_eq!(deliver(&pagerduty, &mut message).await.1, Ok(()), "the same page once more");
    let bodies: Vec<_> = fake.asked().iter().map(|asked| asked.body.clone()).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "a repeat says the same");
}

#[tokio::test]
async fn another_base_such_as_the_eus_has_the_same_paths_under_it() {
    let Setup { fake, pagerduty, _folder } = setup_in(fixtures::place(), "/eu").await;
    for kind in [NoticeKind::RollbackStarted, NoticeKind::GraceOpened] {
        assert_eq!(deliver(&pagerduty, &mut fixtures::message(kind)).await.1, Ok(()));
    }
    assert_eq!(fake.calls(), ["POST /eu/v2/enqueue", "POST /eu/v2/change/enqueue"]);
}

#[tokio::test]
async fn the_longest_texts_stay_within_the_limits_and_are_harmless() {
    for kind in NoticeKind::ALL {
        let Setup { fake, pagerduty, _folder } = setup_in(fixtures::longest_place(), "").await;
        let mut message = fixtures::longest_message(*kind);
        let (_, outcome) = deliver(&pagerduty, &mut message).await;
        assert_eq!(outcome, Ok(()), "{kind}");
        for asked in fake.asked() {
            let event = asked.json();
            assert!(asked.body.len() < 512_000, "{kind}: {} bytes", asked.body.len());
            assert!(member(&event, "/payload/summary").chars().count() <= 1_024, "{kind}");
            assert!(member(&event, "/dedup_key").chars().count() <= 255, "{kind}");
            for short in ["source", "component", "group", "class"] {
                assert!(member(&event, &format!("/payload/{short}")).chars().count() <= 255, "{kind}");
            }
            let text = event.to_string();
            assert!(!text.contains('\u{202e}'), "{kind}: a control that turns letters round");
        }
    }
}

#[test]
fn a_storm_of_alerts_is_shown_as_far_as_it_fits() {
    let mut message = fixtures::longest_message(NoticeKind::RollbackStarted);
    let at = message.notice.at;
    let crate::notification::Subject::Incident(incident) = &mut message.subject else {
        panic!("an incident")
    };
    let incident = std::sync::Arc::make_mut(incident);
    let attached = incident.alerts.first().expect("an alert").as_ref().clone();
    for number in 0..30 {
        let mut next = attached.clone();
        next.alert.fingerprint = crate::incident::Fingerprint::new(format!("{number:016x}"));
        // Each of its characters becomes eight on its way to a person.
        let annotation = |name: &str| (name.to_owned(), "\u{202e}".repeat(2_000));
        next.alert.annotations =
            ["summary", "description", "threshold"].map(annotation).into_iter().collect();
        incident.apply(at, &crate::incident::Event::AlertAttached(next));
    }
    let event = event::trigger(&message, &fixtures::longest_place());
    assert!(event.to_string().len() < 512_000);
    let details = &event["payload"]["custom_details"];
    let shown = details["alerts"].as_array().expect("alerts").len();
    assert_eq!(details["alerts_left_out"], 31 - shown);
    assert!((1..10).contains(&shown), "{shown}");
}

#[tokio::test]
async fn an_integration_of_a_ruleset_is_sent_no_change_events() {
    let Setup { fake, mut pagerduty, _folder } = setup().await;
    pagerduty.keys.first = secret(&_folder, "ruleset", &format!("R{}", "0".repeat(31)));
    assert_eq!(deliver(&pagerduty, &mut fixtures::message(NoticeKind::GraceOpened)).await.1, Ok(()));
    assert_eq!(fake.calls(), [""; 0]);
}

#[tokio::test]
async fn a_test_pages_and_resolves_and_a_check_sends_no_event() {
    let Setup { fake, pagerduty, _folder } = setup().await;
    let now = fixtures::message(NoticeKind::GraceOpened).notice.at;
    let said = pagerduty.test(now).await.expect("accepted");
    assert!(said.contains("202"), "{said}");
    let events: Vec<_> = fake.asked().iter().map(|asked| asked.json()).collect();
    assert_eq!(member(&events[0], "/event_action"), "trigger");
    assert!(member(&events[0], "/payload/summary").starts_with("TEST"));
    assert_eq!(member(&events[1], "/event_action"), "resolve");
    assert_eq!(events[0]["dedup_key"], events[1]["dedup_key"]);
    let found = pagerduty.check().await.expect("reached");
    assert!(found.iter().any(|line| line.contains("send a test")), "{found:?}");
    assert_eq!(fake.calls()[2..], ["GET /"]);
}

#[tokio::test]
async fn a_key_of_another_length_is_found_before_it_is_needed() {
    let Setup { mut pagerduty, _folder, .. } = setup().await;
    pagerduty.keys.first = secret(&_folder, "short", "s3cret-key");
    let error = pagerduty.check().await.expect_err("too short").to_string();
    assert!(error.contains("10 characters and not 32") && !error.contains("s3cret"), "{error}");
}
