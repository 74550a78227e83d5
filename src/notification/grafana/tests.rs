//! Regions on a dashboard: begun once, ended once.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::config::{AccessConfig, Credentials};
use crate::incident::{Event, Notice, Reason};
use crate::notification::http_fixtures::{Fake, deliver, golden, outbound, secret};
use crate::notification::{Subject, fixtures};

struct Setup {
    fake: Fake,
    grafana: Grafana,
    _folder: TempDir,
}

async fn setup_in(place: Place) -> Setup {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    fake.always("POST /grafana/api/annotations", 200, r#"{"message":"Annotation added","id":41}"#);
    for id in [41, 42] {
        let path = format!("PATCH /grafana/api/annotations/{id}");
        fake.always(&path, 200, r#"{"message":"Annotation patched"}"#);
    }
    fake.always("GET /grafana/api/annotations", 200, "[]");
    let token = secret(&folder, "token", "glsa_s3cret");
    let access = AccessConfig { credentials: Some(Credentials::Bearer(token)), ..AccessConfig::default() };
    let base = fake.url.join("grafana/").expect("an address");
    let grafana = Grafana::new(outbound(&access), base, Some("spark-canary".to_owned()), place);
    Setup { fake, grafana, _folder: folder }
}

async fn setup() -> Setup {
    setup_in(fixtures::place()).await
}

fn begun(kind: NoticeKind, region: &str) -> Message {
    let references = References::from([(region.to_owned(), "41".to_owned())]);
    Message { references, ..fixtures::message(kind) }
}

#[tokio::test]
async fn every_notice_that_begins_or_ends_a_region_is_told_as_in_its_golden_file() {
    for kind in NoticeKind::ALL {
        let Setup { fake, grafana, .. } = setup().await;
        if !grafana.wants(*kind) {
            continue;
        }
        let mut message = match kind {
            NoticeKind::GraceOpened | NoticeKind::RollbackStarted => fixtures::message(*kind),
            NoticeKind::GraceCancelled | NoticeKind::IncidentSuperseded => begun(*kind, "warning_id"),
            _ => begun(*kind, "rollback_id"),
        };
        assert_eq!(deliver(&grafana, &mut message).await.1, Ok(()), "{kind}");
        let asked = fake.asked();
        assert_eq!(asked[0].header("authorization"), Some("Bearer glsa_s3cret"));
        let sent = asked.into_iter().map(
            |asked| json!({ "request": format!("{} {}", asked.method, asked.path), "body": asked.json() }),
        );
        golden("grafana", kind.as_str(), &sent.collect());
    }
}

#[tokio::test]
async fn each_annotation_carries_exactly_one_tag_of_a_kind_and_its_incident() {
    for kind in [NoticeKind::GraceOpened, NoticeKind::RollbackStarted] {
        let Setup { fake, grafana, _folder } = setup_in(fixtures::longest_place()).await;
        let mut message = fixtures::longest_message(kind);
        assert_eq!(deliver(&grafana, &mut message).await.1, Ok(()));
        let sent = fake.asked()[0].json();
        let tags: Vec<_> = sent["tags"].as_array().expect("tags").iter().filter_map(Value::as_str).collect();
        let kinds = tags.iter().filter(|tag| ["stage", "warning", "rollback"].contains(tag)).count();
        assert_eq!(kinds, 1, "{tags:?}");
        assert!(tags.contains(&"backstop") && tags.contains(&"spark-canary"), "{tags:?}");
        let incident = format!("inc:{}", message.subject.id());
        assert!(tags.contains(&incident.as_str()) && incident.len() < 100, "{tags:?}");
        let text = sent["text"].as_str().expect("a text");
        assert!(text.chars().count() < 8_000 && !text.contains("<https") && !text.contains("<!"), "{text}");
    }
}

#[tokio::test]
async fn a_warning_that_becomes_a_rollback_ends_where_the_rollback_begins() {
    let Setup { fake, grafana, _folder } = setup().await;
    let mut opened = fixtures::message(NoticeKind::GraceOpened);
    assert_eq!(deliver(&grafana, &mut opened).await, (vec!["begin_warning"], Ok(())));
    fake.then(200, "{}").then(200, r#"{"id":42}"#);
    let mut started =
        Message { references: opened.references, ..fixtures::message(NoticeKind::RollbackStarted) };
    assert_eq!(deliver(&grafana, &mut started).await, (vec!["end_warning", "begin_rollback"], Ok(())));
    let mut ended =
        Message { references: started.references, ..fixtures::message(NoticeKind::RollbackEnded) };
    assert_eq!(deliver(&grafana, &mut ended).await, (vec!["end_rollback"], Ok(())));
    let mut closed =
        Message { references: ended.references, ..fixtures::message(NoticeKind::IncidentClosed) };
    assert_eq!(deliver(&grafana, &mut closed).await, (vec![], Ok(())), "an end is given once");
    let asked = fake.asked();
    assert_eq!(asked[1].json()["timeEnd"], asked[2].json()["time"]);
    assert_eq!(asked[3].path, "/grafana/api/annotations/42");
}

#[tokio::test]
async fn a_rollback_whose_beginning_was_left_out_has_its_whole_region() {
    let Setup { fake, grafana, _folder } = setup().await;
    let mut ended = fixtures::message(NoticeKind::RollbackEnded);
    assert_eq!(deliver(&grafana, &mut ended).await, (vec!["begin_rollback", "end_rollback"], Ok(())));
    let started_at = ended.subject.incident().and_then(|incident| incident.rollback_started_at);
    let (begun, end) = (fake.asked()[0].json(), fake.asked()[1].json());
    assert_eq!(begun["time"], started_at.expect("started").timestamp_millis());
    assert_eq!(end["timeEnd"], ended.notice.at.timestamp_millis());
}

#[tokio::test]
async fn a_grace_that_is_told_late_ends_where_its_rollback_began() {
    let Setup { fake, grafana, _folder } = setup().await;
    fake.then(200, r#"{"id":41}"#).then(200, "{}").then(200, r#"{"id":42}"#);
    let mut message = fixtures::message(NoticeKind::GraceOpened);
    let opened_at = message.notice.at;
    let (began_at, ended_at) = (opened_at + TimeDelta::seconds(60), opened_at + TimeDelta::seconds(180));
    let Subject::Incident(incident) = &mut message.subject else { panic!("an incident") };
    let incident = Arc::make_mut(incident);
    let (reason, cause) = (Reason::WarningAlert, None);
    incident.apply(began_at, &Event::RollbackStarted { reason, attempt: 1, due_at: None, cause, plan: None });
    incident.apply(ended_at, &Event::RolledBack);
    let ended = fixtures::message(NoticeKind::RollbackEnded).notice;
    message.notice = Arc::new(Notice { at: ended_at, ..ended.as_ref().clone() });
    let calls = vec!["begin_warning", "end_warning", "begin_rollback", "end_rollback"];
    assert_eq!(deliver(&grafana, &mut message).await, (calls, Ok(())));
    let times = [(0, "time"), (1, "timeEnd"), (2, "time"), (3, "timeEnd")];
    let told = times.map(|(at, name)| fake.asked()[at].json()[name].as_i64());
    let expected = [opened_at, began_at, began_at, ended_at];
    assert_eq!(told, expected.map(|at| Some(at.timestamp_millis())));
}

#[tokio::test]
async fn one_that_may_have_arrived_is_found_by_its_tags_and_not_posted_again() {
    let Setup { fake, grafana, _folder } = setup().await;
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    fake.then_hang();
    assert!(matches!(deliver(&grafana, &mut message).await.1, Err(SendError::Unknown { .. })));
    fake.then(503, "").then(200, r#"[{"id":42,"tags":["rollback"],"time":1}]"#);
    let still = deliver(&grafana, &mut message).await.1;
    assert!(matches!(still, Err(SendError::Unknown { .. })), "{still:?}");
    assert_eq!(deliver(&grafana, &mut message).await.1, Ok(()));
    assert_eq!(message.references.get("rollback_id").map(String::as_str), Some("42"));
    let asked = fake.asked();
    let query = asked[1].path.split_once('?').expect("a query").1;
    let incident = format!("tags=inc%3A{}", message.subject.id());
    for part in ["tags=backstop", "tags=rollback", "limit=10", incident.as_str()] {
        assert!(query.split('&').any(|pair| pair == part), "{query}");
    }
    let posts = asked.iter().filter(|asked| asked.method == Method::POST).count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn an_end_is_repeated_until_it_is_taken_and_one_that_was_deleted_needs_none() {
    let Setup { fake, grafana, _folder } = setup().await;
    let mut ended = begun(NoticeKind::RollbackEnded, "rollback_id");
    fake.then(502, "").then(403, "no permission for glsa_s3cret");
    assert!(matches!(deliver(&grafana, &mut ended).await.1, Err(SendError::Unknown { .. })));
    let refused = deliver(&grafana, &mut ended).await.1;
    let Err(SendError::Refused { error }) = refused else { panic!("{refused:?}") };
    assert!(error.contains("no permission") && !error.contains("s3cret"), "{error}");
    fake.then(404, "annotation not found");
    assert_eq!(deliver(&grafana, &mut ended).await.1, Ok(()));
    assert_eq!(grafana.next_call(&ended), None);
}

#[tokio::test]
async fn a_check_asks_what_it_may_read_and_a_test_adds_one_that_no_dashboard_colours() {
    let Setup { fake, grafana, _folder } = setup().await;
    fake.always("GET /grafana/api/health", 200, r#"{"database":"ok","version":"12.1.0"}"#);
    let found = grafana.check().await.expect("it is there");
    assert!(found[0].contains("12.1.0"), "{found:?}");
    let said = grafana.test(fixtures::message(NoticeKind::GraceOpened).notice.at).await.expect("added");
    assert!(said.contains("41"), "{said}");
    let asked = fake.asked();
    assert_eq!(asked[2].json()["tags"], json!(["backstop", "test"]));
    fake.always("GET /grafana/api/annotations", 401, "invalid API key");
    let error = grafana.check().await.expect_err("the token is wrong").to_string();
    assert!(error.contains("401") && error.contains("invalid API key"), "{error}");
}
